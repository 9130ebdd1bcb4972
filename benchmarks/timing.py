"""How the benchmarks time: what is compared takes turns, so that a busy machine slows all alike.

Importing it sets XLA's flags as the commands do (`training.xla_flags`); a value of
your own for that flag in XLA_FLAGS stays.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fiqa_jax.training import xla_flags

COMPILED = "torch.compile"
NAMES = {"jax": "ours", "torch": "PyTorch", COMPILED: COMPILED, "onnxruntime": "onnxruntime"}
PARTS = ("jax", "torch")  # whose memory is asked for
HEADER = ["what", "ours, s", "PyTorch, s", "torch.compile, s", "onnxruntime, s"]
HEADER += ["ours / PyTorch's faster (quartiles)", "ours, MiB", "PyTorch, MiB", "ratio"]

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


def product_rate() -> float:
    """Operations a second of a large float32 product, by PyTorch with the threads it is set to."""
    import torch

    a = torch.ones(2048, 2048)
    taken = interleaved({"product": lambda: a @ a}, 5, unmeasured=1)
    return 2 * 2048**3 / min(taken["product"])


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and quartiles, `1.02 (0.98-1.07)`; of one value that value."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    low, mid, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{mid:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def cells(found: Mapping[str, Any]) -> list[str]:
    """What was measured as cells under HEADER; the ratio is to the faster of PyTorch's ways."""
    times = found["seconds"]
    middle = {name: statistics.median(values) for name, values in times.items()}
    out = [found["what"], *(f"{middle[n]:.3f}" if n in middle else "-" for n in NAMES)]
    out.append(spread(ratios(times)))
    if "mebibytes" not in found:
        return [*out, "-", "-", "-"]
    ours, theirs = (found["mebibytes"][part] for part in PARTS)
    return [*out, f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}"]


def ratios(times: Mapping[str, Sequence[float]]) -> list[float]:
    """Ours by the faster of PyTorch's ways, round by round."""
    theirs = [times[name] for name in ("torch", COMPILED) if name in times]
    best = min(theirs, key=statistics.median)
    return [a / b for a, b in zip(times["jax"], best, strict=True)]
