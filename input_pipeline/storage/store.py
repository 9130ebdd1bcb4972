"""A folder of prepared examples, named by what they were made from, and filling it.

A name is a digest of the photograph's contents and the reader's settings, so that filling goes on
where it stopped, several recipes may share a folder, and two runs over the same photographs leave
the same bytes.
"""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline import atomic, chunks, lock, sums
from input_pipeline.photo.reader import PhotoError
from input_pipeline.storage import codec
from input_pipeline.storage.codec import Arrays
from input_pipeline.tables.examples import Reader, Source

INDEX = "index.txt"  # lines of 'stamp name': what need not be opened again to know its name
FAILED = "failed.csv"


def find(directory: Path, key: str) -> str:
    """Relative name of the example `key`, or '' where it is not there."""
    for suffix in codec.SUFFIXES:
        name = f"{key[:2]}/{key}{suffix}"
        if (directory / name).is_file():
            return name
    return ""


def put(directory: Path, key: str, example: Arrays) -> str:
    """Stores an example and returns its relative name."""
    suffix, data = codec.encode(example)
    name = f"{key[:2]}/{key}{suffix}"
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, data, sync=False)  # what a power failure degrades is made up for
    return name


def get(directory: Path, name: str, only: Collection[str] = (), digest: str = "") -> Arrays:
    """Reads an example back, bit for bit.

    Args:
      directory: of the store.
      name: as `find` and `put` give it.
      only: names of the arrays that are wanted; () for all.
      digest: hex SHA-256 of the file; '' where it is not known.

    Raises:
      FileNotFoundError: it is not there.
      ValueError: the file is damaged.
    """
    path = directory / name
    data = path.read_bytes()
    try:
        if digest and hashlib.sha256(data).hexdigest() != digest:
            raise ValueError("its SHA-256 is not that of what was written")
        return codec.decode(path.suffix, data, only)
    except Exception as error:
        raise ValueError(f"{path}: damaged ({error}); delete it and run again") from error


@dataclasses.dataclass(frozen=True)
class Stored:
    """Gives the items of a source from a store.

    Attributes:
      directory: of the store.
      names: item -> relative name of its example.
      reader: opens items that are not in the store.
      only: names of the arrays that are wanted; () for all.
      digests: relative name -> hex SHA-256 of the file.
    """

    directory: Path
    names: Mapping[Any, str]

    reader: Reader
    only: tuple[str, ...] = ()
    digests: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __call__(self, item: Any) -> Arrays:
        """The arrays of an item. Raises: PhotoError, FileNotFoundError, ValueError."""
        name = self.names.get(item)
        if not name:
            return self.reader.read(item)
        return get(self.directory, name, self.only, self.digests.get(name, ""))


def prepare(
    source: Source,
    rows: np.ndarray,
    directory: str | os.PathLike,
    workers: int,
    on_bad: str = "error",
) -> tuple[Source, dict[int, str]]:
    """Reads every example once into a folder, where it is not there yet.

    May be killed at any time and started again; of several, one waits for the other.

    Args:
      source: where the photographs are.
      rows: [n] int, which of them.
      directory: the folder, made where it is not there.
      workers: processes.
      on_bad: 'error': the first file that cannot be read ends it; 'skip': they are listed in
        failed.csv in the folder.

    Returns:
      The source reading from the folder (rows that are not in it are read as before), and row ->
      reason of those that cannot be read.

    Raises:
      PhotoError: a file cannot be read, with on_bad='error'.
      OSError: the folder cannot be written.
    """
    with lock.held(Path(directory), wait=True):
        return _prepared(source, rows, Path(directory), workers, on_bad)


def _prepared(
    source: Source, rows: np.ndarray, directory: Path, workers: int, on_bad: str
) -> tuple[Source, dict[int, str]]:
    atomic.clean(directory)
    index = _read_index(directory)
    rows = np.asarray(rows, np.int64)
    items = [source.items[row] for row in rows]
    names: dict[Any, str] = {}
    todo: dict[Any, int] = {}
    for row, item in zip(rows.tolist(), items, strict=True):
        name = index.get(_stamp(source.reader, item), "")
        if name and (directory / name).is_file():
            names[item] = name
        else:
            todo[item] = row
    failures: dict[int, str] = {}
    work = functools.partial(_prepare, source.reader, directory)
    waiting = list(todo)
    for place, (stamp, name, reason) in chunks.run_chunks(
        work, waiting, workers, f"preparing {source.name}"
    ):
        item = waiting[place]
        if name:
            names[item] = index[stamp] = name
            continue
        if on_bad == "error":
            source.reader.read(item)  # raises what the other process could only describe
            raise PhotoError(reason)
        failures[todo[item]] = reason
    digests = _digests(directory)
    if waiting:
        if hasattr(os, "sync"):
            os.sync()  # what the index names is on the disk: once for all, not for each file
        lines = sorted(f"{stamp} {name}\n" for stamp, name in index.items())
        atomic.write(directory / INDEX, "".join(lines).encode())
        there = [name for name in index.values() if (directory / name).is_file()]
        new = {names[item] for item in waiting if item in names}
        sums.write(directory, there, {n: d for n, d in digests.items() if n not in new})
        digests = _digests(directory)
        atomic.clean(directory)
    _list_failures(source, failures, directory / FAILED)
    stored = Stored(directory, names, source.reader, digests=digests)
    return dataclasses.replace(source, fetch=stored), failures


def _digests(directory: Path) -> dict[str, str]:
    try:
        return sums.read(directory)
    except sums.DamageError:  # the examples have checks of their own
        return {}


def _prepare(
    reader: Reader, directory: Path, items: Sequence[Any]
) -> list[tuple[str, str, str]]:  # stamp, name, reason; one of the last two is ''
    out = []
    for item in items:
        try:
            stamp = reader.stamp(item)
            key = reader.key(item)
            name = _sound(directory, key) or put(directory, key, reader.read(item))
            out.append((stamp, name, ""))
        except PhotoError as error:
            out.append(("", "", str(error)))
    return out


def _sound(directory: Path, key: str) -> str:
    """Name of the example `key` where it is there and can be read, else ''."""
    name = find(directory, key)
    try:
        return name if name and get(directory, name) else ""
    except ValueError:
        return ""


def _stamp(reader: Reader, item: Any) -> str:
    try:
        return reader.stamp(item)
    except PhotoError:
        return ""


def _read_index(directory: Path) -> dict[str, str]:
    """Stamp -> name. A damaged line costs no more than opening its photograph again."""
    try:
        text = (directory / INDEX).read_text()
    except FileNotFoundError:
        return {}
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _list_failures(source: Source, failures: dict[int, str], path: Path) -> None:
    if failures:
        table = source.table
        rows = [(table.id[r], table.path[r], failures[r]) for r in sorted(failures)]
        atomic.write_csv(path, ("id", "path", "reason"), rows)
    else:
        path.unlink(missing_ok=True)
