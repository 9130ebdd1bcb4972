"""Files that are either whole or not there, whenever the process dies."""

import contextlib
import errno
import hashlib
import itertools
import os
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from input_pipeline import plain_text

_PART = ".part"
LONGEST = 255  # bytes of a file's name
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no room: the disk, the quota, the limit


def write(path: str | os.PathLike, data: bytes, *, sync: bool = True) -> None:
    """Writes `data` beside `path` and renames it into place.

    Args:
      path: of the file.
      data: its contents.
      sync: the contents reach the disk before the name does. Without it the file may be empty after
        a power failure, but not after the end of the process.
    """
    target = Path(path)
    part = target.with_name(_part_name(target.name))
    try:
        with open(part, "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in FULL:
            raise full(error, target, len(data)) from None
        raise


def full(error: OSError, target: str | os.PathLike[str], needed: int) -> OSError:
    """The error of a disk without room, with the file and what it needs.

    Args:
      error: as the system gave it; target: the file; needed: bytes to be written.
    """
    text = f"{os.strerror(error.errno or 0)}: {needed:,} bytes are needed there; make room, then"
    return OSError(error.errno, f"{text} start again to go on", os.fspath(target))


def _part_name(name: str) -> str:
    # It says who is writing, so that `clean` can tell a dead writer's file from a live one's. A
    # long name is cut, and its digest keeps it apart: file systems take 255 bytes.
    tail = f".{socket.gethostname()[:64]}.{os.getpid()}{_PART}"
    whole = os.fsencode(name)
    if len(whole) + len(tail) > LONGEST:
        mark = hashlib.sha256(whole).hexdigest()[:12]
        name = whole[: LONGEST - len(tail) - 13].decode("utf-8", "ignore") + f".{mark}"
    return name + tail


def write_csv(path: str | os.PathLike, header: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Writes a UTF-8 CSV by `write`; text cells as `plain_text.cell` has them."""
    lines = (plain_text.csv_line(row) for row in itertools.chain([header], rows))
    write(path, b"".join(line.encode("utf-8", "backslashreplace") for line in lines))


def clean(directory: str | os.PathLike) -> None:
    """Removes what writers on this machine that died left below `directory`."""
    for part in Path(directory).rglob(f"*{_PART}"):
        _, host, pid, _ = f"x.{part.name}".rsplit(".", 3)
        if host == socket.gethostname()[:64] and pid.isdecimal() and not _alive(int(pid)):
            part.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    if os.name == "nt":  # os.kill would end the process there
        return pid == os.getpid()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
