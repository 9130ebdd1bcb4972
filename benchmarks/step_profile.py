"""Where the time of one of our steps goes: share of each kind of operation in XLA's program.

    pip install torch
    python benchmarks/step_profile.py inpaint_step.py [--steps 3] [-- --batch 8]

The script named is one of this folder that compares a step (`benchmarks.run` has them all); its
own flags follow two dashes. Its step of ours runs under JAX's profiler, whose events of the CPU
backend are added up by operation. A share of the time of all operations stands beside each, since
two threads work at once.
"""

import argparse
import collections
import importlib
import re
import sys
import tempfile
from pathlib import Path

import beside
import jax
import torch
from jax.profiler import ProfileData

WARM = 2  # steps before, which compile
SKIPPED = re.compile(r"::|\$|Thread|Execute|Wait|call-start|while|^end: ")


def kind(name: str) -> str:
    """What an operation does, of its name in the program: `add_convert_fusion.3` -> that."""
    return re.sub(r"[.\d]+$", "", name.partition(" ")[0]).removesuffix("_fusion").replace("_", " ")


def seconds(folder: str) -> collections.Counter[str]:
    """Seconds of each operation by name, of all threads, in a profile."""
    (file,) = Path(folder).rglob("*.xplane.pb")
    found = collections.Counter[str]()
    for plane in ProfileData.from_file(str(file)).planes:
        if "CPU" not in plane.name:
            continue
        for line in plane.lines:
            for event in line.events:
                if any(name == "hlo_op" for name, _ in event.stats):
                    found[event.name] += event.duration_ns / 1e9
    return found


def main() -> None:
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("script", help="file name in this folder")
    p.add_argument("--steps", type=int, default=3, help="profiled (%(default)s)")
    p.add_argument("--most", type=int, default=12, help="kinds that are named (%(default)s)")
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args = p.parse_args(sys.argv[1:at])
    module = importlib.import_module(Path(args.script).stem)
    own = argparse.ArgumentParser()
    module.add(own)
    torch.manual_seed(0)
    case: beside.Case = module.make(own.parse_args(sys.argv[at + 1 :]))
    step = case.ways["jax"]()
    for _ in range(WARM):
        step()
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            for _ in range(args.steps):
                step()
        each = seconds(folder)
    kinds = collections.Counter[str]()
    for name, taken in each.items():
        kinds[kind(name)] += taken
    whole = sum(kinds.values())
    print(f"{case.what}: {whole / args.steps:.3f} s of operations a step, all threads\n")
    print("| operations | s a step | share |\n| --- | --- | --- |")
    for name, taken in kinds.most_common(args.most):
        print(f"| {name} | {taken / args.steps:.3f} | {taken / whole:.0%} |")


if __name__ == "__main__":
    main()
