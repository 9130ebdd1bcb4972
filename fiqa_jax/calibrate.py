"""Fits a model's calibration and thresholds to labelled predictions; also from the command line.

    python -m fiqa_jax.predict --model model photos --output out
    python -m fiqa_jax.calibrate --model model --predictions out/predictions.csv --labels mine.csv

A threshold does not carry over from one camera and population to another: fit it on photographs
like those to come, and check it on others. The model's config.json is replaced.
"""

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiqa_jax import assess, calibration, command, metrics, predictions, reading, thresholds
from fiqa_jax.calibration import Fitted, prior_correction
from fiqa_jax.labelled import LabelError
from fiqa_jax.predictions import Predictions
from fiqa_jax.stats import Interval
from fiqa_jax.thresholds import Band

__all__ = ["Calibration", "fit", "main", "prior_correction"]

SENSITIVITY = SPECIFICITY = 0.95  # of the band, where nothing else is asked for
FEWEST = 10  # examples of a kind; from fewer nothing is fitted, for it would fit chance


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What a model's config.json takes over: `temperature` and `thresholds`."""

    temperature: dict[str, Fitted]
    thresholds: dict[str, Any]  # see advice.Thresholds
    band: Band | None  # what the thresholds were seen to do
    notes: tuple[str, ...]  # what could not be fitted, and why


def fit(
    found: Predictions,
    *,
    sensitivity: float = SENSITIVITY,
    specificity: float = SPECIFICITY,
    seed: int = 0,
) -> Calibration:
    """Calibration of every head and the band of the score, from labelled predictions.

    A photograph is bad where it is ungradable, or graded reject. A head with fewer than FEWEST
    labelled examples of two of its classes stays as it is, and so does the decision by grade with
    fewer bad photographs or others than that.

    Args:
      found: predictions with true labels, best of a validation split.
      sensitivity: share of bad photographs that must not be accepted.
      specificity: share of the others that must not be taken again.
      seed: of the intervals.
    """
    notes = []
    fitted = calibration.fit_heads(found.truth, found.outputs, found.details)
    heads = metrics.heads(found.truth, found.outputs, found.details, found.diagnosis)
    few = [name for name in fitted if name not in heads or not _enough(heads[name].truth)]
    if few:
        notes.append(f"not calibrated, fewer than {FEWEST} examples of a kind: {', '.join(few)}")
    bad = found.truth.get("ungradable", np.full(len(found.id), -1))
    if not (bad >= 0).any() and "quality" in found.truth:
        grade = found.truth["quality"]
        bad = np.where(grade < 0, -1, grade == 2)
    chosen: Band | None = None
    if "score" in found.outputs and _enough(bad):
        chosen = thresholds.band(
            bad,
            found.outputs["score"],
            found.patient,
            sensitivity=sensitivity,
            specificity=specificity,
            seed=seed,
        )
    else:
        notes.append(f"no band of the score: it needs {FEWEST} photographs known bad, and others")
    temperature = {name: values for name, values in fitted.items() if name not in few}
    cuts = {"accept": chosen.accept, "recapture": chosen.recapture} if chosen else {}
    return Calibration(temperature, cuts, chosen, tuple(notes))


def _enough(truth: NDArray[np.int64]) -> bool:
    """Whether two classes have FEWEST labelled examples each."""
    return bool((np.bincount(truth[truth >= 0], minlength=2) >= FEWEST).sum() > 1)


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa_jax.calibrate", description=__doc__.split("\n", 1)[0])
    p.add_argument("--model", required=True, metavar="DIR", help="its config.json is replaced")
    p.add_argument("--sensitivity", type=float, default=SENSITIVITY, help="bad ones not accepted")
    p.add_argument("--specificity", type=float, default=SPECIFICITY, help="others not sent back")
    p.add_argument("--seed", type=int, default=0, help="of the intervals (default %(default)s)")
    reading.add_arguments(p)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    args = parser().parse_args(reading.hyphens(sys.argv[1:] if argv is None else argv))
    return command.run("calibrate", lambda: run(args))


def run(args: argparse.Namespace) -> None:
    """Fits, prints and merges into the model's config.json.

    Raises:
      LabelError, PredictionsError, ValueError: nothing is written then.
    """
    from fiqa_jax import model_dir
    from fiqa_jax.predictor import model_name

    directory = Path(args.model)
    config = model_dir.read_config(directory)
    name = model_name(directory)
    others = {str(row["model"]) for row in predictions.read_rows(args.predictions)} - {name}
    if others:
        raise LabelError(
            f"{args.predictions} was predicted by {', '.join(sorted(others))}, {directory} holds "
            f"{name}: run fiqa_jax.predict with that model again"
        )
    found, notes = reading.read(args.predictions, args, reading.format_of(args))
    got = fit(found, sensitivity=args.sensitivity, specificity=args.specificity, seed=args.seed)
    print("\n".join(f"- {note}" for note in (*notes, *got.notes)))
    # The predictions carry the calibration so far; the new one comes on top of it.
    config["temperature"] = calibration.compose(config["temperature"], got.temperature)
    config["thresholds"] = {**config["thresholds"], **got.thresholds}
    config["calibration"] = {
        "photographs": len(found.id),
        "targets": {"sensitivity": args.sensitivity, "specificity": args.specificity},
        "band": assess.to_json(got.band),
    }
    model_dir.write_config(directory, config)
    print(text(got, args.sensitivity, args.specificity))
    print(f"written to {directory / model_dir.CONFIG}")


def text(got: Calibration, sensitivity: float, specificity: float) -> str:
    """What was fitted, for a person."""
    lines = [f"{head}: {_numbers(values)}" for head, values in got.temperature.items()]
    if got.band:
        band = got.band
        shares = ", ".join(f"{name} {share:.0%}" for name, share in band.shares.items())
        lines += [
            f"accept below a score of {band.accept:.4f}: {_reached(band.sensitivity)} of the bad "
            f"ones are not accepted (asked for {sensitivity:.0%})",
            f"recapture from {band.recapture:.4f} on: {_reached(band.specificity)} of the others "
            f"are not sent back (asked for {specificity:.0%})",
            f"of these photographs: {shares}",
        ]
    return "\n".join(lines)


def _numbers(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


def _reached(one: Interval) -> str:
    return f"{one.value:.1%} ({one.low:.1%} to {one.high:.1%})"


if __name__ == "__main__":
    sys.exit(main())
