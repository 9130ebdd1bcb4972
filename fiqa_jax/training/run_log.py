"""metrics.jsonl, the record of a run that everything else reads."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from fiqa_jax.training.tensorboard import Writer
from input_pipeline import atomic


class Record:
    """metrics.jsonl: one line per log, `{"step", "split", name: value}`; nothing timed is in it.

    Only the first process writes. On resume, lines of later steps than the restored one are
    dropped, so the file ends equal to that of an undisturbed run.
    """

    def __init__(self, path: Path, start: int, writer: Writer | None) -> None:
        self._writer = writer
        self._file = None
        if jax.process_index() != 0:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [line for line in read_lines(path) if line["step"] <= start] if start else []
        atomic.write(path, "".join(json.dumps(line) + "\n" for line in kept).encode())
        self._file = path.open("a")

    def write(self, step: int, values: Mapping[str, float], split: str) -> None:
        """Appends one line and hands the scalars to TensorBoard's writer."""
        if self._file is None:
            return
        clean = {k: float(v) if math.isfinite(v) else None for k, v in values.items()}
        self._file.write(json.dumps({"step": step, "split": split, **clean}) + "\n")
        self._file.flush()
        if self._writer:
            self._writer(step, {k: v for k, v in clean.items() if v is not None}, split)

    def close(self) -> None:
        """Flushes to disk."""
        if self._file:
            os.fsync(self._file.fileno())
            self._file.close()
        if self._writer:
            self._writer.close()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl; a last line cut short by a kill is left out.

    Raises:
      ValueError: another line that is none.
    """
    out: list[dict[str, Any]] = []
    lines = path.read_bytes().split(b"\n") if path.is_file() else []
    for number, text in enumerate(lines[:-1], 1):  # behind the last newline: nothing, or a part
        try:
            out.append(json.loads(text))
            float(out[-1]["step"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path}, line {number} is damaged ({error!r}); run the stage again, --redo="
                f"{path.parent.name}, or restore the file"
            ) from None
    return out
