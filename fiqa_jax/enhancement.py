"""What an enhancement does to quality: FIQA, WFQA and conversion rate of pairs, with intervals.

    fiqa predict --model fundus originals/
    fiqa predict --model fundus enhanced/
    fiqa enhancement originals-judged enhanced-judged

Pairs have the same name below their folders, whatever the suffix. A photograph that cannot be
judged after the enhancement counts as a reject; one that could not be judged before is left out.
"""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from fiqa_jax import command
from fiqa_jax.evaluation import enhancement_scores as scores
from fiqa_jax.evaluation.intervals import Interval
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.schema import Row
from input_pipeline import atomic
from input_pipeline.tables import folders
from input_pipeline.tables.examples import QUALITY

USABLE = 0.5
COLUMNS = ("score", "when", "value", "low", "high", "level", "photographs", "patients")
_WORDS = {
    "fiqa": "FIQA, share graded good",
    "wfqa": "WFQA, weights 1 good, {usable:g} usable, 0 reject",
    "conversion_rate": "conversion rate, reject to good",
    "rescued": "reject to usable or good",
    "spoilt": "good to usable or reject",
}


class EnhancementError(ValueError):
    """Predictions that make no pairs; says what was seen and what to do."""


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa enhancement", description=__doc__.split("\n", 1)[0])
    text = "folder that fiqa predict wrote, or a table of its kind"
    p.add_argument("before", metavar="BEFORE", help=text)
    p.add_argument("after", metavar="AFTER", help="the same of the enhanced photographs")
    text = "weight of a usable photograph in WFQA (%(default)s)"
    p.add_argument("--usable", type=float, default=USABLE, metavar="WEIGHT", help=text)
    p.add_argument("--seed", type=int, default=0, help="of the bootstrap (%(default)s)")
    p.add_argument("--output", default="", metavar="FILE", help="CSV to write")
    return p


def run(args: argparse.Namespace) -> None:
    """Pairs the photographs, prints the scores and writes the table that was asked for.

    Raises:
      EnhancementError, PredictionsError: no pairs, or rows without grades.
    """
    if not 0 <= args.usable <= 1:
        raise EnhancementError(f"--usable {args.usable:g}: expected a weight from 0 to 1")
    before, after = _rows(args.before), _rows(args.after)
    models = {str(row["model"]) for row in (*before.values(), *after.values())}
    if len(models) > 1:
        raise EnhancementError(
            f"judged by different models ({', '.join(sorted(models))}): judge both with one"
        )
    names = [name for name in before if name in after]
    if not names:
        raise EnhancementError(
            f"no photograph of {args.before} has one of its name in {args.after}: the first are "
            f"{min(before, default='none')!r} and {min(after, default='none')!r}"
        )
    judged = [name for name in names if before[name]["status"] == "ok"]
    if not judged:
        raise EnhancementError(f"none of the {len(names)} pairs could be judged before")
    old = [_grade(before[name], args.before) for name in judged]
    new = [
        _grade(after[name], args.after) if after[name]["status"] == "ok" else scores.REJECT
        for name in judged
    ]
    lost = sum(after[name]["status"] != "ok" for name in judged)
    who = [str(before[name]["patient"] or name) for name in judged]
    changes = scores.changes(old, new, who, args.usable, args.seed)
    rates = scores.rates(old, new, who, args.seed)
    print(f"{len(judged)} pairs of {len(set(who))} patients, judged by {models.pop()}")
    alone = len(before) + len(after) - 2 * len(names)
    for count, says in (
        (alone, "photographs without a partner, left out"),
        (len(names) - len(judged), "pairs could not be judged before, left out"),
        (lost, "could not be judged after: counted as rejects"),
    ):
        if count:
            print(f"  {count} {says}")
    print(text(changes, rates, args.usable))
    if args.output:
        table(args.output, changes, rates, old)
        print(f"\ntable   {args.output}")


def text(changes: Mapping[str, scores.Change], rates: Mapping[str, Interval], usable: float) -> str:
    """The scores as lines for a person, 95 % intervals in brackets."""
    lines = []
    for name, change in changes.items():
        lines.append(f"{_WORDS[name].format(usable=usable)}")
        lines.append(f"  before {_said(change.before)}, after {_said(change.after)}")
        lines.append(f"  change {_said(change.difference, '+.3f')}")
    lines += [f"{_WORDS[name]}\n  {_said(rate)}" for name, rate in rates.items()]
    return "\n".join(lines)


def table(
    file: str,
    changes: Mapping[str, scores.Change],
    rates: Mapping[str, Interval],
    old: Sequence[int],
) -> None:
    """Writes a row a number."""
    among = {"conversion_rate": scores.REJECT, "rescued": scores.REJECT, "spoilt": scores.GOOD}
    pairs = [
        (name, when, one, len(old))
        for name, change in changes.items()
        for when, one in (
            ("before", change.before),
            ("after", change.after),
            ("change", change.difference),
        )
    ]
    pairs += [(name, "after", rate, old.count(among[name])) for name, rate in rates.items()]
    rows = [
        (name, when, one.value, one.low, one.high, one.level, count, one.units)
        for name, when, one, count in pairs
    ]
    atomic.write_csv(file, COLUMNS, rows)


def _said(interval: Interval, form: str = ".3f") -> str:
    return format(interval, form) if math.isfinite(interval.value) else "none to count"


def _rows(given: str) -> dict[str, Row]:
    """Rows by the photograph's name without suffix."""
    path = Path(given)
    file = path / folders.TABLE if path.is_dir() else path
    out: dict[str, Row] = {}
    for row in schema.read_rows(file):
        if row["status"] == "skipped":
            continue
        name = PurePosixPath(str(row["id"])).with_suffix("").as_posix()
        if name in out:
            raise EnhancementError(f"{file}: {name!r} stands for two files; judge them apart")
        out[name] = row
    return out


def _grade(row: Row, where: str) -> int:
    if row["quality"] not in QUALITY:
        raise EnhancementError(
            f"{where}: the row of {row['id']!r} has no grade; judge with a model that grades: "
            "fiqa predict --model fundus"
        )
    return QUALITY.index(row["quality"])


main = command.entry(parser, run)

if __name__ == "__main__":
    sys.exit(main())
