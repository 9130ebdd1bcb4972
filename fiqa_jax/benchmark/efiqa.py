"""Quality maps against known truth, on photographs that were degraded in part.

    python -m fiqa_jax.benchmark efiqa --workdir runs/efiqa
    python -m fiqa_jax.benchmark efiqa --workdir runs/efiqa --csv CHASE_DB1/labels.csv

Without a table: the held-out drawings of the recipe. With one: photographs with masks of their
vessels, degraded in a part with known truth. Beside the recipe's model (and further ones,
`--model`) stand local Laplacian energy, the density of the vessels that its segmentor finds (both
at the best of several scales on these very photographs, in their favour), the anomaly of its
inpainting network, and each model's image mean spread over the photograph, which finds nothing by
construction.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict
from numpy.typing import NDArray
from scipy import ndimage

from fiqa_jax import defaults, localise, model_dir
from fiqa_jax.data import Data, open_data
from fiqa_jax.stats import Interval
from input_pipeline import atomic

SCALES = (4, 8, 16, 32)  # pixels, deviation of the Gaussian window
BATCH = 8
Arrays = dict[str, NDArray[Any]]


def laplacian(image: NDArray[np.uint8], fov: NDArray[np.uint8], sigma: float) -> NDArray[Any]:
    """Lack of local Laplacian energy in green, `[S, S]`, higher = worse.

    Args:
      image: `[S, S, 3]`; `fov`: `[S, S]`; `sigma`: deviation of the window in pixels.
    """
    inside = ndimage.binary_erosion(fov > 0, iterations=2)
    energy = np.abs(ndimage.laplace(image[..., 1].astype(np.float32)))
    return -windowed(energy, inside, sigma)


def windowed(values: NDArray[Any], inside: NDArray[np.bool_], sigma: float) -> NDArray[Any]:
    """Mean of `values [S, S]` in a Gaussian window over pixels inside the field."""
    weight = ndimage.gaussian_filter(inside.astype(np.float32), sigma)
    mean = ndimage.gaussian_filter(np.where(inside, values, 0).astype(np.float32), sigma)
    return mean / np.maximum(weight, 1e-6)


def photographs(data: Data, split: str) -> tuple[list[Arrays], list[str]]:
    """Photographs of a split that are degraded in part, and whose they are."""
    kept, people = [], []
    for row in data.rows(split):
        example = data.source.read(int(row))
        known, bad = localise.truth_pixels(example["map"], example["fov"])
        if localise.in_part(known, bad):
            kept.append({**example, "known": known, "bad": bad})
            people.append(str(data.source.table.patient[row]))
    return kept, people


def predicted(model: model_dir.Model, found: Sequence[Arrays], keys: Sequence[str]) -> list[Arrays]:
    """Some outputs of a model for every photograph."""
    out: list[Arrays] = []
    for first in range(0, len(found), BATCH):
        part = list(found[first : first + BATCH])
        filled = part + [part[-1]] * (BATCH - len(part))
        batch = {k: np.stack([p[k] for p in filled]) for k in ("image", "fov")}
        batch["index"] = np.arange(BATCH, dtype=np.int32)
        result = model.predict(batch)
        out += [{k: result[k][i] for k in keys} for i in range(len(part))]
    return out


def kinds_of_maps(
    workdir: Path, models: dict[str, Path], found: Sequence[Arrays]
) -> tuple[dict[str, list[NDArray[Any]]], dict[str, list[list[NDArray[Any]]]]]:
    """Maps of every photograph, by name; and those of which the best scale is taken."""
    maps: dict[str, list[NDArray[Any]]] = {}
    for name, path in models.items():
        rows = predicted(model_dir.load(path), found, ("map", "score"))
        maps[name] = [r["map"] for r in rows]
        maps[f"{name}, image mean"] = [np.full((2, 2), r["score"], np.float32) for r in rows]
    segmentor = model_dir.load(workdir / "segmentor" / "model")
    vessels = [r["vessels"] for r in predicted(segmentor, found, ("vessels",))]
    inpaint = model_dir.load(workdir / "threshold" / "model")
    stored = [
        {"image": np.rint(v * 255).astype(np.uint8), "fov": f["fov"]}
        for v, f in zip(vessels, found, strict=True)
    ]
    maps["anomaly"] = [r["cells"] for r in predicted(inpaint, stored, ("cells",))]
    scales: dict[str, list[list[NDArray[Any]]]] = {"Laplacian energy": [], "vessel density": []}
    for sigma in SCALES:
        scales["Laplacian energy"].append([laplacian(f["image"], f["fov"], sigma) for f in found])
        scales["vessel density"].append(
            [-windowed(v[..., 2], f["fov"] > 0, sigma) for v, f in zip(vessels, found, strict=True)]
        )
    return maps, scales


def compared(
    workdir: Path, models: dict[str, Path], data: Data, split: str, seed: int
) -> tuple[list[dict[str, Any]], int, list[str]]:
    """Rows of `localise.rows`, the number of photographs, and the names of their people.

    Raises:
      ValueError: no photograph is degraded in part.
    """
    found, people = photographs(data, split)
    known, bad = [f["known"] for f in found], [f["bad"] for f in found]
    if not found:
        localise.measure([], known, bad)
    maps, scales = kinds_of_maps(workdir, models, found)
    measured = {name: localise.measure(m, known, bad) for name, m in maps.items()}
    for name, each in scales.items():
        options = [localise.measure(m, known, bad) for m in each]
        measured[name] = max(options, key=lambda f: f.auroc.mean())
    rows = localise.rows(measured, people, next(iter(models)), seed)
    return rows, len(found), people


def section_of(workdir: Path) -> ConfigDict:
    """The `data` section of the recipe's test photographs.

    Raises:
      ValueError: the folder is not that of the recipe.
    """
    file = workdir / "recipe.json"
    recipe = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
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


def main(argv: Sequence[str]) -> int:
    """Command line; prints a table and writes it as CSV."""
    parser = argparse.ArgumentParser(
        prog="python -m fiqa_jax.benchmark efiqa", description="Quality maps against known truth."
    )
    parser.add_argument("--workdir", required=True, help="of configs/efiqa.py")
    parser.add_argument("--model", action="append", default=[], help="further ones; NAME=DIR")
    parser.add_argument("--csv", default="", help="table of photographs, instead of the drawings")
    parser.add_argument("--image", default="image", help="column of the photograph")
    parser.add_argument("--vessels", default="vessels", help="column of the annotation")
    parser.add_argument("--participant", default="", help="column of the participant")
    parser.add_argument("--copies", type=int, default=10, help="of each photograph of the table")
    parser.add_argument("--seed", type=int, default=0, help="of degradation and bootstrap")
    parser.add_argument("--output", default="", help="CSV of the table")
    args = parser.parse_args(argv)
    workdir = Path(args.workdir)
    try:
        section = section_of(workdir)
        if args.csv:
            data, split = open_data(table_section(args, section.side), workdir), "all"
        else:
            data, split = open_data(section, workdir), "test"
        models = {"map": workdir / "model"}
        models |= {n: Path(d) for n, _, d in (m.partition("=") for m in args.model)}
        rows, count, people = compared(workdir, models, data, split, args.seed)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    _show(rows, count, people, data.source.name)
    if args.output:
        _write(Path(args.output), rows)
    return 0


def _show(rows: Sequence[dict[str, Any]], count: int, people: Sequence[str], name: str) -> None:
    print(
        f"{name}: {count} photographs of {len(set(people))} people, degraded in part; mean over "
        "photographs [95 % interval]; Dice at each map's best threshold"
    )
    print("| map | AUROC | AP | Dice | pooled AUROC | AUROC, first map minus this |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        cells = [_cell(row[m]) for m in ("auroc", "ap", "dice")]
        gap = _cell(row["auroc_gap"]) if "auroc_gap" in row else ""
        print(f"| {row['map']} | {' | '.join(cells)} | {row['pooled']:.3f} | {gap} |")


def _cell(found: Interval) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _write(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    metrics = ("auroc", "ap", "dice", "auroc_gap", "ap_gap", "dice_gap")
    header = ["map", "pooled", *(f"{m}{end}" for m in metrics for end in ("", "_low", "_high"))]
    body = []
    for row in rows:
        cells = [row["map"], row["pooled"]]
        for metric in metrics:
            found = row.get(metric)
            cells += [found.value, found.low, found.high] if found else ["", "", ""]
        body.append(cells)
    atomic.write_csv(file, header, body)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
