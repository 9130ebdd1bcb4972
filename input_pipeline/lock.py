"""One run to a folder: a kernel lock, which ends with the process that holds it, however it ends.

Readers never take it. On file systems without such locks (some network mounts) the run goes on
without, and says so.
"""

import contextlib
import errno
import json
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import filelock

from input_pipeline import atomic

log = logging.getLogger(__name__)

FILE, OWNER = ".lock", ".lock.owner"
_ABSENT = (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK)


class InUseError(ValueError):
    """A folder in which another run writes; names its process."""


@contextlib.contextmanager
def held(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Holds a folder for writing.

    Args:
      folder: made if absent.
      wait: until another run is through, saying so once; else that is an error.

    Raises:
      InUseError: another process, or another part of this one, writes there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / FILE, timeout=0, thread_local=False)
    try:
        _acquire(lock, folder, wait)
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _ABSENT:
            raise
        log.warning("%s: no locks on this file system; run one program at a time here", folder)
        yield
        return
    try:
        owner = {"host": socket.gethostname(), "pid": os.getpid()}
        atomic.write(folder / OWNER, json.dumps(owner).encode(), sync=False)
        yield
    finally:
        (folder / OWNER).unlink(missing_ok=True)
        lock.release()


def _acquire(lock: filelock.BaseFileLock, folder: Path, wait: bool) -> None:
    try:
        lock.acquire()
    except filelock.Timeout:
        owner = _owner(folder)
        if not wait:
            raise InUseError(
                f"{folder}: another run writes there ({owner}); wait for it, stop it, or give "
                "another folder"
            ) from None
        log.warning("%s: waiting for another run that writes there (%s)", folder, owner)
        lock.acquire(timeout=-1, poll_interval=0.2)


def _owner(folder: Path) -> str:
    try:
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        return f"process {int(owner['pid'])} on {owner['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "its process is not known"
