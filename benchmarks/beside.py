"""One step of ours beside PyTorch's, in one process and in turns: what the scripts of steps share.

A script says what it compares (`Case`); this module reads the command line, times both, and prints
medians, quartiles, the ratio and a row of a Markdown table, or writes them for `benchmarks.run`.
"""

import argparse
import dataclasses
import json
import os
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import timing
import torch
from torch.utils.flop_counter import FlopCounterMode

from fiqa_jax.training import devices as parallel
from fiqa_jax.training import method as base
from fiqa_jax.training import state

UNMEASURED = 2  # rounds before the measured ones, for compilation and caches


@dataclasses.dataclass(frozen=True)
class Case:
    """What is compared: the ways `jax` and `torch`, each one step whose result is fetched."""

    what: str
    ways: dict[str, Callable[[], object]]
    layout: str = ""  # PyTorch's memory order, where it is not channels_last


def command(
    about: str | None,
    add: Callable[[argparse.ArgumentParser], None],
    make: Callable[[argparse.Namespace], Case],
) -> None:
    """The command line of a script; `about` is its docstring, `add` gives it its own flags."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    add(parser)
    parser.add_argument("--steps", type=int, default=10, help="measured steps of each (10)")
    parser.add_argument("--json", type=Path, help="also write what was measured")
    args = parser.parse_args()
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    case = make(args)
    times = timing.interleaved(case.ways, args.steps, unmeasured=UNMEASURED)
    versions = {"jax": jax.__version__, "torch": f"{torch.__version__}{case.layout and ', '}"}
    versions["torch"] += case.layout
    ratios = [a / b for a, b in zip(times["jax"], times["torch"], strict=True)]
    ours, theirs = (statistics.median(times[name]) for name in ("jax", "torch"))
    for name, version in versions.items():
        print(f"{name} {version}: {timing.spread(times[name], 3)} s, median and quartiles")
    print(f"ratio ours / PyTorch: {ours / theirs:.2f} of medians, {timing.spread(ratios)} by round")
    where = f"{jax.devices()[0].platform}, {threads} cores"
    print("\n| what | machine | ours, s | PyTorch, s | ratio |\n|---|---|---|---|---|")
    print(f"| {case.what} | {where} | {ours:.3f} | {theirs:.3f} | {ours / theirs:.2f} |")
    if args.json:
        found = {"what": case.what, "where": where, "versions": versions, "seconds": times}
        args.json.write_text(json.dumps({**found, "flops": flops(case.ways["torch"])}))


def ours(
    devices: parallel.Devices, method: base.Method, start: state.TrainState, rows: Mapping[str, Any]
) -> Callable[[], float]:
    """A method's own step on the same rows again and again, its loss fetched."""
    now, key = devices.place(start), devices.place(state.stream(0, "train"))
    run, given = devices.step(method.step), devices.put(rows)

    def step() -> float:
        nonlocal now
        now, scalars = run(now, given, key)
        return float(scalars["loss"])

    return step


def theirs(
    optimiser: torch.optim.Optimizer, loss: Callable[[], torch.Tensor]
) -> Callable[[], float]:
    """A step of PyTorch's optimiser down a loss, which is fetched."""

    def step() -> float:
        optimiser.zero_grad()
        value = loss()
        value.backward()
        optimiser.step()
        return value.item()

    return step


def flops(work: Callable[[], object]) -> int:
    """Operations of the products and convolutions of a step of PyTorch's, both ways."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())
