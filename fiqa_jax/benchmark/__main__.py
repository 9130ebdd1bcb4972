"""`python -m fiqa_jax.benchmark NAME ...`: one sub-command per benchmark."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from fiqa_jax import command

BENCHMARKS = {  # modules with `add_arguments(parser)` and `run(args)`
    "simple": "fiqa_jax.benchmark.simple",
    "details": "fiqa_jax.benchmark.details",
    "defects": "fiqa_jax.benchmark.defects",
    "efiqa": "fiqa_jax.benchmark.efiqa",
    "funpiq": "fiqa_jax.benchmark.funpiq",
    "vessels": "fiqa_jax.benchmark.segmentation",
    "downstream": "fiqa_jax.benchmark.downstream",
}


def main(argv: Sequence[str]) -> int:
    """Runs the benchmark named first with the rest of the arguments; returns the exit status."""
    if not argv or argv[0] not in BENCHMARKS:
        text = "\n  ".join(["usage: fiqa benchmark NAME ...", *BENCHMARKS])
        asked = bool(argv) and argv[0] in ("-h", "--help")
        print(text, file=sys.stdout if asked else sys.stderr)
        return command.DONE if asked else command.USAGE
    module = importlib.import_module(BENCHMARKS[argv[0]])
    parser = argparse.ArgumentParser(
        f"fiqa benchmark {argv[0]}", description=str(module.__doc__).split("\n", 1)[0]
    )
    module.add_arguments(parser)
    args = parser.parse_args(argv[1:])
    return command.run(f"benchmark {argv[0]}", lambda: module.run(args))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
