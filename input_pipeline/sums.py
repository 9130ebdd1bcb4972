"""SHA256SUMS: one list of digests in a folder, written last, that `sha256sum -c` reads as well.

It guards against damage (a flipped bit, a file cut short, half a copy), not against somebody who
means harm: whoever can change a file can change the list beside it.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from input_pipeline import atomic

FILE = "SHA256SUMS"
_LINE = re.compile(r"(\\?)([0-9a-f]{64}) [ *](.+)")
_PLAIN = {"n": "\n", "r": "\r"}
_checked: dict[str, tuple[int, int, str]] = {}  # file -> size, time, digest: what was read once


class DamageError(ValueError):
    """A file that is not what was written; names it and says what to do."""


def digest(path: str | os.PathLike[str]) -> str:
    """Hex SHA-256 of a file. Raises: OSError: it cannot be read."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(folder: Path, files: Iterable[str], known: Mapping[str, str] | None = None) -> None:
    """Writes the list of a folder, whole or not at all; call it when all its files are there.

    Args:
      folder: where SHA256SUMS goes.
      files: names relative to the folder, with `/`.
      known: digests that need not be computed, by name.

    Raises:
      OSError: a file that is not there, or a disk that is full.
    """
    have = known or {}
    lines = [_line(have.get(name) or digest(folder / name), name) for name in sorted(set(files))]
    atomic.write(folder / FILE, "".join(lines).encode("utf-8", "surrogateescape"))


def forget(folder: Path) -> None:
    """Removes the list before files are changed, so that a kill leaves none rather than a wrong."""
    (folder / FILE).unlink(missing_ok=True)


def read(folder: Path) -> dict[str, str]:
    """Name -> digest, {} where the folder has no list.

    Raises:
      DamageError: a line that is none.
    """
    path = folder / FILE
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return {}
    out = {}
    for number, line in enumerate(text.split("\n")[:-1], 1):
        match = _LINE.fullmatch(line)
        if not match:
            raise DamageError(
                f"{path}, line {number}: no digest and name; the list is damaged. Copy the folder "
                f"again, or, if its files are sound, delete {FILE}"
            )
        name = match[3]
        if match[1]:
            name = re.sub(r"\\(.)", lambda m: _PLAIN.get(m[1], m[1]), name)
        out[name] = match[2]
    if not text.endswith("\n"):
        raise DamageError(f"{path}: cut short; copy the folder again, or delete {FILE}")
    return out


def check(path: str | os.PathLike[str], expected: str, what: str = "") -> None:
    """Compares a file with its digest; once in a process while its size and time stay the same.

    Args:
      path: of the file.
      expected: hex SHA-256.
      what: what to do about damage.

    Raises:
      DamageError: it is not there, or has other contents.
    """
    name = os.fspath(path)
    try:
        state = os.stat(name)
        before = _checked.get(name)
        if before is None or before[:2] != (state.st_size, state.st_mtime_ns):
            before = (state.st_size, state.st_mtime_ns, digest(name))
    except FileNotFoundError:
        raise DamageError(f"{name} is not there; {what or _ADVICE}") from None
    _checked[name] = before
    if before[2] != expected:
        raise DamageError(
            f"{name} is damaged: its SHA-256 is {before[2][:12]}..., {expected[:12]}... was "
            f"written; {what or _ADVICE}"
        )


_ADVICE = "copy the folder again from where it was made"


def check_folder(folder: Path, names: Iterable[str] = (), what: str = "") -> None:
    """Checks files of a folder against its list; those that are not listed pass.

    Args:
      folder: with or without a list.
      names: relative; all that are listed by default.
      what: what to do about damage.

    Raises:
      DamageError: the first that is damaged or absent.
    """
    listed = read(folder)
    for name in names or listed:
        if name in listed:
            check(folder / name, listed[name], what)


def problems(folder: Path) -> Iterator[str]:
    """What is wrong below a folder, from every list in it: a sentence for each damaged file."""
    for path in sorted(folder.rglob(FILE)):
        try:
            listed = read(path.parent)
        except DamageError as error:
            yield str(error)
            continue
        for name, expected in listed.items():
            try:
                check(path.parent / name, expected, "restore it or make it again")
            except (DamageError, OSError) as error:
                yield str(error)


def _line(value: str, name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if escaped != name else ""
    return f"{mark}{value}  {escaped}\n"
