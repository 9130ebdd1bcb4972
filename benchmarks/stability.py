"""How much a model's answer moves though the photograph stays the same.

    python benchmarks/stability.py --model open --table photographs.csv --most 100

The table has a column `path`. Every photograph is judged as it is and again at fields of 256 to
1,024 px, as JPEG of quality 60 and 95, turned, mirrored, padded with black, in another colour and
with each of the engine's harmless changes (`input_pipeline.synthetic.defects.CONTROLS`). Printed,
for each change: the share of scores that move by at most .05, of decisions that stay, and of bad
areas that move by at most 5 points.
"""

import argparse
import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fiqa_jax.inference.predictor import Predictor
from input_pipeline.photo import decode
from input_pipeline.photo.reader import read_photo
from input_pipeline.synthetic.defects import CONTROLS, Item, apply, prepare

SIDES = (256, 400, 700, 1024)
SCORE, AREA = 0.05, 0.05


def saved(image: Image.Image, quality: int = 95) -> bytes:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return data.getvalue()


def of_side(image: Image.Image, side: int) -> Image.Image | None:
    """With a shorter side of `side` pixels, never enlarged by more than a tenth."""
    scale = side / min(image.size)
    if scale > 1.1:
        return None
    size = tuple(round(n * scale) for n in image.size)
    return image.resize((size[0], size[1]), Image.Resampling.BICUBIC)


def cast(image: Image.Image) -> Image.Image:
    gains = np.array([1.06, 0.97, 0.9])
    return Image.fromarray((np.asarray(image) * gains).clip(0, 255).astype(np.uint8))


def variants(image: Image.Image) -> dict[str, bytes]:
    """Name of a change -> the file."""
    changes: dict[str, Callable[[], Image.Image | None]] = {
        "turned by 90": lambda: image.transpose(Image.Transpose.ROTATE_90),
        "mirrored": lambda: ImageOps.mirror(image),
        "padded": lambda: ImageOps.expand(image, min(image.size) // 6),
        "colour": lambda: cast(image),
    } | {f"{s} px": (lambda s=s: of_side(image, s)) for s in SIDES}
    made = {name: change() for name, change in changes.items()}
    out = {name: saved(one) for name, one in made.items() if one is not None}
    return out | {f"JPEG {q}": saved(image, q) for q in (60, 95)}


def controls(path: str, k: int) -> dict[str, np.ndarray]:
    """Three of the harmless changes at the engine's side, and the photograph at that side."""
    photo = read_photo(path, 512)
    base = prepare(photo.image, photo.fov)
    names = [list(CONTROLS)[(3 * k + j) % len(CONTROLS)] for j in range(3)]
    out = {"": apply(base, [], k).image}
    return out | {f"control {n}": apply(base, [Item(n, 0.9, k)], k).image for n in names}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--model", required=True)
    p.add_argument("--table", type=Path, required=True)
    p.add_argument("--most", type=int, default=0, help="photographs, evenly taken; 0 for all")
    p.add_argument("--controls", action="store_true", help="the harmless changes alone")
    args = p.parse_args()
    predictor = Predictor(args.model, allow_frame=True)
    with open(args.table, newline="") as file:
        paths = [str(args.table.parent / row["path"]) for row in csv.DictReader(file)]
    if args.most:
        paths = paths[:: max(1, len(paths) // args.most)][: args.most]
    found: dict[str, list[tuple[float, bool, float]]] = {}
    for k, path in enumerate(paths):
        if args.controls:
            files = controls(path, k)
            first = predictor(files.pop(""))
        else:
            files = variants(decode.decode(path).image.convert("RGB"))
            first = predictor(path)
        for name, file in files.items():
            row = predictor(file)
            if row["status"] != "ok" or first["status"] != "ok":
                found.setdefault(name, []).append((np.inf, False, np.inf))
                continue
            move = [abs(row[key] - first[key]) for key in ("score", "bad_area")]
            found.setdefault(name, []).append(
                (move[0], row["decision"] == first["decision"], move[1])
            )
    print(f"{predictor.name}, {len(paths)} photographs")
    print("| change | count | score within .05 | same decision | bad area within 5 points |")
    print("| --- | --- | --- | --- | --- |")
    every = [one for each in found.values() for one in each]
    for name, each in [*found.items(), ("all", every)]:
        score, same, area = (np.array(v) for v in zip(*each, strict=True))
        print(
            f"| {name} | {len(each)} | {(score <= SCORE).mean():.3f} | {same.mean():.3f} "
            f"| {(area <= AREA).mean():.3f} |"
        )


if __name__ == "__main__":
    main()
