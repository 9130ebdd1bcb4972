"""x"""
MEAN=(0.,)*10
SPREAD=(1.,)*10
EYE=(0.,)*10
WEIGHTS=(0.,)*65
BIAS=0.
CUT=.02
