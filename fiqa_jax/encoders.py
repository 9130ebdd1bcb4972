"""Writes a frozen encoder as one file: that of `configs/pretrain.py`, for example.

python -m fiqa_jax.encoders runs/pretrain/model encoder.safetensors
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fiqa_jax import command


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: writes an encoder as one file. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="fiqa encoders",
        description="Writes an encoder as one file: that of configs/pretrain.py, for example.",
    )
    parser.add_argument("model", metavar="NAME", help="a model directory, or any encoder's name")
    parser.add_argument("output", help=".safetensors to write")
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32")
    args = parser.parse_args(argv)

    def work() -> None:
        from fiqa_jax.pretrained.encoders import load, save  # JAX, which --help does without

        save(load(args.model), args.output, args.dtype)
        encoder = load(args.output)
        size = Path(args.output).stat().st_size / 1e6
        cells = f"cells of {encoder.patch} px, {encoder.channels} channels"
        print(f"{args.output}: {size:.1f} MB, {cells}")

    return command.run("encoders", work)


if __name__ == "__main__":
    sys.exit(main())
