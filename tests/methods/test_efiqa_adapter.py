"""The adapter: PyTorch's weighted loss, cells outside the field, maps and scores, equality."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equal import assert_equal_over_devices, train
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from fiqa_jax import defaults
from fiqa_jax.methods import efiqa_adapter
from fiqa_jax.training import method as base


def build(precision="float32", steps=5, features=(4, 4, 6), weight_decay=0.01, counts=None, **own):
    c = defaults.base()
    c.method.update({**defaults.METHODS["adapter"], **own})
    c.model.precision = precision
    c.optim.update({"lr": 1e-2, "schedule": "constant", "clip": 0.0})
    c.optim.weight_decay = weight_decay
    c.optim.decay = ((".*", 1.0),)
    data = base.DataSpec(8, 3, (), (), (), counts or {}, (0.0,) * 3, (1.0,) * 3, features=features)
    return efiqa_adapter.build(c, data, base.Run(steps, 8, 8))


def batches(steps):
    """Cells are bad where the first feature is large; the field is spread unevenly over rows."""
    rng = np.random.default_rng(0)
    for step in range(steps):
        features = rng.normal(size=(8, 4, 4, 6)).astype(np.float16)
        bad = (features[..., 0] > 0.5).astype(np.uint8)
        bad[:3, 1:] = 255
        yield {
            "features": features,
            "bad": bad,
            "seen": (bad != 255).astype(np.float32),
            "index": (np.arange(8) + 8 * step).astype(np.int32),
        }


@pytest.mark.parametrize(
    "own",
    [{"standardise": False}, {"standardise": True, "ridge": 0.3, "around": 1.0}],
    ids=["published", "ours"],
)
def test_equal_over_devices(own):
    with jax.enable_x64(True):
        method = build("float64", **own)
        assert_equal_over_devices(method, list(batches(5)), 1e-9)


def test_standardising_makes_small_features_count():
    """Features a thousand times smaller are learned as well; as they are, hardly at all."""
    found = {}
    for standardise in (True, False):
        method = build(steps=60, standardise=standardise)
        small = [{**b, "features": b["features"] / np.float16(1000)} for b in batches(60)]
        _, scalars = train(method, small, "jit", 1)
        found[standardise] = float(scalars[-1]["loss"]) / float(scalars[0]["loss"])
    assert found[True] < found[False] - 0.1  # the bias alone is learned either way


def test_a_weight_of_zero_is_as_many_others_as_there_are():
    said = [scalars["loss"] for scalars in train(build(pos_weight=2.5), batches(5), "jit", 1)[1]]
    for counts, same in (({"bad": (10, 4)}, True), ({"bad": (10, 0)}, False)):
        method = build(pos_weight=0.0, counts=counts)
        found = [scalars["loss"] for scalars in train(method, batches(5), "jit", 1)[1]]
        assert np.array_equal(found, said) == same
        assert np.isfinite(found).all()


def test_the_truth_in_place_of_pseudo_labels():
    """The same batches, what is bad said by codes of the truth."""
    codes = {255: 0, 0: 1, 1: 3}

    def told(batch):
        truth = np.vectorize(codes.get)(batch["bad"]).astype(np.uint8)
        truth[0, 0, :] = np.where(truth[0, 0] == 1, 2, truth[0, 0])  # usable is not bad
        return {name: x for name, x in batch.items() if name != "bad"} | {"map": truth}

    given = list(batches(5))
    assert set(np.unique(given[0]["bad"])) == set(codes)
    want, _ = train(build(), given, "jit", 1)
    got, _ = train(build(labels="known"), [told(batch) for batch in given], "jit", 1)
    np.testing.assert_array_equal(got.params["linear"]["kernel"], want.params["linear"]["kernel"])
    with pytest.raises(ValueError, match="'true' is none of"):
        build(labels="true")


def test_learns_a_linear_rule():
    method = build(steps=200)
    state, _ = train(method, list(batches(200)), "jit", 1)
    batch = next(batches(1))
    out = method.predict({"params": state.params, **state.model_state}, batch)
    known = batch["bad"] != 255
    assert roc_auc_score(batch["bad"][known], np.asarray(out["map"])[known]) > 0.98
    assert np.asarray(out["map"])[~known].max() == 0.0


def test_ridge_is_scikit_learns():
    """Half of `ridge` times the squared weights beside a mean over n cells is C = 1 / (n ridge)."""
    one = next(batches(1))
    known = one["bad"] != 255
    wrong = known & (np.random.default_rng(1).random(known.shape) < 0.2)
    one["bad"] = np.where(wrong, 1 - one["bad"], one["bad"]).astype(np.uint8)
    found = LogisticRegression(C=1 / (0.3 * known.sum()), tol=1e-8).fit(
        one["features"][known], one["bad"][known]
    )
    own = {"ridge": 0.3, "standardise": False, "pos_weight": 1.0}
    method = build(steps=1500, weight_decay=0.0, **own)
    now, scalars = train(method, [one] * 1500, "jit", 1)
    layer = now.params["linear"]
    np.testing.assert_allclose(layer["kernel"][:, 0], found.coef_[0], atol=1e-3)
    np.testing.assert_allclose(layer["bias"], found.intercept_, atol=1e-3)
    # The gain undoes what the ridge does: the map is as sharp as the labels allow.
    level = one["features"][known] @ found.coef_[0][:, None]
    sharp = LogisticRegression(C=1e6).fit(level, one["bad"][known])
    best = log_loss(one["bad"][known], sharp.predict_proba(level))
    assert best - 1e-6 < scalars[-1]["map_bce"] < best + 1e-4 < scalars[-1]["bce"] - 0.02


def test_the_factor_of_the_norm_cannot_take_a_weights_place():
    params = {"linear": {"kernel": jnp.array([[1.0], [2.0]])}}
    assert efiqa_adapter.squared(params) == 5.0
    assert efiqa_adapter.squared({**params, "norm": {"scale": jnp.array([3.0, 0.5])}}) == 9.0 + 1.0


def test_averages_count_the_field_alone():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(1, 9, 9)).astype(np.float32)
    seen = np.ones((1, 9, 9), np.float32)
    seen[:, :3] = 0
    expected = ndimage.gaussian_filter(logits[0] * seen[0], 1.0, mode="constant", truncate=9)
    expected /= ndimage.gaussian_filter(seen[0], 1.0, mode="constant", truncate=9)
    found = efiqa_adapter.averaged(jnp.asarray(logits), jnp.asarray(seen), 1.0)
    np.testing.assert_allclose(found[0, 3:], expected[3:], atol=1e-5)
    np.testing.assert_array_equal(efiqa_adapter.averaged(logits, seen, 0.0), logits)
    other = np.where(seen > 0, logits, 99)  # whatever lies outside
    np.testing.assert_allclose(
        efiqa_adapter.averaged(jnp.asarray(other), jnp.asarray(seen), 1.0), found, atol=1e-6
    )


def test_loss_is_pytorchs():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    z = rng.normal(0, 3, (2, 3, 3)).astype(np.float32)
    y = rng.integers(0, 2, (2, 3, 3)).astype(np.uint8)
    value, weight = efiqa_adapter.cell_loss(jnp.asarray(z), jnp.asarray(y), 9.58, True)
    want = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(9.58))(
        torch.tensor(z), torch.tensor(y.astype(np.float32))
    )
    assert float((value * weight).sum() / weight.sum()) == pytest.approx(float(want), rel=1e-6)


def test_cells_outside_the_field():
    z = jnp.zeros((1, 1, 3))
    bad = jnp.array([[[1, 0, 255]]], jnp.uint8)
    value, weight = efiqa_adapter.cell_loss(z, bad, 2.0, True)
    np.testing.assert_allclose(value[0, 0], np.log(2) * np.array([2, 1, 1]), rtol=1e-6)
    np.testing.assert_array_equal(weight[0, 0], [1, 1, 0])
    assert float(efiqa_adapter.cell_loss(z, bad, 2.0, False)[1].sum()) == 3


def test_score_is_the_mean_over_the_field():
    quality = jnp.array([[[0.2, 0.8], [0.6, 0.0]]])
    seen = jnp.array([[[1.0, 0.5], [0.0, 0.5]]])
    assert float(efiqa_adapter.mean_of_map(quality, seen)[0]) == pytest.approx(0.3)


def test_map_auroc_is_scikit_learns():
    rng = np.random.default_rng(0)
    quality = rng.integers(0, 6, (3, 8, 8)).astype(np.float32) / 5  # with ties
    truth = rng.choice([0, 1, 2, 3, 255], (3, 8, 8)).astype(np.uint8)
    truth[2][truth[2] == 3] = 1
    got = np.asarray(efiqa_adapter.map_auroc(jnp.asarray(quality), jnp.asarray(truth)))
    for k in (0, 1):
        known = np.isin(truth[k], [1, 2, 3])
        want = roc_auc_score(truth[k][known] == 3, quality[k][known])
        assert got[k] == pytest.approx(want, abs=1e-6)
    assert np.isnan(got[2])


def test_features_are_needed():
    with pytest.raises(ValueError, match="reads features of an encoder"):
        build(features=())
