"""Fits a model's calibration and thresholds to labelled predictions; also from the command line.

    python -m fiqa_jax.predict --model model photos --output out
    python -m fiqa_jax.calibrate --model model --predictions out/predictions.csv --labels mine.csv

A threshold does not carry over from one camera and population to another: fit it on photographs
like those to come, and check it on others. The model's config.json is replaced.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fiqa_jax import command
from fiqa_jax.evaluation import calibration
from fiqa_jax.evaluation.intervals import Interval
from fiqa_jax.predictions import assessment, label_flags, schema
from fiqa_jax.predictions.calibration_fit import SENSITIVITY, SPECIFICITY, Calibration, fit
from fiqa_jax.predictions.label_files import LabelError


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa calibrate", description=__doc__.split("\n", 1)[0])
    p.add_argument("--model", required=True, metavar="DIR", help="its config.json is replaced")
    p.add_argument("--sensitivity", type=float, default=SENSITIVITY, help="bad ones not accepted")
    p.add_argument("--specificity", type=float, default=SPECIFICITY, help="others not sent back")
    p.add_argument("--seed", type=int, default=0, help="of the intervals (default %(default)s)")
    label_flags.add_arguments(p)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    args = parser().parse_args(label_flags.hyphens(sys.argv[1:] if argv is None else argv))
    return command.run("calibrate", lambda: run(args))


def run(args: argparse.Namespace) -> None:
    """Fits, prints and merges into the model's config.json.

    Raises:
      LabelError, PredictionsError, ValueError: nothing is written then.
    """
    from fiqa_jax.inference import model_dir
    from fiqa_jax.pretrained.shipped import model_name

    directory = Path(args.model)
    config = model_dir.read_config(directory)
    name = model_name(directory)
    others = {str(row["model"]) for row in schema.read_rows(args.predictions)} - {name}
    if others:
        raise LabelError(
            f"{args.predictions} was predicted by {', '.join(sorted(others))}, {directory} holds "
            f"{name}: run fiqa_jax.predict with that model again"
        )
    found, notes = label_flags.read(args.predictions, args, label_flags.format_of(args))
    got = fit(found, sensitivity=args.sensitivity, specificity=args.specificity, seed=args.seed)
    print("\n".join(f"- {note}" for note in (*notes, *got.notes)))
    # The predictions carry the calibration so far; the new one comes on top of it.
    config["temperature"] = calibration.compose(config["temperature"], got.temperature)
    config["thresholds"] = {**config["thresholds"], **got.thresholds}
    config["calibration"] = {
        "photographs": len(found.id),
        "targets": {"sensitivity": args.sensitivity, "specificity": args.specificity},
        "band": assessment.to_json(got.band),
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
