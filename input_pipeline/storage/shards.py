"""Arrays of many examples on disk, read a row at a time through the page cache.

A folder holds `<name>-<number>.npy` files of some hundred rows each, written as the rows come, and
`rows.json` when all are there. Filling a folder that was left half full goes on behind its last
whole shard. Reading maps the files into memory: a row costs what it weighs, however many there are.
"""

import dataclasses
import functools
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline import atomic, sums
from input_pipeline.storage import npy_header
from input_pipeline.tables.examples import Arrays

LIST = "rows.json"
_PARTIAL = "rows.part.json"
_SHARD = "*-[0-9][0-9][0-9][0-9][0-9].npy"
SHARD_BYTES = 64 * 2**20


class ShardError(ValueError):
    """A folder of arrays that cannot be used; says what was seen and what to do."""


@dataclasses.dataclass(frozen=True)
class Shards:
    """A finished folder.

    Attributes:
      directory: where the files are.
      id: `[N] str`, one a row.
      names: of the arrays of each row.
      rows: rows of every shard, all but the last equal.
      digest: hex SHA-256 of ids and arrays.
      sums: hex SHA-256 of each shard's file, by the array's name.
    """

    directory: Path
    id: np.ndarray
    names: tuple[str, ...]
    rows: int
    digest: str
    sums: tuple[Mapping[str, str], ...]

    def row(self, number: int, names: Sequence[str] = ()) -> Arrays:
        """The arrays of one row, copied out; of all names, or of some.

        Raises:
          ShardError: no such array, or a damaged one: a shard is checked at its first read.
        """
        shard, place = divmod(int(number), self.rows)
        return {n: np.array(self._mapped(n, shard)[place]) for n in names or self.names}

    def cell(self, number: int, name: str, y: int, x: int) -> np.ndarray:
        """One cell `[1, 1, ...]` of an array `[h, w, ...]` of a row, copied out."""
        shard, place = divmod(int(number), self.rows)
        return np.array(self._mapped(name, shard)[place, y : y + 1, x : x + 1])

    def all(self, name: str) -> np.ndarray:
        """One array of every row `[N, ...]`, in memory. Raises: ShardError: see `row`."""
        count = -(-len(self.id) // self.rows)
        return np.concatenate([self._mapped(name, k) for k in range(count)])

    def _mapped(self, name: str, shard: int) -> np.ndarray:
        if name not in self.names:
            raise ShardError(f"{self.directory} holds {self.names}, not {name!r}")
        return _mapped(str(self.directory / _file(name, shard)), self.sums[shard][name])


def _file(name: str, shard: int) -> str:
    return f"{name}-{shard:05d}.npy"


@functools.lru_cache(maxsize=256)
def _mapped(path: str, digest: str) -> np.ndarray:
    try:
        sums.check(path, digest, _AGAIN)
    except sums.DamageError as error:
        raise ShardError(str(error)) from None
    return npy_header.read(lambda: np.load(path, mmap_mode="r", allow_pickle=False))


def opened(directory: str | os.PathLike[str]) -> Shards:
    """A finished folder.

    Raises:
      ShardError: it holds no `rows.json`, or a damaged one.
    """
    path = Path(directory) / LIST
    if not path.is_file():
        raise ShardError(f"{directory}: no finished arrays are there ({LIST} is missing)")
    try:
        sums.check_folder(Path(directory), [LIST], _AGAIN)
        record = json.loads(path.read_bytes())
        if "folder" in record:
            return opened(Path(directory) / record["folder"])
        ids, made = np.array(record["id"], np.str_), tuple(record["shards"])
        if record["digest"] != _digest(record["id"], record["shards"]):
            raise ValueError("its digest is not that of what it lists")
        return Shards(
            Path(directory), ids, tuple(record["names"]), record["rows"], record["digest"], made
        )
    except ShardError:
        raise
    except sums.DamageError as error:
        raise ShardError(str(error)) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ShardError(f"{path} is damaged ({error!r}); {_AGAIN}") from None


_AGAIN = "run the stage again that stored it (--redo=STAGE), or delete the folder"


def point(directory: Path, folder: Path) -> None:
    """Makes `opened(directory)` open another folder, by its relative path."""
    sums.forget(directory)
    there = {"folder": os.path.relpath(folder, directory), "digest": opened(folder).digest}
    atomic.write(directory / LIST, (json.dumps(there) + "\n").encode())


def rows_of(row_bytes: int) -> int:
    """Rows of a shard for rows of that size."""
    return int(np.clip(SHARD_BYTES // max(row_bytes, 1), 1, 4096))


def begun(directory: Path, ids: Sequence[str], rows: int) -> int:
    """Rows that `fill` finds done already: where its stream will begin."""
    return min(len(_finished(directory, ids, rows)) * rows, len(ids))


def fill(
    directory: Path,
    ids: Sequence[str],
    rows: int,
    stream: Callable[[int], Iterable[Mapping[str, np.ndarray]]],
) -> Shards:
    """Writes arrays shard by shard, going on where an earlier call stopped.

    Args:
      directory: made if absent. What it holds of another set of ids, or in shards of another size,
        is written anew.
      ids: of all N rows, in order.
      rows: of a shard.
      stream: first row -> parts from there to the end, `{name: [n, ...]}` each, of any length.

    Returns:
      The finished folder.

    Raises:
      ShardError: the stream gives another number of rows than there are ids.
    """
    directory.mkdir(parents=True, exist_ok=True)
    made = _finished(directory, ids, rows)
    sums.forget(directory)
    if not made:
        for old in (*directory.glob(_SHARD), *directory.glob("rows*.json")):
            old.unlink()
    held: list[dict[str, np.ndarray]] = []

    def write(part: Mapping[str, np.ndarray]) -> None:
        digests = {}
        for name, values in part.items():
            data = io.BytesIO()
            np.save(data, np.ascontiguousarray(values), allow_pickle=False)
            digests[name] = hashlib.sha256(data.getvalue()).hexdigest()
            atomic.write(directory / _file(name, len(made)), data.getvalue())
        made.append(digests)
        _note(directory / _PARTIAL, ids, rows, made)

    first = len(made) * rows
    waiting, came = 0, first
    for part in stream(first) if first < len(ids) else ():
        held.append({k: np.asarray(v) for k, v in part.items()})
        waiting += len(held[-1][next(iter(part))])
        came += len(held[-1][next(iter(part))])
        while waiting >= rows:
            whole = {k: np.concatenate([h[k] for h in held]) for k in held[0]}
            write({k: v[:rows] for k, v in whole.items()})
            held, waiting = [{k: v[rows:] for k, v in whole.items()}], waiting - rows
    if waiting:
        write({k: np.concatenate([h[k] for h in held]) for k in held[0]})
    if came != len(ids) and first < len(ids):
        raise ShardError(f"{directory}: {came} rows came for {len(ids)} ids")
    _note(directory / LIST, ids, rows, made)
    (directory / _PARTIAL).unlink(missing_ok=True)
    _mapped.cache_clear()
    known = {_file(name, k): sha for k, part in enumerate(made) for name, sha in part.items()}
    sums.write(directory, [LIST, *known], known)
    return opened(directory)


def _finished(directory: Path, ids: Sequence[str], rows: int) -> list[dict[str, str]]:
    """Digests of the whole shards that an earlier call left for the same rows, undamaged."""
    for name in (LIST, _PARTIAL):
        try:
            record = json.loads((directory / name).read_bytes())
            if record.get("id") == list(ids) and record.get("rows") == rows:
                return _sound(directory, record["shards"])
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            continue  # what is not there or damaged is made again
    return []


def _sound(directory: Path, made: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The first of them, up to one whose files are not as they were written."""
    for number, digests in enumerate(made):
        try:
            for name, digest in digests.items():
                sums.check(directory / _file(name, number), digest)
        except sums.DamageError:
            return list(made[:number])
    return list(made)


def _digest(ids: Sequence[str], made: list[dict[str, str]]) -> str:
    return hashlib.sha256(json.dumps([list(ids), made], sort_keys=True).encode()).hexdigest()


def _note(file: Path, ids: Sequence[str], rows: int, made: list[dict[str, str]]) -> None:
    content: dict[str, Any] = {
        "names": sorted(made[0]) if made else [],
        "rows": rows,
        "digest": _digest(ids, made),
        "shards": made,
        "id": list(ids),
    }
    atomic.write(file, (json.dumps(content) + "\n").encode())


@dataclasses.dataclass(frozen=True)
class ShardReader:
    """Rows of several folders put together, as the reader of a source.

    An item is `[K] int`: the row of each of the K folders.

    Attributes:
      parts: (name in the batch, place of the folder, name in the folder).
      folders: the K folders.
    """

    parts: tuple[tuple[str, int, str], ...]
    folders: tuple[Shards, ...]

    def read(self, item: Any) -> Arrays:
        """See `table.Reader`."""
        return {
            name: self.folders[place].row(item[place], (stored,))[stored]
            for name, place, stored in self.parts
        }

    def settings(self) -> str:
        """What is put together, and the folders' digests."""
        return f"{self.parts} {[f.digest for f in self.folders]}"

    def key(self, item: Any) -> str:
        """See `table.Reader`."""
        return hashlib.sha256(f"{self.settings()} {self.fingerprint(item)}".encode()).hexdigest()

    def stamp(self, item: Any) -> str:
        """See `table.Reader`."""
        return self.key(item)

    def fingerprint(self, item: Any) -> str:
        """See `table.Reader`."""
        return " ".join(str(int(row)) for row in item)


def joined(
    id: np.ndarray, parts: Sequence[tuple[str, Shards, str]]
) -> tuple[ShardReader, np.ndarray]:
    """A reader over several folders, and the items of some rows.

    Args:
      id: `[N]` ids wanted.
      parts: (name in the batch, folder, name in the folder).

    Returns:
      The reader, and items `[N, K] int64`, -1 where a folder lacks the id.
    """
    folders: list[Shards] = []
    for _, folder, _ in parts:
        if folder.directory not in [f.directory for f in folders]:
            folders.append(folder)
    place = {folder.directory: k for k, folder in enumerate(folders)}
    items = np.full((len(id), len(folders)), -1, np.int64)
    for k, folder in enumerate(folders):
        row = {name: i for i, name in enumerate(folder.id.tolist())}
        items[:, k] = [row.get(name, -1) for name in id.tolist()]
    reads = tuple((name, place[folder.directory], stored) for name, folder, stored in parts)
    return ShardReader(reads, tuple(folders)), items
