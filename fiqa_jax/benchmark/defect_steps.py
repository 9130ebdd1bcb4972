"""What each part of the network of cells is worth: the same folds without it, or with more.

Every row leaves cameras out as the network itself does; a row differs from the network in what its
name says and in nothing else.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fiqa_jax.benchmark import defect_maps
from fiqa_jax.benchmark.defect_copies import Copies
from fiqa_jax.benchmark.defect_fit import Fitted, Settings
from fiqa_jax.benchmark.defect_scores import Score
from fiqa_jax.models import cell_measures, cell_network
from input_pipeline.synthetic.defects import CONTROLS
from input_pipeline.synthetic.truth import BAD, USABLE

# Measures by what they know; a name belongs where it begins so.
WITHOUT = {
    "the noise floor": ("over_noise", "noise"),
    "colour": ("mean_red", "mean_blue", "red_green", "blue_green", "lowest_blue", "agreement"),
    "ridges, spots and directions": ("ridge", "bright_ridge", "spot", "coherence"),
}


def alone(x: NDArray[Any]) -> NDArray[np.float32]:
    """Cells `[n, h, w, F]` beside their difference to the photograph's mean `[n, h, w, 2 F]`."""
    cells = jnp.asarray(x, jnp.float32)
    mask = cell_measures.inside(cells)[..., None].astype(cells.dtype)
    return np.asarray(jnp.concatenate([cells, cells - cell_network.mean_inside(cells, mask)], -1))


def classifier(sets: Sequence[Copies], model: Any) -> Fitted:
    """A classifier of scikit-learn on single cells, bad against good; usable ones do not count."""
    x, bad = [], []
    for one in sets:
        v = one.visibility
        known = np.isfinite(v) & ((v < BAD) | (v >= USABLE))
        x.append(alone(one.cells)[known])
        bad.append(v[known] < BAD)
    model.fit(np.concatenate(x), np.concatenate(bad))

    def mapped(cells: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
        flat = alone(cells)
        values = model.predict_proba(flat.reshape(-1, flat.shape[-1]))[:, 1]
        quality = values.reshape(flat.shape[:-1]).astype(np.float32)
        return {"map": quality, "causes": np.full((*quality.shape, 4), 0.25, np.float32)}

    return mapped


def blinded(sets: Sequence[Copies], begins: tuple[str, ...]) -> list[Copies]:
    """Copies whose measures with such names are 0 everywhere."""
    keep = np.array([not name.startswith(begins) for name in cell_measures.NAMES])
    return [dataclasses.replace(one, cells=one.cells * keep.astype(np.float16)) for one in sets]


def steps(sets: Sequence[Copies], settings: Settings) -> Iterator[tuple[str, Score]]:
    """Name and map of each row, camera left out.

    Args:
      sets: copies of photographs of two cameras or more; settings: of the network itself.
    """
    for name, model in (
        ("logistic regression of a cell", LogisticRegression(max_iter=300)),
        ("boosted trees of a cell", HistGradientBoostingClassifier(random_state=settings.seed)),
    ):
        fit = functools.partial(classifier, model=make_pipeline(StandardScaler(), model))
        yield name, defect_maps.held_out(sets, fit)["map"]
    for name, change in (
        ("network that sees no neighbours", {"blocks": 0}),
        ("network twice as wide", {"width": 2 * settings.width}),
        ("network trained three times as long", {"steps": 3 * settings.steps}),
    ):
        yield name, defect_maps.fitted(sets, dataclasses.replace(settings, **change))["map"]
    for name, begins in WITHOUT.items():
        yield f"network without {name}", defect_maps.fitted(blinded(sets, begins), settings)["map"]
    found = defect_maps.fitted(sets, settings, list(CONTROLS))["map"]
    yield "network never shown harmless changes", found
