"""Keeps the C library from giving memory back that the next photograph needs."""

import ctypes
import functools
import platform

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_LARGEST = 32 << 20  # bytes; glibc accepts no larger threshold for what it maps on its own
_KEPT = 256 << 20  # bytes of free memory that a thread's heap may hold


@functools.cache
def keep_freed() -> bool:
    """Lets freed memory stay in the process; says whether this C library can.

    Reading a photograph takes and frees some arrays of megabytes. By default glibc returns them to
    the system and faults them in again, page by page: up to 800 faults for a photograph of 3072
    pixels, a tenth of its time.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    done = [libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST), libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)]
    return all(done)
