"""What a number of the map means, and which level of it is bad: on cameras that were left out.

A cell's truth is the mean of two answers, bad or not (v < 0.25) and usable or bad or neither
(v < 0.6), as the network is trained. For every camera an isotonic regression of that truth on the
map, and a level that few good cells reach, come from the other cameras' copies alone.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from fiqa_jax.benchmark.defect_copies import Copies
from fiqa_jax.benchmark.defect_scores import CALM, Score
from input_pipeline.synthetic.defects import CONTROLS
from input_pipeline.synthetic.truth import BAD, USABLE

BINS = 10  # of equal mass
MIDDLE = 0.5  # the level that ships

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Cells:
    """All tested cells of one camera [n]."""

    value: Floats  # of the map
    truth: Floats  # 0 good, 0.5 usable, 1 bad
    calm: NDArray[np.bool_]  # of a good photograph, as it is or harmlessly changed


@dataclasses.dataclass(frozen=True)
class Row:
    """One way to read the map, over all cameras."""

    way: str
    error: float  # expected calibration error of the cells' values
    level: str  # from which a cell is bad, for each camera
    sensitivity: float  # share of bad cells that reach it
    alarms: float  # share of the good cells of good photographs that reach it


def gathered(sets: Sequence[Copies], score: Score) -> dict[str, Cells]:
    """Cells of each camera's tested copies."""
    out = {}
    for camera in sorted({one.camera for one in sets}):
        value, truth, calm = [], [], []
        for one in (one for one in sets if one.camera == camera):
            for k in np.flatnonzero(one.test):
                v = one.visibility[k]
                known = np.isfinite(v)
                value.append(np.asarray(score(one, int(k)), float)[known])
                truth.append(((v < BAD) + 1.0 * (v < USABLE))[known] / 2)
                kind = str(one.kind[k])
                calm.append(np.full(known.sum(), not kind or kind in CONTROLS))
        out[camera] = Cells(np.concatenate(value), np.concatenate(truth), np.concatenate(calm))
    return out


def calibration_error(value: NDArray[Any], truth: NDArray[Any]) -> float:
    """Mean over cells, in bins of equal mass by `value`, of how far both means lie apart."""
    parts = np.array_split(np.argsort(value, kind="stable"), min(BINS, len(value)))
    apart = [len(part) * abs(value[part].mean() - truth[part].mean()) for part in parts]
    return float(sum(apart) / len(value))


def compared(sets: Sequence[Copies], score: Score) -> list[Row]:
    """The map as it is, after isotonic regression, and with a level of its own for every camera.

    Args:
      sets: copies of photographs of two cameras or more; score: the map, camera left out.
    """
    cells = gathered(sets, score)
    fitted, level = {}, {}
    for camera in cells:
        other = [c for name, c in cells.items() if name != camera]
        value, truth = (np.concatenate([getattr(c, k) for c in other]) for k in ("value", "truth"))
        curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(value, truth)
        fitted[camera] = np.asarray(curve.predict(cells[camera].value), float)
        level[camera] = float(np.quantile(value[truth == 0], 1 - CALM))
    plain = {camera: each.value for camera, each in cells.items()}
    same = dict.fromkeys(cells, MIDDLE)
    return [
        _row("as it is", cells, plain, same),
        _row("isotonic, of the other cameras", cells, fitted, same),
        _row(f"level that {CALM:.0%} of the other cameras' good cells reach", cells, plain, level),
    ]


def _row(
    way: str, cells: dict[str, Cells], value: dict[str, Floats], level: dict[str, float]
) -> Row:
    truth = np.concatenate([each.truth for each in cells.values()])
    calm = np.concatenate([each.calm for each in cells.values()])
    above = np.concatenate([value[camera] >= level[camera] for camera in cells])
    return Row(
        way,
        calibration_error(np.concatenate(list(value.values())), truth),
        " / ".join(sorted({f"{at:.2f}" for at in level.values()})),
        float(above[truth == 1].mean()),
        float(above[calm & (truth == 0)].mean()),
    )
