"""Reading numpy's files in several threads.

Their headers are parsed as Python literals, and CPython's parser counts its depth for all threads
together: now and then one of them is told of a 'recursion depth mismatch' though nothing is wrong
with the file (python/cpython#106905 has reports; seen with 3.11).
"""

from collections.abc import Callable
from typing import TypeVar

TRIES = 5
T = TypeVar("T")


def read(once: Callable[[], T]) -> T:
    """What `once` returns; it is called again where the interpreter, not the file, was at fault.

    Args:
      once: reads from the start each time it is called.

    Raises:
      SystemError: `TRIES` times in a row.
    """
    for _ in range(TRIES - 1):
        try:
            return once()
        except SystemError:
            continue
    return once()
