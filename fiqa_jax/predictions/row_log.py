"""The rows of a run, held as the lines of its log: a run over very many files stays small."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from fiqa_jax.predictions import schema
from fiqa_jax.predictions.schema import Row
from input_pipeline import atomic


class RowLog(Mapping[str, Row]):
    """Rows by id, in the file predictions.jsonl and, as its lines, in memory.

    A line takes a quarter of the memory of its row, which is made anew at every look; to change
    one, `replace` it.

    Args:
      file: the log. Its rows are taken where it is there; a last line torn by a kill is cut off.

    Raises:
      PredictionsError: a line that is no row, or another schema.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines = {row["id"]: schema.json_line(row) for row in schema.resume_jsonl(file)}

    def __getitem__(self, name: str) -> Row:
        row: Row = json.loads(self._lines[name])
        return row

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def append(self, rows: Iterable[Row]) -> None:
        """Adds rows, which are on disk when this returns."""
        new = list(rows)
        schema.append_jsonl(self._file, new)
        self._lines |= {row["id"]: schema.json_line(row) for row in new}

    def replace(self, rows: Iterable[Row]) -> None:
        """Puts rows in the place of those with their ids; the file is written anew."""
        self._lines |= {row["id"]: schema.json_line(row) for row in rows}
        self._write()

    def forget(self, names: Iterable[str]) -> None:
        """Takes rows out; the file is written anew where there are any."""
        gone = set(names)
        if gone:
            self._lines = {name: line for name, line in self._lines.items() if name not in gone}
            self._write()

    def order(self, names: Iterable[str]) -> None:
        """Gives these rows first and in this order from now on; the file stays as it is."""
        self._lines = {name: self._lines[name] for name in names} | self._lines

    def _write(self) -> None:
        atomic.write(self._file, "".join(self._lines.values()).encode())
