"""Shares of a run over many machines: which photographs each judges, and one run of them all.

Share i of n takes every n-th photograph of the list that the inputs give, from the i-th on, and
leaves a judged folder of its own, OUT/shards/i-of-n. Nothing is agreed on between the machines.
"""

import argparse
import dataclasses
import hashlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fiqa_jax.inference.inputs import Found
from fiqa_jax.inference.photos import RunError
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.row_log import RowLog
from fiqa_jax.predictions.schema import Row
from input_pipeline import records
from input_pipeline.tables import folders

FOLDER = "shards"
PER_PROCESS = 4  # shares for each that is judged at a time: the last ones end at about one time
FEWEST = 100  # photographs of a share: for less the start is not worth while
_NAME = re.compile(r"(\d+)-of-(\d+)")


@dataclasses.dataclass(frozen=True)
class Shard:
    """Share `place` (from 1) of `count`.

    Attributes:
      ids: SHA-256 of the ids of all photographs as another process saw them, '' where none did.
    """

    place: int
    count: int
    ids: str = ""

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """From '2/8'; raises argparse's error for anything else."""
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise argparse.ArgumentTypeError(f"{text!r}: expected I/N with I from 1 to N, as 2/8")
        return cls(int(found[1]), int(found[2]))

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.place}-of-{self.count}"

    def of(self, found: Found) -> tuple[Found, dict[str, Any]]:
        """Its share of a run, and what run.json says of it; other files go to the first.

        Raises:
          RunError: there are fewer photographs than shares, or others than the other process saw.
        """
        total = len(found.items)
        if total < self.count:
            raise RunError(f"{total} photographs are fewer than {self.count} shards: ask for less")
        digest = _ids(found)
        if self.ids not in ("", digest):
            raise RunError(
                f"{socket.gethostname()} sees {total} photographs, and not those that the run was "
                "started with: some came or went, or this machine sees another folder under the "
                "same path. Start again with another --output"
            )
        share = dataclasses.replace(
            found,
            items=found.items[self.place - 1 :: self.count],
            others=found.others if self.place == 1 else (),
        )
        told = {"shard": f"{self.place}/{self.count}", "photographs": total, "ids_sha256": digest}
        return share, told


def _ids(found: Found) -> str:
    return hashlib.sha256("\n".join(item.id for item in found.items).encode()).hexdigest()


def divided(found: Found, asked: int, at_once: int, out: Path) -> list[Shard]:
    """The shares of a run whose processes are told which to judge.

    Args:
      found: all inputs.
      asked: how many shares; 0: as many as a begun run in `out` has, else `PER_PROCESS` for each
        that is judged at a time, but not below `FEWEST` photographs each.
      at_once: how many are judged at a time.
      out: folder of the run.

    Raises:
      RunError: the run in `out` has another number of shares.
    """
    total = len(found.items)
    begun = sorted({count for _, count in _places(out)})
    if begun and (len(begun) > 1 or asked not in (0, begun[0])):
        raise RunError(
            f"{out / FOLDER} holds a run in {' and in '.join(map(str, begun))} shares: "
            f"{'leave --shares out' if len(begun) == 1 else 'delete those that do not belong'}, or "
            "give another --output"
        )
    count = asked or (begun[0] if begun else 0)
    if not count:
        count = min(total, max(at_once, min(PER_PROCESS * at_once, total // FEWEST)))
    return [Shard(place, count, _ids(found)) for place in range(1, count + 1)]


def _places(out: Path) -> dict[tuple[int, int], Path]:
    """Folders of shares by place and count."""
    there = {}
    for path in (out / FOLDER).glob("*"):
        if found := _NAME.fullmatch(path.name):
            there[int(found[1]), int(found[2])] = path
    return there


@dataclasses.dataclass(frozen=True)
class Joined:
    """Shares that make one run.

    Attributes:
      folders: of the shares, in their order.
      places: of the rows, each the log of its share and its id: all photographs in the order of
        the inputs, then what the folders hold besides.
      columns: of the tables.
      run: run.json without what is a share's own.
    """

    folders: list[Path]
    places: list[tuple[RowLog, str]]
    columns: list[str]
    run: dict[str, Any]

    def rows(self) -> Iterator[Row]:
        """Typed rows in their order."""
        return (log[name] for log, name in self.places)


def joined(out: Path) -> Joined:
    """Reads OUT/shards and checks that nothing is missing, twice or of another run.

    Raises:
      RunError: says which share lacks what, and the command that goes on with it.
    """
    places = _places(out)
    counts = {count for _, count in places}
    if len(counts) != 1:
        seen = ", ".join(sorted(path.name for path in places.values())) or "nothing"
        raise RunError(f"{out / FOLDER}: expected the shards of one run, found {seen}")
    (count,) = counts
    if lacking := [f"{i}/{count}" for i in range(1, count + 1) if (i, count) not in places]:
        raise RunError(f"{out}: shards {', '.join(lacking)} have not begun: start them")
    folders_ = [places[i, count] for i in range(1, count + 1)]
    runs = [
        records.read(path / folders.RUN, "judge this shard again", RunError) for path in folders_
    ]
    shared = [{k: v for k, v in run.items() if k not in ("shard", "began_in")} for run in runs]
    for path, run in zip(folders_, shared, strict=True):
        if changed := [key for key in {**shared[0], **run} if run.get(key) != shared[0].get(key)]:
            raise RunError(
                f"{path} and {folders_[0]} are no shares of one run: {', '.join(changed)} differ. "
                "Judge the shards again with the same photographs, model and flags"
            )
    total = runs[0]["photographs"]
    parts: list[list[tuple[RowLog, str]]] = []
    others: list[tuple[RowLog, str]] = []
    for i, path in enumerate(folders_):
        log = _rows(path, len(range(i, total, count)), f"{i + 1}/{count}")
        parts.append([])
        for name, row in log.items():
            (others if row["status"] == "skipped" else parts[-1]).append((log, name))
    placed = [parts[k % count][k // count] for k in range(total)] + others
    run = {k: v for k, v in runs[0].items() if k != "shard"}
    columns = list(next(schema.each_row(folders_[0] / folders.TABLE)))
    return Joined(folders_, placed, columns, run)


def _rows(path: Path, expected: int, again: str) -> RowLog:
    """Rows of a share in the order of its table, which is written at its end.

    Raises:
      RunError: it has not come to its end.
    """
    typed = RowLog(path / folders.JUDGED)
    photographs = sum(row["status"] != "skipped" for row in typed.values())
    table = path / folders.TABLE
    order = [row["id"] for row in schema.each_row(table)] if table.is_file() else []
    if photographs != expected or {*order} != {*typed}:
        raise RunError(
            f"{path}: {photographs} of {expected} photographs are judged, and its end was not "
            f"reached; start --shard {again} again, it goes on where it stopped"
        )
    typed.order(order)
    return typed
