"""Weights of `scope`'s logistic regression; written by benchmarks/scope_fit.py.

Fitted on 785 spoilt photographs of eyes and 1047 drawn pictures of other things. In five
parts left out of the fit in turn, photograph by photograph, 5.10% of the eyes are refused
and 5.0% of the other pictures pass.
"""

# In the order of scope.NAMES; WEIGHTS in that of scope.terms.
MEAN = (0.1557, 0.2520, 0.1688, 0.6636, 0.3151, -2.4212, -1.2540, -2.7030, 0.0402, 0.1424)
SPREAD = (0.2717, 0.2438, 0.1946, 0.3872, 0.2427, 0.9225, 0.7563, 1.0382, 0.1226, 0.0941)
EYE = (
    0.6590,
    0.8373,
    0.5751,
    0.8689,
    -0.4834,
    -0.8323,
    -0.7058,
    -0.6769,
    -0.3280,
    0.0583,
)  # medians of the eyes, in standard deviations
WEIGHTS = (
    1.4097,
    0.9676,
    0.7869,
    0.2921,
    -0.9241,
    -1.4957,
    0.0031,
    -0.7397,
    -0.2021,
    0.5091,
    -0.2217,
    0.4112,
    -0.7819,
    -0.2615,
    -0.1634,
    1.0000,
    -0.2157,
    -0.6105,
    -0.0551,
    0.1338,
)
BIAS = -0.4407
CUT = 0.5600  # a smaller probability is out of scope
