"""The drills of `benchmarks/drill.py`, a file each: what is attacked, and what comes of it."""
