"""A config unfolded into stages, each run once in a folder of its own."""
