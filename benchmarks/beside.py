"""One step of ours beside PyTorch's, in one process and in turns: what the scripts of steps share.

A script says what it compares (`Case`); this module reads the command line, times every way, and
prints medians, quartiles, the ratio and a row of a Markdown table, or writes them for
`benchmarks.run`. PyTorch runs as it is and compiled (`torch.compile`, which needs a C++ compiler);
what cannot run is named with the reason. With --memory ours and PyTorch's run once more, each in a
process of its own, for the most memory that it takes above both libraries at rest.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import memory
import timing
import torch
from torch.utils.flop_counter import FlopCounterMode

from fiqa_jax.training import devices as parallel
from fiqa_jax.training import method as base
from fiqa_jax.training import state

UNMEASURED = 2  # rounds before the measured ones, for compilation and caches

Step = Callable[[], object]


class CannotRun(Exception):
    """A way that this machine lacks something for; says what."""


@dataclasses.dataclass(frozen=True)
class Case:
    """What is compared: name in timing.NAMES -> what makes a step, whose result is fetched."""

    what: str
    ways: dict[str, Callable[[], Step]]
    layout: str = ""  # PyTorch's memory order, where it is not channels_last


@dataclasses.dataclass(frozen=True)
class Theirs:
    """PyTorch's step: `work`, which can be compiled, and what is done with what it gives."""

    work: Callable[[], torch.Tensor]
    then: Callable[[Callable[[], torch.Tensor]], object]

    def __call__(self) -> object:
        return self.then(self.work)

    def compiled(self) -> "Theirs":
        """The same by torch.compile. Raises: CannotRun: it cannot be compiled here."""
        step = dataclasses.replace(self, work=torch.compile(self.work))
        try:
            step()
        except Exception as error:  # PyTorch's compiler raises many kinds
            raise CannotRun((str(error).strip() or repr(error)).splitlines()[0]) from error
        return step


def command(
    about: str | None,
    add: Callable[[argparse.ArgumentParser], None],
    make: Callable[[argparse.Namespace], Case],
) -> None:
    """The command line of a script; `about` is its docstring, `add` gives it its own flags."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    add(parser)
    parser.add_argument("--steps", type=int, default=10, help="measured steps of each (10)")
    parser.add_argument("--memory", action="store_true", help="also the most memory of each")
    parser.add_argument("--json", type=Path, help="also write what was measured")
    parser.add_argument("--peak", choices=timing.PARTS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if args.peak:
        print(peak(make, args))
        return
    case = make(args)
    steps, skipped = ready(case)
    times = timing.interleaved(steps, args.steps, unmeasured=UNMEASURED)
    where = f"{jax.devices()[0].platform}, {threads} cores"
    found: dict[str, Any] = {"what": case.what, "where": where, "seconds": times}
    found |= {"versions": versions(case), "skipped": skipped, "flops": flops(steps["torch"])}
    if args.memory:
        flags = [sys.executable, *sys.argv]
        told = [
            subprocess.check_output([*flags, "--peak", part], text=True) for part in timing.PARTS
        ]
        found["mebibytes"] = {
            k: float(v.split()[-1]) for k, v in zip(timing.PARTS, told, strict=True)
        }
    for name, version in found["versions"].items():
        print(f"{name} {version}")
    for name, values in times.items():
        print(f"{name}: {timing.spread(values, 3)} s, median and quartiles")
    for name, reason in skipped.items():
        print(f"{name} is left out: {reason}")
    print(f"\n| {' | '.join(timing.HEADER)} |\n|{'---|' * len(timing.HEADER)}")
    print(f"| {' | '.join(timing.cells(found))} |")
    if args.json:
        args.json.write_text(json.dumps(found))


def ready(case: Case) -> tuple[dict[str, Step], dict[str, str]]:
    """Every way that runs here, PyTorch's compiled one with them; and why others do not."""
    steps: dict[str, Step] = {}
    skipped: dict[str, str] = {}
    for name, way in case.ways.items():
        try:
            steps[name] = way()
        except CannotRun as error:
            skipped[name] = str(error)
    try:
        theirs = steps["torch"]
        assert isinstance(theirs, Theirs)
        steps[timing.COMPILED] = theirs.compiled()
    except CannotRun as error:
        skipped[timing.COMPILED] = str(error)
    return steps, skipped


def versions(case: Case) -> dict[str, str]:
    """Of both libraries; PyTorch's with its memory order where it is not channels_last."""
    theirs = f"{torch.__version__}{case.layout and ', '}{case.layout}"
    return {"jax": jax.__version__, "torch": theirs}


def peak(make: Callable[[argparse.Namespace], Case], args: argparse.Namespace) -> float:
    """MiB that one way takes at most above both libraries at rest, over four steps.

    The steps before them, which compile, are not counted, and what they leave is given back first.
    """
    jax.block_until_ready(jax.numpy.zeros(1))
    torch.zeros(1)
    memory.forget_peak()
    idle = memory.peak()
    step = make(args).ways[args.peak]()
    for turn in range(UNMEASURED + 4):
        if turn == UNMEASURED:
            memory.forget_peak()
        step()
    return (memory.peak() - idle) / 2**20


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


def theirs(optimiser: torch.optim.Optimizer, loss: Callable[[], torch.Tensor]) -> Theirs:
    """A step of PyTorch's optimiser down a loss, which is fetched."""

    def step(loss: Callable[[], torch.Tensor]) -> float:
        optimiser.zero_grad()
        value = loss()
        value.backward()
        optimiser.step()
        return value.item()

    return Theirs(loss, step)


def flops(work: Step) -> int:
    """Operations of the products and convolutions of a step of PyTorch's, both ways."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())
