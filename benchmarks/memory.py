"""How much memory this process took at most, as Linux counts it.

`getrusage` will not do in a process that another one began: it starts at that one's own peak.
"""

import contextlib
import ctypes
from pathlib import Path


def forget_peak() -> None:
    """The highest memory so far is forgotten, what is free is given back; Linux alone."""
    with contextlib.suppress(AttributeError):  # another C library than glibc gives back by itself
        ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Bytes that the process held at most, since its start or `forget_peak`; Linux alone."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10
