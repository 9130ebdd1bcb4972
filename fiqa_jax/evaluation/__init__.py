"""Arrays in, numbers out: metrics, intervals, tests, calibration, operating points."""
