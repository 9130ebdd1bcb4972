"""Drills: kills, damage, hostile models and mutated pictures by the thousand, with counts.

    make drill                                          the whole, by hand, in two hours
    python benchmarks/drill.py --only pictures --cases 1000 --output drill.json

Every drill writes its counts into the JSON file as it goes, beside those of the others; the exit
status is 3 where something came out that never may (`drills.outcomes.NEVER`).
"""

import argparse
import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

from drills.outcomes import NEVER, Book

FULL = {  # drill -> cases of the whole
    "damage": 2000,
    "hostile": 60,
    "pictures": 100_000,
    "table": 3000,
    "kill_model": 100,
    "kill_prepare": 100,
    "kill_arrays": 50,
    "kill_predict": 30,
    "kill_training": 20,
}
PARTS = {"damage_checkpoint": 400}  # of the above, to be run alone


def drill(name: str, cases: int, root: Path, book: Book) -> dict[str, int]:
    """Runs one drill; returns its counts.

    Args:
      name: of FULL or PARTS; cases: of it; root: an empty folder; book: where the counts go.
    """
    module, _, what = name.partition("_")
    run = getattr(importlib.import_module(f"drills.{module}"), what or "run")
    with book.drill(name) as note:
        counts = run(cases, root, note)
        note(counts)
    return dict(counts)


def main() -> int:
    """Command line; 3 where something came out that never may."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", default=",".join(FULL), help="drills, with commas between")
    parser.add_argument("--cases", type=int, default=0, help="of each; 0 for the whole")
    parser.add_argument("--output", type=Path, help="JSON file with counts and commit")
    args = parser.parse_args()
    book, worst, names = Book(args.output), 0, args.only.split(",")
    for name in names:
        if name not in FULL | PARTS:
            parser.error(f"--only={name}: no such drill; there are {', '.join(FULL | PARTS)}")
        if len(names) > 1:  # a process of its own: drills that fork must not have used JAX
            flags = ["--only", name, "--cases", str(args.cases)]
            flags += ["--output", str(args.output)] if args.output else []
            ended = subprocess.run([sys.executable, "-W", "ignore", __file__, *flags])
            worst = max(worst, ended.returncode)
            continue
        with tempfile.TemporaryDirectory() as folder:
            counts = drill(name, args.cases or (FULL | PARTS)[name], Path(folder), book)
        print(name, counts, flush=True)
        worst = 3 if any(counts.get(one) for one in NEVER) else worst
    return worst


if __name__ == "__main__":
    sys.exit(main())
