"""JSON files that this package has written: an object, or an error that names the file."""

import json
from pathlib import Path
from typing import Any

from input_pipeline.sums import DamageError


def read(
    file: Path,
    what_to_do: str = "make it again, or restore it",
    error: type[Exception] = DamageError,
) -> dict[str, Any]:
    """The object that a file holds.

    Args:
      file: JSON.
      what_to_do: where it is damaged, as the end of the message.
      error: that is raised then.

    Raises:
      FileNotFoundError: it is not there.
      DamageError, or `error`: it holds no JSON, or no object.
    """
    why = "no object"
    try:
        found = json.loads(file.read_bytes())
        if isinstance(found, dict):
            return found
    except ValueError as wrong:
        why = str(wrong)
    raise error(f"{file} is damaged ({why}); {what_to_do}")


def read_if_there(
    file: Path,
    what_to_do: str = "make it again, or restore it",
    error: type[Exception] = DamageError,
) -> dict[str, Any]:
    """`read`, and an empty object where there is no such file."""
    return read(file, what_to_do, error) if file.is_file() else {}
