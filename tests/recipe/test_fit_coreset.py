"""The coreset: selection on a line, scale by hand, and a fitted model that reads photographs."""

import dataclasses
import json

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors

from fiqa_jax import defaults
from fiqa_jax.inference import model_dir
from fiqa_jax.methods import patchcore
from fiqa_jax.pretrained import encoders
from fiqa_jax.recipe import fit_coreset
from fiqa_jax.recipe.data import Data
from fiqa_jax.recipe.jobs import Job, RecipeError
from input_pipeline import synthetic
from input_pipeline.storage import shards
from input_pipeline.tables.examples import Source, Table

SIDE, TRAIN, VAL = 64, 4, 2


def test_greedy_on_a_line():
    """Farthest from the mean (3.8) is 10; then the far end; then the middle of what is left."""
    points = np.array([[0], [1], [2], [6], [10]], np.float32)
    assert fit_coreset.greedy(points, 5).tolist() == [4, 0, 3, 2, 1]
    assert fit_coreset.greedy(points, 3).tolist() == [4, 0, 3]
    same = np.ones((4, 3), np.float32)
    assert sorted(fit_coreset.greedy(same, 4).tolist()) == [0, 1, 2, 3]


def test_greedy_follows_the_matrix_of_distances():
    """The released start is the largest root of summed squares of distances; then max-min."""
    points = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    gap = pairwise_distances(points)
    chosen = fit_coreset.greedy(points, 12).tolist()
    assert chosen[0] == np.linalg.norm(gap, axis=1).argmax()
    for k in range(1, 12):
        assert chosen[k] == gap[:, chosen[:k]].min(1).argmax()


def test_projection_keeps_distances_roughly():
    points = np.random.default_rng(0).normal(size=(20, 600)).astype(np.float32)
    got = fit_coreset.projected(points, 200, seed=0)
    assert got.shape == (20, 200)
    assert got.dtype == np.float32
    apart = ~np.eye(20, dtype=bool)
    ratio = pairwise_distances(got)[apart] / pairwise_distances(points)[apart]
    assert 0.75 < ratio.min() < ratio.max() < 1.25
    assert fit_coreset.projected(points, 0, seed=0) is points
    assert fit_coreset.projected(points, 600, seed=0) is points


def test_rule():
    """The median of 0 ... 100 gets a tenth, the 99th percentile a half, one far off nearly all."""
    distance = np.arange(101, dtype=np.float32)
    made = fit_coreset.rule(distance)
    got = np.asarray(patchcore.unit(np.array([50.0, 99.0, 990.0], np.float32), made))
    np.testing.assert_allclose(got[:2], [0.1, 0.5], rtol=1e-5)
    assert 0.99 < got[2] < 1
    assert np.isfinite(fit_coreset.rule(np.ones(5, np.float32))).all()  # no spread
    with pytest.raises(ValueError, match="are those that the coreset was made from"):
        fit_coreset.rule(np.zeros(5, np.float32))


def test_standardised():
    cells = np.array([[1, 5], [3, 5]], np.float32)
    found = fit_coreset.standardised(cells, True)
    np.testing.assert_array_equal(found["mean"], [2, 5])
    np.testing.assert_array_equal(found["deviation"], [1, 1])  # that never changes: as it is
    np.testing.assert_array_equal(fit_coreset.standardised(cells, False)["mean"], [0, 0])


def photographs(labels=None):
    """Six of a source; four to learn from, two held out."""
    count = TRAIN + VAL
    ids = np.array([f"p{i}" for i in range(count)])
    none = np.array([""] * count)
    table = Table(ids, ids, none, labels or {}, (), (), (), none)
    section = defaults.base().data
    section.side = SIDE
    reader = shards.ShardReader((), ())
    split = np.array(["train"] * TRAIN + ["val"] * VAL)
    return Data(Source("hand", table, np.arange(count), reader), split, section)


def test_photographs_with_labels():
    labels = {
        "quality": np.array([0, 1, 2, 0, 2, 0], np.int32),
        "ungradable": np.array([0, 0, 1, 0, 1, 0], np.int32),
    }
    assert fit_coreset.good_rows(photographs(labels), "train").tolist() == [0, 3]
    labels.pop("quality")
    assert fit_coreset.good_rows(photographs(labels), "train").tolist() == [0, 1, 3]
    assert fit_coreset.good_rows(photographs(), "val").tolist() == [4, 5]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Photographs, and a finished stage that stored their features by `pixels`."""
    root = tmp_path_factory.mktemp("coreset")
    eyes = [synthetic.draw(k, SIDE, "a") for k in range(TRAIN + VAL)]
    image = np.stack([e.image for e in eyes])
    fov = np.stack([e.fov for e in eyes])
    encoder = encoders.load("pixels")
    features = encoder.features(image).astype(np.float16)
    seen = (fov > 0).reshape(len(eyes), 4, 16, 4, 16).mean((2, 4)).astype(np.float32)
    ids = photographs().source.table.id.tolist()
    shards.fill(root / "good", ids, 4, lambda _: [{"features": features, "seen": seen}])
    settings = {"of": "", "encoder": "pixels", "size": 0, "data.side": SIDE}
    (root / "good" / "stage.json").write_text(json.dumps({"settings": settings}))
    return root, image, fov, features.astype(np.float32), seen


def job(root, name, **own):
    c = defaults.base()
    inputs = (("features", "good", "features"), ("seen", "good", "seen"))
    stage = defaults.add_stage(
        c, "here", "fit", artefact="coreset", inputs=inputs, method=own, data={"side": SIDE}
    )
    return Job("here", "fit", stage, 0, 0, 1, "", root / name, {"good": (root / "good",)})


def test_fitted_model_reads_photographs(stored):
    """Its map of a photograph follows from scikit-learn's distances to the members."""
    root, image, fov, features, seen = stored
    facts = fit_coreset.coreset_fit(job(root, "part", share=0.25), root, photographs)
    cells = np.asarray(patchcore.aggregate(features, seen, 3))
    inside = seen >= 0.5
    good = cells[:TRAIN][inside[:TRAIN]]
    assert (facts["cells"], facts["members"]) == (len(good), round(len(good) / 4))
    assert facts["held-out cells"] == inside[TRAIN:].sum()
    model = model_dir.load(root / "part" / "model")
    weights = model.variables["params"]
    mean, deviation = good.mean(0), good.std(0)
    np.testing.assert_allclose(weights["mean"], mean, rtol=1e-5, atol=1e-6)
    scaled = (cells - weights["mean"]) / weights["deviation"]
    assert deviation.min() > 1e-6
    tree = NearestNeighbors(n_neighbors=1).fit(weights["coreset"])
    distance = tree.kneighbors(scaled.reshape(-1, cells.shape[-1]))[0].reshape(inside.shape)
    high = np.percentile(distance[TRAIN:][inside[TRAIN:]], 99)
    assert facts["a half at"] == pytest.approx(high, rel=1e-4)
    power = weights["cells"][1]
    want = np.where(inside, distance**power / (distance**power + high**power), 0)
    out = model.predict({"image": image[TRAIN:], "fov": fov[TRAIN:]})
    # the stored features were rounded to float16, those of the model were not
    np.testing.assert_allclose(out["map"], want[TRAIN:], atol=0.02)
    assert ((out["score"] >= 0) & (out["score"] <= 1)).all()


def test_what_was_learned_is_not_anomalous(stored):
    """All cells are members: a photograph of theirs has none that is bad, a spoilt one has."""
    root, image, fov, *_ = stored
    fit_coreset.coreset_fit(job(root, "whole", share=1.0), root, photographs)
    model = model_dir.load(root / "whole" / "model")
    spoilt = image[:1].copy()
    spoilt[:, : SIDE // 2] = 255
    clean, bad = (model.predict({"image": x, "fov": fov[:1]}) for x in (image[:1], spoilt))
    assert clean["map"].max() < 0.01
    assert bad["map"][0, 0].max() > 0.9
    np.testing.assert_allclose(bad["map"][0, 3], clean["map"][0, 3], atol=1e-5)  # far from it
    assert bad["score"][0] > 0.9 > 0.1 > clean["score"][0]


def test_what_cannot_be_fitted(stored):
    root, *_ = stored
    with pytest.raises(RecipeError, match=r"are too few for method\.share=0\.01"):
        fit_coreset.coreset_fit(job(root, "few", share=0.01), root, photographs)
    none = dataclasses.replace(photographs(), split=np.array(["train"] * 6))
    with pytest.raises(RecipeError, match="no good photographs in the split 'val'"):
        fit_coreset.coreset_fit(job(root, "none"), root, lambda: none)
    bare = job(root, "bare")
    bare.config.inputs = (("seen", "good", "seen"),)
    with pytest.raises(RecipeError, match="needs features of good photographs"):
        fit_coreset.coreset_fit(bare, root, photographs)
    assert not any((root / name).exists() for name in ("few", "none", "bare"))


def test_settings_come_with_the_artefact():
    c = defaults.base()
    stage = defaults.add_stage(c, "s", "fit", artefact="coreset", method={"share": 0.5})
    assert (stage.method.share, stage.method.reach) == (0.5, 3)
    other = defaults.add_stage(c, "t", "fit", artefact="calibration")
    assert not dict(other.method)
