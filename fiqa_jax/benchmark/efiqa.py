"""Quality maps against known truth, on photographs that were degraded in part.

    python -m fiqa_jax.benchmark efiqa --workdir runs/efiqa
    python -m fiqa_jax.benchmark efiqa --workdir runs/efiqa --csv CHASE_DB1/labels.csv

Without a table: the held-out synthetic photographs of the recipe. With one: photographs with masks
of their vessels, locally degraded with known truth. Beside the recipe's model (and further ones,
`--model`) stand local Laplacian energy, the density of the vessels that its segmentor finds (both
at the best of several scales on these very photographs, in their favour), the anomaly of its
inpainting network, and each model's image mean spread over the photograph, which finds nothing by
construction. `--classifier` adds Grad-CAM and integrated gradients of a network that was trained
with labels. `--folder` writes every map and the truth of all photographs for `benchmark funpiq`.
"""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from fiqa_jax import defaults
from fiqa_jax.benchmark import map_folder, map_kinds
from fiqa_jax.maps import localisation
from fiqa_jax.recipe.data import open_data
from fiqa_jax.report import markdown
from input_pipeline import atomic, records


def compared(
    maps: dict[str, map_kinds.Maps],
    scales: dict[str, list[map_kinds.Maps]],
    photographs: Sequence[map_kinds.Arrays],
    people: Sequence[str],
    seed: int,
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Rows of `localisation.rows`, the first of `maps` against the others.

    Args:
      maps: name -> maps of the photographs.
      scales: name -> maps at each scale; the best on these very photographs counts.
      photographs, people: see `map_kinds.photographs`.
      seed: of the bootstrap.

    Returns:
      Rows; and for each name in `scales` the place of the scale that counted.

    Raises:
      ValueError: no photograph is degraded in part.
    """
    known, bad = [f["known"] for f in photographs], [f["bad"] for f in photographs]
    measured = {name: localisation.measure(m, known, bad) for name, m in maps.items()}
    chosen = {}
    for name, each in scales.items():
        options = [localisation.measure(m, known, bad) for m in each]
        best = max(range(len(each)), key=lambda i: options[i].auroc.mean())
        measured[name], chosen[name] = options[best], best
    return localisation.rows(measured, people, next(iter(maps)), seed), chosen


def section_of(workdir: Path) -> ConfigDict:
    """The `data` section of the recipe's test photographs.

    Raises:
      ValueError: the folder is not that of the recipe.
    """
    recipe = records.read_if_there(workdir / "recipe.json")
    if "adapter" not in recipe.get("stage", {}):
        raise ValueError(f"{workdir} is no work directory of configs/efiqa.py")
    return ConfigDict({**defaults.base().data.to_dict(), **recipe["stage"]["adapter"]["data"]})


def table_section(args: argparse.Namespace, side: int) -> ConfigDict:
    """The `data` section of degraded photographs of a table."""
    section = defaults.base().data
    columns = (("path", args.image), ("vessels", args.vessels), ("patient", args.participant))
    section.update(
        {
            "source": "degraded",
            "base": "csv",
            "path": args.csv,
            "columns": tuple(c for c in columns if c[1]),
            "copies": args.copies,
            "lq_ratio": 1.0,
            "kinds": ("local",),
            "seed": args.seed,
            "side": side,
            "details": (),
            "driver": "threads",
        }
    )
    return section


def add_arguments(p: argparse.ArgumentParser) -> None:
    """The flags; see the module's docstring."""
    p.add_argument("--workdir", required=True, help="of configs/efiqa.py")
    p.add_argument("--model", action="append", default=[], help="further ones; NAME=DIR")
    p.add_argument("--classifier", default="", help="model whose reasons are maps, too; DIR")
    p.add_argument("--csv", default="", help="table of photographs, instead of the synthetic ones")
    p.add_argument("--image", default="image", help="column of the photograph")
    p.add_argument("--vessels", default="vessels", help="column of the annotation")
    p.add_argument("--participant", default="", help="column of the participant")
    p.add_argument("--copies", type=int, default=10, help="of each photograph of the table")
    p.add_argument("--seed", type=int, default=0, help="of degradation and bootstrap")
    p.add_argument("--output", default="", help="CSV of the table")
    p.add_argument("--folder", default="", help="every map and the truth, as FunPiQ has them")


def run(args: argparse.Namespace) -> None:
    """Prints a table and writes it where asked to.

    Raises:
      ValueError, OSError: nothing is printed or written then.
    """
    workdir = Path(args.workdir)
    section = section_of(workdir)
    if args.csv:
        data, split = open_data(table_section(args, section.side), workdir), "all"
    else:
        data, split = open_data(section, workdir), "test"
    models = {"map": workdir / "model"}
    models |= {n: Path(d) for n, _, d in (m.partition("=") for m in args.model)}
    photographs, people, names = map_kinds.photographs(data, split, in_part=not args.folder)
    maps = map_kinds.of_models(models, photographs)
    if args.classifier:
        maps |= map_kinds.of_classifier(Path(args.classifier), photographs)
    maps["anomaly"], scales = map_kinds.of_recipe(workdir, photographs)
    part = [i for i, f in enumerate(photographs) if localisation.in_part(f["known"], f["bad"])]
    part_people = [people[i] for i in part]
    rows, best = compared(
        {name: [each[i] for i in part] for name, each in maps.items()},
        {name: [[m[i] for i in part] for m in each] for name, each in scales.items()},
        [photographs[i] for i in part],
        part_people,
        args.seed,
    )
    if args.folder:
        every = maps | {name: scales[name][at] for name, at in best.items()}
        given = map_folder.write(Path(args.folder), names, people, photographs, every)
    _show(rows, part_people, data.source.name)
    if args.output:
        _write(Path(args.output), rows)
    if args.folder:
        print(
            f"{len(photographs)} photographs in {args.folder}; "
            "python -m fiqa_jax.benchmark funpiq \\"
        )
        print(f"    --annotations {args.folder}/annotations \\")
        print(f"    --patients {args.folder}/{map_folder.PATIENTS} \\")
        print(" \\\n".join(f"    --maps {shlex.quote(folder)}" for folder in given))


def _show(rows: Sequence[dict[str, Any]], people: Sequence[str], name: str) -> None:
    print(
        f"{name}: {len(people)} photographs of {len(set(people))} people, degraded in part; mean "
        "over photographs [95 % interval]; Dice at each map's best threshold"
    )
    header = ("map", "AUROC", "AP", "Dice", "pooled AUROC", "AUROC, first map minus this")
    names = ("auroc", "ap", "dice", "pooled", "auroc_gap")
    cells = [[f"{row[n]:.3f}" if n in row else "" for n in names] for row in rows]
    print(markdown.table(header, [(r["map"], *c) for r, c in zip(rows, cells, strict=True)]))


def _write(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    metrics = ("auroc", "ap", "dice", "auroc_gap", "ap_gap", "dice_gap")
    header = ["map", "pooled", *(f"{m}{end}" for m in metrics for end in ("", "_low", "_high"))]
    body = []
    for row in rows:
        cells = [row["map"], row["pooled"]]
        for metric in metrics:
            interval = row.get(metric)
            cells += [interval.value, interval.low, interval.high] if interval else ["", "", ""]
        body.append(cells)
    atomic.write_csv(file, header, body)
