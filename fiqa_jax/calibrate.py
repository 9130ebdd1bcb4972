"""Fits limits to your own labels: which score is accepted, looked at, taken again.

    fiqa predict photos/
    fiqa calibrate photos-judged --labels decisions.csv
    fiqa predict more/ --calibration photos-judged/calibration.json

Labels come from the report (Save my decisions) or from any CSV with the photograph's name and one
of gradable, ungradable, quality; 50 to 500 are enough. With --annotations FOLDER also the value of
the map from which on a place is bad is fitted, to a few photographs of a judged folder with maps in
which somebody has brushed good and bad places. With --model DIR the calibration of a model of your
own is replaced in its directory instead. Limits do not carry over from one camera and population to
another: fit them on photographs like those to come.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fiqa_jax import command
from fiqa_jax.evaluation import calibration
from fiqa_jax.evaluation.conformal import Guarantee
from fiqa_jax.evaluation.intervals import Interval
from fiqa_jax.inference import run_record
from fiqa_jax.inference.photos import MAPS
from fiqa_jax.maps import annotations, cut_fit
from fiqa_jax.maps.cut_fit import MapCut
from fiqa_jax.predictions import assessment, label_flags, local_calibration, schema
from fiqa_jax.predictions.calibration_fit import (
    SENSITIVITY,
    SPECIFICITY,
    Calibration,
    bad_of,
    fit,
)
from fiqa_jax.predictions.label_files import LabelError
from fiqa_jax.predictions.local_calibration import Fit
from fiqa_jax.predictions.schema import Predictions
from input_pipeline import atomic
from input_pipeline.tables import folders

FILE, PICTURE = "calibration.json", "calibration.png"


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa calibrate", description=__doc__.split("\n", 1)[0])
    p.add_argument("folder", nargs="?", metavar="DIR", help="that fiqa predict wrote")
    text = f"JSON to write (DIR/{FILE}); a drawing comes beside it"
    p.add_argument("--output", default="", metavar="FILE", help=text)
    text = "a model of your own: its config.json is replaced, no file is written"
    p.add_argument("--model", default="", metavar="MODEL", help=text)
    text = "palette PNGs (1 good, 2 usable, 3 bad, 0 not brushed), called like the photographs"
    p.add_argument("--annotations", default="", metavar="FOLDER", help=text)
    text = "share of bad photographs not accepted (%(default)s)"
    p.add_argument("--sensitivity", type=float, default=SENSITIVITY, help=text)
    text = "share of the others not taken again (%(default)s)"
    p.add_argument("--specificity", type=float, default=SPECIFICITY, help=text)
    text = "share of all photographs taken again, in place of --specificity"
    p.add_argument("--retake-rate", type=float, metavar="SHARE", help=text)
    p.add_argument("--seed", type=int, default=0, help="of the intervals (default %(default)s)")
    label_flags.add_arguments(p, predictions=False)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    args = parser().parse_args(label_flags.hyphens(sys.argv[1:] if argv is None else argv))
    return command.run("calibrate", lambda: run(args))


def run(args: argparse.Namespace) -> None:
    """Fits, writes, and says what is reached.

    Raises:
      LabelError, PredictionsError, CalibrationError, ValueError: nothing is written then.
    """
    if not args.predictions and not args.folder:
        raise LabelError("nothing to calibrate: give the folder that fiqa predict wrote")
    args.predictions = label_flags.table_of(args.predictions or args.folder)
    if args.model:
        if args.annotations:
            raise LabelError("--annotations goes into a file, not into a model: leave --model out")
        return _into_model(args)
    if not (args.output or args.folder):
        raise LabelError("--predictions alone does not say where to write: add --output FILE")
    if args.annotations and not args.folder:
        raise LabelError("--annotations needs the folder of `fiqa predict --maps`: give it as DIR")
    file = Path(args.output) if args.output else Path(args.folder) / FILE
    every = schema.load(args.predictions)
    names = {str(row["model"]).split("+")[0] for row in every.rows}
    if len(names) != 1 or "score" not in every.outputs:
        raise LabelError(
            f"{args.predictions} holds scores of {len(names)} models; expected those of one"
        )
    cut = _map_cut(args, every.rows) if args.annotations else None
    facts: dict[str, object] = {"annotations": Path(args.annotations).name} if cut else {}
    text = [map_text(cut)] if cut else []
    got = None
    if args.labels or not cut:
        got, found, told = _limits(args, every, file.with_suffix(".png"))
        facts |= found
        text = [told, *text]
    local_calibration.write(file, names.pop(), got, facts, cut)
    print("\n".join(text))
    written = f"{file}, {file.with_suffix('.png')}" if got else str(file)
    print(f"\nwritten  {written}\nuse it   fiqa predict PHOTOS --calibration {file}")


def _limits(
    args: argparse.Namespace, every: Predictions, picture: Path
) -> tuple[Fit, dict[str, object], str]:
    """Limits of the score, drawn into `picture`; what they were fitted to; what they reach."""
    predictions, notes = label_flags.read(
        args.predictions, args, label_flags.format_of(args), partly=True
    )
    bad = bad_of(predictions)
    here = bad >= 0
    got = local_calibration.fit(
        bad[here],
        predictions.outputs["score"][here],
        predictions.patient[here],
        sensitivity=args.sensitivity,
        specificity=args.specificity,
        retakes=args.retake_rate,
        judged=every.outputs["score"],
        seed=args.seed,
    )
    counts = {"bad": int((bad == 1).sum()), "others": int((bad == 0).sum())}
    facts: dict[str, object] = {"photographs": counts, "labels": Path(args.labels or "").name}
    facts["patients"] = len(set(predictions.patient[here].tolist()))
    from fiqa_jax.report import calibration_figure

    atomic.write(picture, calibration_figure.draw(bad[here], got))
    return got, facts, "\n".join([*(f"- {note}" for note in notes), limits_text(got, counts)])


def _map_cut(args: argparse.Namespace, rows: Sequence[schema.Row]) -> MapCut:
    """The cut of the map, from the maps of a judged folder and brushed photographs of it."""
    folder = Path(args.folder)
    maps = folder / MAPS
    if not maps.is_dir():
        raise LabelError(f"{folder} holds no maps: judge again with fiqa predict --maps")
    listed = annotations.listed(Path(args.annotations))
    began_in = run_record.read(folder / folders.RUN).get("began_in", "")
    wanted = {one.name for one in listed}
    photographs: dict[str, Path] = {}
    for row in rows:
        path = Path(str(began_in), str(row["path"]).replace("\\", "/"))
        if path.stem in wanted and photographs.setdefault(path.stem, path) != path:
            raise LabelError(f"{photographs[path.stem]} and {path}: which one was annotated?")
    return cut_fit.fit(listed, annotations.maps_of(maps, listed), photographs, args.seed)


def map_text(cut: MapCut) -> str:
    """What was fitted to the map, for a person."""
    told = f"a place is bad from {cut.cut:.3f} of the map on: fitted to {cut.photographs} brushed "
    told += f"photographs of {cut.patients} patients, {cut.bad:.0%} of what was brushed is bad"
    if cut.dice.value == cut.dice.value:
        return f"{told}; Dice of bad places on patients left out {cut.dice:.2f}"
    return f"{told}; one patient alone, so nothing is left out to check it on"


def limits_text(got: Fit, counts: Mapping[str, int]) -> str:
    """What the limits promise and what they reached, for a person."""
    apart = got.accept < got.recapture
    retake = f", retake from {got.recapture:.3f} on, a person looks at those between"
    lines = [
        f"{counts['bad']} bad and {counts['others']} other photographs",
        f"accept below a score of {got.accept:.3f}"
        + (retake if apart else ", retake from there on; both promises are kept without a gap"),
    ]
    for promise, says in (
        (got.sensitivity, "bad photographs are not accepted"),
        (got.specificity, "others are not taken again"),
    ):
        if promise:
            lines.append(f"promised: at least {_promise(promise)} of {says}")
    held = got.held_out
    lines.append(
        f"checked on patients left out, {local_calibration.FOLDS}-fold: not accepted "
        f"{_reached(held['sensitivity'])} of the bad ones; not taken again "
        f"{_reached(held['specificity'])} of the others"
    )
    shares = ", ".join(f"{name} {held[name].value:.0%}" for name in ("accept", "review"))
    lines.append(f"of the labelled photographs: {shares}, retake {held['recapture'].value:.0%}")
    return "\n".join(lines)


def _promise(guarantee: Guarantee) -> str:
    return (
        f"{guarantee.promised:.1%} (on average over sets of labels; with this set, from "
        f"{guarantee.labelled} labels, {guarantee.low:.1%} to {guarantee.high:.1%})"
    )


def _into_model(args: argparse.Namespace) -> None:
    """Fits every head of a model of one's own and merges that into its config.json."""
    from fiqa_jax.inference import model_dir
    from fiqa_jax.pretrained.shipped import model_name

    directory = Path(args.model)
    config = model_dir.read_config(directory)
    name = model_name(directory)
    before = config.get("calibrated_from")  # the same weights without the calibration so far
    found_in = {str(row["model"]) for row in schema.read_rows(args.predictions)}
    if others := found_in - {before if before in found_in else name}:
        raise LabelError(
            f"{args.predictions} was predicted by {', '.join(sorted(others))}, {directory} holds "
            f"{name}: run fiqa predict with that model again"
        )
    predictions, notes = label_flags.read(args.predictions, args, label_flags.format_of(args))
    got = fit(
        predictions, sensitivity=args.sensitivity, specificity=args.specificity, seed=args.seed
    )
    print("\n".join(f"- {note}" for note in (*notes, *got.notes)))
    if not got.temperature and not got.thresholds:
        print(f"nothing was fitted: {directory / model_dir.CONFIG} stays as it is")
        return
    if before in found_in:
        config["temperature"] = {**config["temperature"], **got.temperature}
    else:  # the predictions carry the calibration so far; the new one comes on top of it
        config["temperature"] = calibration.compose(config["temperature"], got.temperature)
    config["thresholds"] = {**config["thresholds"], **got.thresholds}
    config["calibration"] = {
        "photographs": len(predictions.id),
        "targets": {"sensitivity": args.sensitivity, "specificity": args.specificity},
        "band": assessment.to_json(got.band),
    }
    model_dir.write_config(directory, config)
    print(text(got, args.sensitivity, args.specificity))
    print(f"written to {directory / model_dir.CONFIG}")


def text(got: Calibration, sensitivity: float, specificity: float) -> str:
    """What was fitted to a model's heads, for a person."""
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


def _reached(interval: Interval) -> str:
    return f"{interval.value:.1%} ({interval.ends('.1%', ' to ')})"


if __name__ == "__main__":
    sys.exit(main())
