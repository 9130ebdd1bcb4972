"""Fits the weights of the reader's test of scope and writes them as Python.

    python benchmarks/scope_fit.py HRF CHASE_DB1 IDRiD \
        --output input_pipeline/photo/scope_weights.py

Folders of photographs of eyes that may train what is shipped (these three are CC BY 4.0); synthetic
fundus images are added. Each photograph is spoilt many times over, the other pictures are drawn
(`scope_pictures`). The cut is set where a given share of the eyes is refused in parts left out of
the fit (--refused). Two minutes on one core.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scope_pictures
from PIL import Image
from sklearn.linear_model import LogisticRegression

from input_pipeline import synthetic
from input_pipeline.photo import scope
from input_pipeline.photo.fields.field import SEARCH_SIDE, find_field

TEMPLATE = '''"""Weights of `scope`'s logistic regression; written by benchmarks/scope_fit.py.

Fitted on {eyes} spoilt photographs of eyes and {others} drawn pictures of other things. In five
parts left out of the fit in turn, photograph by photograph, {refused:.2%} of the eyes are refused
and {passed:.1%} of the other pictures pass.
"""

# In the order of scope.NAMES; WEIGHTS in that of scope.terms.
MEAN = ({mean})
SPREAD = ({spread})
EYE = ({eye})  # medians of the eyes, in standard deviations
WEIGHTS = ({weights})
BIAS = {bias:.4f}
CUT = {cut:.4f}  # a smaller probability is out of scope
'''


def features(image: np.ndarray) -> np.ndarray | None:
    """Of a picture, where the decision is the regression's: colour, and something in it."""
    field = find_field(image)
    found = scope.measure(image, field)
    if (
        found is None
        or found.grey > scope.ONE_COLOUR
        or found.light < 0.1
        or found.white > 0.9
        or found.fine < scope.NO_DETAIL
    ):
        return None
    return found.features


def photographs(folders: Sequence[Path], drawn: int) -> list[np.ndarray]:
    """Of the folders, at up to 512 pixels, and synthetic ones."""
    found = []
    for folder in folders:
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".png", ".tif"))
        for file in files:
            with Image.open(file) as image:
                image.draft("RGB", (2 * SEARCH_SIDE, 2 * SEARCH_SIDE))
                image = image.convert("RGB")
                image.thumbnail((2 * SEARCH_SIDE, 2 * SEARCH_SIDE))
                found.append(np.asarray(image))
    found += [synthetic.draw(seed, SEARCH_SIDE, "abc").image for seed in range(drawn)]
    return found


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("folders", nargs="+", type=Path)
    p.add_argument("--output", type=Path, required=True)
    p.add_argument("--copies", type=int, default=5, help="of each photograph (%(default)s)")
    p.add_argument("--drawn", type=int, default=30, help="synthetic fundus images (%(default)s)")
    p.add_argument("--others", type=int, default=1100, help="other pictures (%(default)s)")
    p.add_argument("--refused", type=float, default=0.05, help="of the spoilt eyes (%(default)s)")
    args = p.parse_args()
    rng = np.random.default_rng(0)
    rows, truth, group = [], [], []
    for number, photograph in enumerate(photographs(args.folders, args.drawn)):
        for _ in range(args.copies):
            found = features(scope_pictures.spoilt(photograph, rng))
            if found is not None:
                rows.append(found)
                truth.append(1)
                group.append(number % 5)
    for number in range(args.others):
        found = features(scope_pictures.other_picture(rng)[1])
        if found is not None:
            rows.append(found)
            truth.append(0)
            group.append(number % 5)
    text = weights(np.array(rows), np.array(truth), np.array(group), args.refused)
    args.output.write_text(text, encoding="utf-8")
    print(text)


def weights(x: np.ndarray, y: np.ndarray, part: np.ndarray, refused: float) -> str:
    """The module of weights from features [N, F], 1 for eyes [N], and parts 0 to 4 [N]."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    standard = np.clip((x - mean) / spread, -scope.LIMIT, scope.LIMIT)
    z = scope.terms(standard)
    held = np.empty(len(y))
    for k in range(5):
        held[part == k] = fitted(z[part != k], y[part != k]).predict_proba(z[part == k])[:, 1]
    model = fitted(z, y)
    cut = float(np.quantile(held[y == 1], refused))

    def line(values: np.ndarray) -> str:
        return ", ".join(f"{value:.4f}" for value in values)

    return TEMPLATE.format(
        eyes=int(y.sum()),
        others=int((1 - y).sum()),
        refused=float(np.mean(held[y == 1] < cut)),
        passed=float(np.mean(held[y == 0] >= cut)),
        mean=line(mean),
        spread=line(spread),
        eye=line(np.median(standard[y == 1], axis=0)),
        weights=line(model.coef_[0]),
        bias=model.intercept_[0],
        cut=cut,
    )


def fitted(z: np.ndarray, y: np.ndarray) -> LogisticRegression:
    return LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000).fit(z, y)


if __name__ == "__main__":
    main()
