"""Images per second of drawing and degrading, on one core: `python benchmarks/synthetic.py`.

Each row is the median over rounds; a round draws every photograph of the list once. Times are CPU
seconds of this process, so that other work on the machine counts as little as it can. Prints
Markdown rows; the goal is 8 images per second at 256 pixels with all masks.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np

from input_pipeline import synthetic


def rate(work: Callable[[int], object], count: int, rounds: int) -> float:
    """Median over rounds of how often per CPU second `work(k)` runs, k in 0..count-1."""
    work(0)
    speeds = []
    for _ in range(rounds):
        start = time.process_time()
        for k in range(count):
            work(k)
        speeds.append(count / (time.process_time() - start))
    return statistics.median(speeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[128, 256, 512])
    parser.add_argument("--count", type=int, default=24, help="photographs per round")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print("| side | draw / s | degrade with map / s | example (both) / s |")
    print("|---|---|---|---|")
    for side in args.sides:
        shots = [synthetic.draw(k, side, "abc") for k in range(6)]
        plans = [synthetic.plan(np.random.default_rng(k), 1.0) for k in range(args.count)]

        def degrade(k: int, shots: list = shots, plans: list = plans, side: int = side) -> object:
            shot = shots[k % len(shots)]
            return synthetic.degrade(
                shot.image, shot.fov, k, plans[k], shot.clean0, shot.vessels, max(4, side // 16)
            )

        rates = (
            rate(lambda k, side=side: synthetic.draw(k, side, "abc"), args.count, args.rounds),
            rate(degrade, args.count, args.rounds),
            rate(
                lambda k, side=side: synthetic.example(0, k, side, "abc"), args.count, args.rounds
            ),
        )
        print(f"| {side} | " + " | ".join(f"{value:.1f}" for value in rates) + " |")


if __name__ == "__main__":
    main()
