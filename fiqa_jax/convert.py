"""Published weights into ours.

python -m fiqa_jax.convert --list
python -m fiqa_jax.convert --format torchvision_resnet --input resnet18.pth --output r18.safetensors

PyTorch is not needed, and nothing in the input is run.
"""

import argparse
import hashlib
import itertools
import os
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fiqa_jax import command
from fiqa_jax.pretrained.formats import FORMATS


def convert(
    format_name: str,
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    key: str = "",
    prefix: str = "",
) -> dict[str, Any]:
    """Converts one file; `output` is written in whole or not at all.

    Args:
      format_name: a key of FORMATS.
      source: .pth, .pt, .bin, .safetensors or .npz.
      output: .safetensors to write; one that is there is replaced.
      key: where the state dict is inside a checkpoint, see `torchfile.read`.
      prefix: only tensors whose names begin with it are used, without it (`module.`).

    Returns:
      What was done: `read`, `dropped` (numbers of tensors), `parameters`, `optional` (those of them
      that a model need not have), `statistics` (numbers of values), `sha256` of the output,
      `metadata`.

    Raises:
      FileNotFoundError: there is no such input.
      ValueError: an unknown format, an output that is not called .safetensors or is the input,
        or tensors that cannot be read or are not of this format.
    """
    from fiqa_jax.pretrained import tensors as pretrained
    from fiqa_jax.pretrained import torch_file

    if format_name not in FORMATS:
        raise ValueError(f"--format {format_name!r} is not known; known: {', '.join(FORMATS)}")
    if Path(output).suffix != ".safetensors":
        raise ValueError(f"--output {output}: its name must end in .safetensors")
    if Path(output).resolve() == Path(source).resolve():
        raise ValueError(f"--output {output} is the input itself")
    tensors = _cut(torch_file.read(source, key), prefix, source)
    try:
        converted, metadata = FORMATS[format_name].convert(tensors)
    except ValueError as error:
        raise ValueError(f"{source} as {format_name}: {error}{_hint(tensors)}") from error
    with open(source, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    metadata |= {"format": format_name, "source": Path(source).name, "source_sha256": digest}
    pretrained.save(output, converted, metadata)
    with open(output, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    optional = metadata.get("optional", "")
    return {
        "read": len(tensors),
        "dropped": len(tensors) - len(converted),
        "parameters": _size(converted, r"params/.*"),
        "optional": sum(x.size for n, x in converted.items() if re.fullmatch(optional, n)),
        "statistics": _size(converted, r"batch_stats/.*"),
        "sha256": digest,
        "metadata": metadata,
    }


def _size(tensors: Mapping[str, np.ndarray], pattern: str) -> int:
    return sum(x.size for name, x in tensors.items() if re.fullmatch(pattern, name))


def _cut(
    tensors: Mapping[str, np.ndarray], prefix: str, source: str | os.PathLike[str]
) -> Mapping[str, np.ndarray]:
    out = {name[len(prefix) :]: x for name, x in tensors.items() if name.startswith(prefix)}
    if not out:
        raise ValueError(f"{source}: no name begins with {prefix!r}, the first is {min(tensors)!r}")
    return out


def _hint(tensors: Mapping[str, np.ndarray]) -> str:
    columns = zip(*(name.split(".")[:-1] for name in tensors), strict=False)
    shared = itertools.takewhile(lambda parts: len(set(parts)) == 1, columns)
    prefix = "".join(f"{parts[0]}." for parts in shared)
    return f". Every name begins with {prefix!r}: try --prefix {prefix}" if prefix else ""


def _catalogue() -> str:
    blocks = []
    for name, entry in FORMATS.items():
        lines = [entry.description, f"From {entry.origin}"]
        wrapped = [
            textwrap.fill(line, 96, initial_indent="  ", subsequent_indent="  ") for line in lines
        ]
        blocks.append("\n".join([name, *wrapped]))
    return "\n\n".join(blocks)


def _table(done: Mapping[str, Any], output: str) -> str:
    metadata = done["metadata"]
    rows = {
        "written": output,
        "model": _words(metadata),
        "tensors": f"{done['read']} read, {done['dropped']} dropped",
        "parameters": f"{done['parameters']:,}",
        "of them": f"{done['optional']:,} in a head, left out where a model has no place for it",
        "statistics": f"{done['statistics']:,}",
        "sha256": done["sha256"],
        "use": FORMATS[metadata["format"]].use.format(output=output, **metadata),
    }
    if not done["optional"]:
        del rows["of them"]
    return "\n".join(f"{name:<12}{value}" for name, value in rows.items())


def _words(metadata: Mapping[str, Any]) -> str:
    left_out = ("model", "optional", "format", "source", "source_sha256", "settings", "mean", "std")
    everything = {**metadata, **metadata.get("settings", {})}
    sizes = {k: v for k, v in everything.items() if k not in left_out}
    return ", ".join([str(metadata["model"]), *(f"{k} {v}" for k, v in sizes.items())])


def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Returns the exit status: 0, or 1 after one line that says what is wrong."""
    parser = argparse.ArgumentParser(
        prog="fiqa convert",
        description="Converts published weights. PyTorch is not needed; nothing in the input is"
        " run.",
    )
    parser.add_argument("--list", action="store_true", help="name the formats and their origin")
    parser.add_argument("--format", choices=sorted(FORMATS), help="what the input is")
    parser.add_argument("--input", help=".pth, .pt, .bin, .safetensors or .npz")
    parser.add_argument("--output", help=".safetensors to write")
    parser.add_argument("--key", default="", help="where a checkpoint keeps the tensors: model")
    parser.add_argument("--prefix", default="", help="use names that begin so, without it: module.")
    args = parser.parse_args(argv)
    absent = [f"--{name}" for name in ("format", "input", "output") if not getattr(args, name)]
    if absent and not args.list:
        parser.error(f"{', '.join(absent)} missing; --list names the formats")

    def work() -> None:
        if args.list:
            print(_catalogue())
            return
        done = convert(args.format, args.input, args.output, args.key, args.prefix)
        print(_table(done, args.output))

    return command.run("convert", work)


if __name__ == "__main__":
    sys.exit(main())
