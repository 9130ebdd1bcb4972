"""The progress bar of everything that takes a while."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def bar(
    total: int,
    unit: str,
    what: str = "",
    items: Iterable[Any] | None = None,
    done: int = 0,
    hide: bool = False,
) -> tqdm:
    """A bar with rate and time left; a line every half minute where no one watches.

    Args:
      total: units in all; with none left to do nothing is shown.
      unit: one of what is counted.
      what: text before the bar.
      items: to be iterated over, where the bar counts by itself.
      done: units that an earlier run has done.
      hide: show nothing.

    Returns:
      A tqdm bar; `update(n)`, `close()`, or a context manager.
    """
    return tqdm(
        items,
        desc=what or None,
        total=total,
        initial=done,
        unit=unit,
        mininterval=0.5 if sys.stderr.isatty() else 30.0,
        dynamic_ncols=True,
        disable=hide or done >= total,
    )
