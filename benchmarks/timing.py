"""How the benchmarks time: what is compared takes turns, so that a busy machine slows all alike.

Importing it sets XLA's flags as the commands do (`training.xla_flags`); a value of
your own for that flag in XLA_FLAGS stays.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from fiqa_jax.training import xla_flags

xla_flags.prefer_own_convolutions()


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds that `work()` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(
    ways: Mapping[str, Callable[[], object]], rounds: int, unmeasured: int = 0
) -> dict[str, list[float]]:
    """Seconds of each way in each round; each round begins with another way.

    Args:
      ways: what is compared, by name.
      rounds: measured ones.
      unmeasured: rounds before them, for compilation and caches.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for turn in range(unmeasured + rounds):
        at = turn % len(names)
        for name in names[at:] + names[:at]:
            taken = seconds(ways[name])
            if turn >= unmeasured:
                times[name].append(taken)
    return times


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and quartiles, `1.02 (0.98-1.07)`; of one value that value."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    low, mid, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{mid:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def print_beside(
    times: Mapping[str, Sequence[float]], versions: Mapping[str, str], what: str, where: str
) -> None:
    """Prints seconds of `jax` and `torch`, their ratio, and both as a row of a Markdown table.

    Args:
      times: by name, from `interleaved`.
      versions: of the two libraries.
      what, where: was measured; the row's first two cells.
    """
    ours, theirs = (statistics.median(times[name]) for name in ("jax", "torch"))
    for name, version in versions.items():
        print(f"{name} {version}: {spread(times[name], 3)} s, median and quartiles")
    ratios = [a / b for a, b in zip(times["jax"], times["torch"], strict=True)]
    print(f"ratio ours / PyTorch: {ours / theirs:.2f} of medians, {spread(ratios)} by round")
    print("\n| what | machine | ours, s | PyTorch, s | ratio |\n|---|---|---|---|---|")
    print(f"| {what} | {where} | {ours:.3f} | {theirs:.3f} | {ours / theirs:.2f} |")
