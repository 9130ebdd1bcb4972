"""Files that are either whole or not there, whenever the process dies."""

import csv
import io
import os
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

_PART = ".part"


def write(path: str | os.PathLike, data: bytes, *, sync: bool = True) -> None:
    """Writes `data` beside `path` and renames it into place.

    Args:
      path: of the file.
      data: its contents.
      sync: the contents reach the disk before the name does. Without it the file may be empty after
        a power failure, but not after the end of the process.
    """
    target = Path(path)
    # The name says who is writing, so that `clean` can tell a dead writer's file from a live one's.
    part = target.with_name(f"{target.name}.{socket.gethostname()}.{os.getpid()}{_PART}")
    try:
        with open(part, "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_csv(path: str | os.PathLike, header: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Writes a UTF-8 CSV by `write`."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write(path, text.getvalue().encode())


def clean(directory: str | os.PathLike) -> None:
    """Removes what writers on this machine that died left below `directory`."""
    for part in Path(directory).rglob(f"*{_PART}"):
        _, host, pid, _ = f"x.{part.name}".rsplit(".", 3)
        if host == socket.gethostname() and pid.isdecimal() and not _alive(int(pid)):
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
