"""Weights of `scope`'s logistic regression; written by benchmarks/scope_fit.py.

Fitted on 783 spoilt photographs of eyes and 951 drawn pictures of other things. In five
parts left out of the fit in turn, photograph by photograph, 5.11% of the eyes are refused
and 7.0% of the other pictures pass.
"""

# In the order of scope.NAMES; WEIGHTS in that of scope.terms.
MEAN = (0.1565, 0.2650, 0.1777, 0.6824, 0.2969, -2.6575, -1.4469, -2.9546, 0.0322, 0.1335)
SPREAD = (0.2745, 0.2463, 0.1989, 0.3902, 0.2439, 0.8472, 0.7557, 0.9405, 0.1131, 0.0944)
EYE = (
    0.4824,
    0.7758,
    0.5207,
    0.8139,
    -0.4157,
    -0.6397,
    -0.4575,
    -0.4768,
    -0.2843,
    0.1482,
)  # medians of the eyes, in standard deviations
WEIGHTS = (
    1.5296,
    1.1077,
    0.7425,
    0.1705,
    -0.8777,
    -1.6299,
    0.0156,
    -0.5873,
    -0.0574,
    1.0333,
    -0.2639,
    0.3993,
    -0.7815,
    -0.2466,
    -0.2100,
    0.1581,
    -0.3419,
    -0.6813,
    0.0105,
    -0.0516,
)
BIAS = 0.6806
CUT = 0.4820  # a smaller probability is out of scope
