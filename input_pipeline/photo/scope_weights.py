"""x"""

MEAN = (0.0,) * 10
SPREAD = (1.0,) * 10
EYE = (0.0,) * 10
WEIGHTS = (0.0,) * 20
BIAS = 0.0
CUT = 0.02
