"""Benchmarks of quality maps and of quality scores in use."""
