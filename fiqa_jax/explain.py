"""Draws where a trained classifier sees what one of its heads says.

    python -m fiqa_jax.explain --model model --head clarity photos/ --output out

Ways: Grad-CAM (Selvaraju et al. 2017) and integrated gradients (Sundararajan et al. 2017). Heads
are quality, ungradable, diagnosis, diagnosis:NAME and the names of the defects, see
`inference.explainer`; one that is not there is answered by a list. OUT/maps holds the files that
`predict --maps` writes, OUT/explanations.csv a row for every photograph, also for those that cannot
be read. Maps go from 0 to 1: 0.5 is one unit of log-odds if the whole photograph were like that
place.
"""

import argparse
import collections
import functools
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiqa_jax import command
from fiqa_jax.inference import inputs
from fiqa_jax.inference import photos as photographs
from fiqa_jax.inference.inputs import Item
from fiqa_jax.inference.photos import RunError
from fiqa_jax.inference.predictor import Predictor
from fiqa_jax.maps import attribution_settings, map_files
from fiqa_jax.maps.attribution_settings import Settings
from input_pipeline import atomic, lock, plain_text, progress
from input_pipeline.photo.reader import Photo, PhotoError
from input_pipeline.tables import folders

if TYPE_CHECKING:
    from fiqa_jax.inference.explainer import Explainer

TABLE = folders.EXPLAINED
COLUMNS = (
    *("path", "id", "patient", "status", "error"),
    *("head", "way", "log_odds", "gap", "map", "model"),
)
BAD = 0.5  # from here on a place counts as bad in the table of regions

Row = dict[str, Any]


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa explain", description=__doc__.split("\n", 1)[0])
    photographs.add_arguments(p)
    default = Settings()
    p.add_argument("--head", required=True, metavar="NAME", help="what is to be explained")
    p.add_argument(
        "--way", choices=attribution_settings.WAYS, default=default.way, help="(%(default)s)"
    )
    p.add_argument("--stage", default="", help="grad_cam: stage1, ... (the last)")
    g = p.add_argument_group("integrated_gradients")
    g.add_argument("--baseline", choices=attribution_settings.BASELINES, default=default.baseline)
    g.add_argument("--steps", type=int, default=default.steps, help="gradients (%(default)s)")
    g.add_argument("--cells", type=int, default=default.cells, help="along an edge (%(default)s)")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    args = parser().parse_intermixed_args(argv)
    return command.run("explain", lambda: run(args))


def run(args: argparse.Namespace) -> int:
    """Explains every photograph, writes maps and the table, prints a summary.

    Returns:
      The exit status, see `command.of_files`.

    Raises:
      RunError, InputError, ExplainError, model_dir.ModelError: nothing was written.
    """
    from fiqa_jax.inference import explainer  # JAX, which --help does without

    photographs.check(args)
    out = Path(args.output)
    if (out / TABLE).exists():
        raise RunError(f"{out / TABLE} is there: give another --output")
    items = inputs.collect(args.inputs, recursive=args.recursive)
    batch = min(args.batch, len(items))
    predictor = photographs.predictor_of(args, batch)
    settings = Settings(args.way, args.stage, args.baseline, args.steps, args.cells)
    explain = explainer.explainer(predictor.model, args.head, settings)
    rows: list[Row] = []
    with lock.held(out), progress.bar(len(items), "photo") as bar:
        atomic.clean(out)
        kept = functools.partial(predictor.read, keep=True)
        ahead = photographs.read_ahead(items, batch, args.workers, kept)
        for group, photos in ahead:
            for row in _explained(predictor, explain, group, photos, out):
                rows.append({**row, "head": args.head, "way": args.way, "model": predictor.name})
            bar.update(len(group))
        cells = [[_cell(row.get(name)) for name in COLUMNS] for row in rows]
        atomic.write_csv(out / TABLE, COLUMNS, cells)
        map_files.table(out / photographs.MAPS, out / photographs.REGIONS)
    print(plain_text.printable(summary(rows, out)))
    return command.of_files(sum(row["status"] == "error" for row in rows), len(rows))


def _explained(
    predictor: Predictor,
    explain: "Explainer",
    group: Sequence[Item],
    photos: Sequence[Photo | PhotoError],
    out: Path,
) -> Iterator[Row]:
    """Rows of one batch; its maps are written."""
    fine = [opened for opened in photos if isinstance(opened, Photo) and predictor.in_scope(opened)]
    explained = None
    if fine:
        given = predictor.filled(fine)
        explained = explain({key: given[key] for key in ("image", "fov")})
    place = 0
    for item, photo in zip(group, photos, strict=True):
        row: Row = {"path": item.shown, "id": item.id, "patient": item.patient or item.id}
        if explained and isinstance(photo, Photo) and predictor.in_scope(photo):
            row |= {"status": "ok", "log_odds": float(explained.log_odds[place])}
            row["gap"] = float(explained.gap[place])
            row["map"] = photographs.draw(predictor, out, item, photo, explained.map[place], BAD)
            place += 1
        else:
            failed = predictor.failed(photo, row["path"], item.id, item.patient)
            row |= {"status": failed["status"], "error": failed["error"]}
        yield row


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return "" if value is None else value


def summary(rows: Sequence[Row], out: Path) -> str:
    """What the run found, for the end of the command."""
    states = collections.Counter(row["status"] for row in rows)
    lines = [
        f"{len(rows)} photographs, {rows[0]['way']} of {rows[0]['head']}",
        "  status    " + ", ".join(f"{name} {count}" for name, count in states.most_common()),
    ]
    fine = [row for row in rows if row["status"] == "ok"]
    if fine:
        values = [row["log_odds"] for row in fine]
        lines.append(f"  log-odds  {min(values):.2f} to {max(values):.2f}")
        gap = max(abs(row["gap"]) for row in fine)
        if not math.isnan(gap):
            lines.append(f"  gap       {gap:.3f} at most; more --steps make it smaller")
    failed = [row for row in rows if row["status"] == "error"]
    lines += [f"  not read  {row['error']}" for row in failed[:5]]
    if len(failed) > 5:
        lines.append(f"  not read  {len(failed) - 5} more, see the column 'error'")
    made = f", {out / photographs.MAPS}" if fine else ""
    return "\n".join([*lines, f"  written   {out / TABLE}{made}"])


if __name__ == "__main__":
    sys.exit(main())
