"""Prepared examples and arrays on disk or in memory."""
