"""A finished stage's files: which of them last, whether they are as they were written."""

import json
import os
from pathlib import Path
from typing import Any

from input_pipeline import atomic, records, sums

_PASSING = ("checkpoints", "tensorboard")  # folders of a stage that are no results


def check(directory: Path, stage: str) -> None:
    """Compares a finished stage's files with what was written; stored arrays when they are read.

    Raises:
      DamageError: names the file.
    """
    what = f"give --redo={stage} to run the stage again, or restore the file"
    listed = [name for name in sums.read(directory) if not name.endswith(".npy")]
    if listed:
        sums.check_folder(directory, listed, what)
    sums.check_folder(directory / "model", (), what)


def lasting(directory: Path) -> list[str]:
    """Relative names of a finished stage's files, but for those of folders that have a list."""
    files = []
    for root, below, names in os.walk(directory):
        here = Path(root)
        if here == directory:
            below[:] = [name for name in below if not name.startswith(_PASSING)]
        elif sums.FILE in names:
            below.clear()
            continue
        mine = [n for n in names if n != sums.FILE and not n.startswith(".")]
        files += [(here / name).relative_to(directory).as_posix() for name in mine]
    return files


def read(path: Path) -> dict[str, Any] | None:
    """An object from a JSON file, or None where it is absent.

    Raises:
      DamageError: it is damaged.
    """
    try:
        what_to_do = f"give --redo={path.parent.name} to run the stage again, or restore the file"
        return records.read(path, what_to_do)
    except FileNotFoundError:
        return None


def write(path: Path, value: Any) -> None:
    """Writes JSON in whole or not at all."""
    atomic.write(path, (json.dumps(value, indent=1, default=list) + "\n").encode())
