"""Vessel segmentors and filters on annotated photographs, by one script.

    python -m fiqa_jax.benchmark vessels --csv CHASE/labels.csv --model runs/vessels/model

For every photograph: AUROC and average precision of the pixels inside the field of view against
the annotation. Means over photographs, intervals and paired differences with participants
resampled. Frangi's and Sato's filters (scikit-image, extra `reference`) run on the green channel
with the field's colours continued outside: as it is, as its logarithm and after CLAHE, each at
several scales. Of each filter's settings the best on these very photographs is reported, in its
favour.
"""

import argparse
import csv
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from fiqa_jax.evaluation import intervals, ranking
from fiqa_jax.report import markdown
from input_pipeline import atomic

FILTERS = ("frangi", "sato")
SCALES = ((1, 2, 3), (1, 2, 3, 4), (2, 3), (2, 3, 4), (1, 3, 5, 7, 9))
Segment = Callable[[np.ndarray, np.ndarray], np.ndarray]


def read(path: Path, side: int, mode: str) -> np.ndarray:
    """A picture whose longer side is `side`, `[H, W(, 3)] uint8`.

    Photographs are resampled with antialiasing. Masks (mode 'L') are averaged over area and cut at
    a half; 1 is inside.
    """
    with Image.open(path) as file:
        picture = file.convert("RGB" if mode == "RGB" else "L")
    longest = max(picture.size)
    if longest != side:
        size = [max(1, round(x * side / longest)) for x in picture.size]
        how = Image.Resampling.LANCZOS if mode == "RGB" else Image.Resampling.BOX
        picture = picture.resize(size, how)
    array = np.asarray(picture)
    return array if mode == "RGB" else (array >= 128).astype(np.uint8)


def field_of(image: np.ndarray) -> np.ndarray:
    """The largest bright region with holes filled, `[H, W] uint8`, where no mask is given."""
    bright = image.max(-1) > 20
    labels, count = ndimage.label(bright)
    if not count:
        return np.ones(image.shape[:2], np.uint8)
    sizes = ndimage.sum_labels(bright, labels, np.arange(1, count + 1))
    return ndimage.binary_fill_holes(labels == 1 + int(np.argmax(sizes))).astype(np.uint8)


def continued(image: np.ndarray, fov: np.ndarray) -> np.ndarray:
    """The image with every pixel outside the field taking the colour of the nearest one inside."""
    inside = ndimage.binary_erosion(fov > 0, iterations=3)
    place = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    return image[tuple(place)]


def ridge_filters() -> dict[str, Segment]:
    """Frangi and Sato at every scale of SCALES on three forms of the green channel, by name."""
    try:
        from skimage import exposure, filters
    except ImportError:
        raise ValueError(
            "Frangi's and Sato's filters need scikit-image: pip install 'fiqa-jax[enhance]', or "
            "leave them out by --no-filters"
        ) from None

    forms: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "green": lambda green: green,
        "logarithm": lambda green: np.log(green + 0.02),
        "CLAHE": lambda green: exposure.equalize_adapthist(green, clip_limit=0.02),
    }

    def ridge(kind: Callable[..., np.ndarray], form: str, sigmas: tuple[int, ...]) -> Segment:
        def segment(image: np.ndarray, fov: np.ndarray) -> np.ndarray:
            green = continued(image, fov)[..., 1].astype(np.float64) / 255.0
            return kind(forms[form](green), sigmas=sigmas, black_ridges=True)

        return segment

    return {
        f"{name} {form} {sigmas}": ridge(kind, form, sigmas)
        for name, kind in (("frangi", filters.frangi), ("sato", filters.sato))
        for form in forms
        for sigmas in SCALES
    }


def vessel_channel(name: str) -> Segment:
    """A segmentor of `fiqa_jax.inference.segmentors`, its vessel probability alone."""
    from fiqa_jax.inference import segmentors

    segment = segmentors.load(name)
    return lambda image, fov: segment(image, fov)[..., 2]


def score(probability: np.ndarray, truth: np.ndarray, fov: np.ndarray) -> tuple[float, float]:
    """AUROC and average precision of one photograph's pixels inside the field."""
    inside = fov > 0
    vessel, value = truth[inside] > 0, probability[inside]
    return ranking.auroc(vessel, value), ranking.average_precision(vessel, value)


@dataclasses.dataclass(frozen=True)
class Annotated:
    """A photograph `[H, W, 3]`, its annotation and field `[H, W]` (uint8), and whose it is."""

    id: str
    who: str
    image: np.ndarray
    truth: np.ndarray
    fov: np.ndarray


def photographs(args: argparse.Namespace) -> list[Annotated]:
    """Every row of the table, at the side asked for.

    Raises:
      ValueError: columns or files that are not there.
    """
    root = Path(args.csv).parent
    with open(args.csv, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    out: list[Annotated] = []
    for row in rows:
        for column in (args.image, args.vessels):
            if column not in row:
                raise ValueError(f"{args.csv}: no column {column!r}; there are {list(row)}")
        image = read(root / row[args.image], args.side, "RGB")
        truth = read(root / row[args.vessels], args.side, "L")
        if truth.shape != image.shape[:2]:
            raise ValueError(
                f"{row[args.vessels]}: {truth.shape} pixels, its photograph {image.shape[:2]}"
            )
        has_field = bool(row.get(args.fov))
        fov = read(root / row[args.fov], args.side, "L") if has_field else field_of(image)
        who = row.get(args.participant) or row[args.image]
        out.append(Annotated(row[args.image], who, image, truth, fov))
    return out


def add_arguments(p: argparse.ArgumentParser) -> None:
    """The flags; see the module's docstring."""
    p.add_argument("--csv", required=True, help="table of photographs and annotations")
    p.add_argument("--image", default="image", help="column of the photograph")
    p.add_argument("--vessels", default="vessels", help="column of the annotation")
    p.add_argument("--fov", default="fov", help="column of the field mask, if there is one")
    p.add_argument("--participant", default="participant", help="column of the participant")
    p.add_argument("--side", type=int, default=512, help="pixels of the longer side")
    p.add_argument("--model", action="append", default=[], help="model directory; repeatable")
    p.add_argument(
        "--weights",
        "--wnet",
        action="append",
        default=[],
        help="converted W-Net, RRWNet or R2-V2; repeatable",
    )
    p.add_argument("--no-filters", action="store_true", help="leave out Frangi and Sato")
    p.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    p.add_argument("--output", default="", help="CSV of every photograph's numbers")


def run(args: argparse.Namespace) -> None:
    """Prints a table and writes it where asked to.

    Raises:
      ValueError, OSError: nothing is printed or written then.
    """
    annotated = photographs(args)
    methods = {f"model {m}": vessel_channel(m) for m in args.model}
    methods |= {f"weights {Path(w).stem}": vessel_channel(w) for w in args.weights}
    methods |= {} if args.no_filters else ridge_filters()
    numbers = {
        name: np.array([score(segment(x.image, x.fov), x.truth, x.fov) for x in annotated])
        for name, segment in methods.items()
    }
    who = [x.who for x in annotated]
    _print(numbers, who, args.seed)
    if args.output:
        rows = [
            (x.id, x.who, name, *values[i])
            for name, values in numbers.items()
            for i, x in enumerate(annotated)
        ]
        atomic.write_csv(args.output, ("image", "participant", "method", "auroc", "ap"), rows)


def _print(numbers: dict[str, np.ndarray], who: Sequence[str], seed: int) -> None:
    """One line a method; for each model also its paired difference from both filters' best."""
    people = len(set(who))
    print(f"{len(who)} photographs of {people} participants; mean over photographs [95 % interval]")
    kinds = {kind: [n for n in numbers if n.split()[0] == kind] for kind in FILTERS}
    best = {
        kind: [max(names, key=lambda n: numbers[n][:, k].mean()) for k in (0, 1)]
        for kind, names in kinds.items()
        if names
    }
    ridge = [n for names in kinds.values() for n in names]
    shown = [n for n in numbers if n not in ridge]
    shown += sorted({name for pair in best.values() for name in pair})
    rows = [(name, *(_cell(numbers[name][:, k], who, seed) for k in (0, 1))) for name in shown]
    for name in (n for n in numbers if n.startswith("model ")):
        for kind, pair in best.items():
            gaps = [numbers[name][:, k] - numbers[pair[k]][:, k] for k in (0, 1)]
            cells = (_cell(gap, who, seed) for gap in gaps)
            rows.append((f"{name} less the best {kind}", *cells))
    print(markdown.table(("method", "AUROC", "AP"), rows))


def _cell(values: np.ndarray, who: Sequence[str], seed: int) -> str:
    return f"{intervals.mean_interval(values, who, seed=seed):.4f}"
