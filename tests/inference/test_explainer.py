"""Maps of trained classifiers: their heads, the right map of the trunk, known places and values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax import defaults, models
from fiqa_jax.inference import explainer, model_dir, model_method
from fiqa_jax.inference.explainer import ExplainError, Settings
from fiqa_jax.models import vgg
from fiqa_jax.models.mkcnet import Branches

DETAILS = ("clarity", "contrast")
GRADES, TWO = ("good", "usable", "reject"), ("gradable", "ungradable")
IG = "integrated_gradients"


def fresh(uses, trunk="tiny", grades=GRADES, side=32, diagnoses=("no DR", "DR", "PDR"), **own):
    """A model of random weights and random statistics, as `model_dir.load` gives it."""
    c = defaults.base()
    known = defaults.METHODS.get(uses, {})
    c.method.update({**known, **own})
    c.model.update({"name": trunk, "width": 0.125})
    stage = defaults.resolved(c)
    config = {
        "name": "m",
        "method": uses,
        "model": dict(stage["model"]),
        "settings": {k: stage[k] for k in ("method", "loss", "optim", "augment")},
        "data": {
            "side": side,
            "modality": "fundus",
            "mean": [0.5, 0.4, 0.3],
            "std": [0.3, 0.3, 0.3],
            "quality_names": list(grades),
            "detail_names": list(DETAILS),
            "diagnosis_names": list(diagnoses),
            "class_counts": {},
            "features": [4, 4, 5] if uses == "adapter" else [],
        },
    }
    shapes = jax.eval_shape(model_method.build(config, trust=(uses,)).init, jax.random.key(0))
    rng = np.random.default_rng(0)

    def some(path, leaf):
        name = str(path[-1].key)
        if name == "var" or name == "scale":
            return rng.uniform(0.5, 1.5, leaf.shape).astype(leaf.dtype)
        size = 1 / np.sqrt(max(np.prod(leaf.shape[:-1]), 1)) if name == "kernel" else 0.1
        return rng.normal(0, size, leaf.shape).astype(leaf.dtype)

    variables = jax.tree_util.tree_map_with_path(
        some, {"params": shapes.params, **shapes.model_state}
    )
    return model_dir.Model(config, variables, lambda batch: {}, lambda batch: {}, (uses,))


def batch(side=32, size=2):
    rng = np.random.default_rng(5)
    return {
        "image": rng.integers(0, 256, (size, side, side, 3), dtype=np.uint8),
        "fov": np.ones((size, side, side), np.uint8),
    }


def trunk_map(model, variables, stage=-1):
    """A stage's map, the last one by default, by the trunk alone."""
    data = model.config["data"]
    x = (batch(data["side"])["image"] / np.float32(255) - data["mean"]) / data["std"]
    net = models.make(model.config["model"]["name"], width=model.config["model"]["width"])
    own = {kind: tree["trunk"] for kind, tree in variables.items()}
    found = jax.jit(lambda x: net.apply(own, x, False)[1])(jnp.asarray(x, jnp.float32))
    return np.asarray(found[sorted(k for k in found if k.startswith("stage"))[stage]])


def squashed(v):
    v = np.maximum(v, 0)
    return v / (1 + v)


@pytest.mark.parametrize(("trunk", "frozen"), [("tiny", True), ("vgg_tiny", False)])
def test_linear_heads_give_class_activation_maps(trunk, frozen):
    """Pooled features and linear heads: w . A in closed form, for a defect and for the grade."""
    model = fresh("multitask", trunk, side=64 if trunk == "tiny" else 32, freeze_trunk=frozen)
    data = batch(model.config["data"]["side"])
    maps, heads = trunk_map(model, model.variables), model.variables["params"]["heads"]
    pooled = maps.mean((1, 2))
    got = explainer.explainer(model, "contrast", Settings())(data)
    w, b = heads["details"]["kernel"][:, 1], heads["details"]["bias"][1]
    np.testing.assert_allclose(got.log_odds, pooled @ w + b, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got.map, squashed(maps @ w), rtol=1e-3, atol=1e-5)
    assert got.map.dtype == np.float32
    assert got.map.max() > 0.01
    assert np.isnan(got.gap).all()
    if trunk == "tiny":
        return
    w, b = heads["quality"]["kernel"], heads["quality"]["bias"]
    odds = np.exp(pooled @ w + b)
    want = np.log(odds[:, 2] / (odds[:, 0] + odds[:, 1]))
    share = odds[:, :2] / odds[:, :2].sum(-1, keepdims=True)
    direction = w[:, 2] - share @ w[:, :2].T
    got = explainer.explainer(model, "quality", Settings())(data)
    np.testing.assert_allclose(got.log_odds, want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        got.map, squashed(np.einsum("bhwf,bf->bhw", maps, direction)), rtol=1e-3, atol=1e-5
    )


def test_mkcnet_behind_its_attention():
    """The gradient by the shared map, from the branches alone; the class that is most likely."""
    model = fresh("mkcnet", "vgg_tiny", row="multitask")
    own = {kind: tree["task"] for kind, tree in model.variables.items()}
    maps = jnp.asarray(trunk_map(model, own))
    branches = Branches(3, 3, 0, 0.125, jnp.float32)
    above = {kind: tree["branches"] for kind, tree in own.items()}

    def log_odds(maps):
        p = jax.nn.softmax(branches.apply(above, maps, False)[0]["diagnosis"]).max(-1)
        return jnp.log(p / (1 - p)).sum(), jnp.log(p / (1 - p))

    slope, value = jax.jit(jax.grad(log_odds, has_aux=True))(maps)
    want = squashed(np.einsum("bhwf,bf->bhw", maps, slope.sum((1, 2))))
    got = explainer.explainer(model, "diagnosis", Settings())(batch())
    np.testing.assert_allclose(got.log_odds, value, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got.map, want, rtol=1e-3, atol=1e-6)


def test_integrated_gradients_of_a_network_are_complete():
    model = fresh("multitask", "vgg_tiny", heads=("details",))
    settings = Settings(IG, steps=64, cells=8)
    got = explainer.explainer(model, "clarity", settings)(batch())
    assert got.map.shape == (2, 8, 8)
    assert (got.map >= 0).all()
    assert (got.map < 1).all()
    logits, image = jax.jit(model_method.build(model.config).logits), batch()["image"] / 255
    start = image.mean((1, 2), keepdims=True) + np.zeros_like(image)
    at = [logits(model.variables, np.float32(x))["details"][:, 0] for x in (image, start)]
    np.testing.assert_allclose(got.log_odds, at[0], rtol=1e-4, atol=1e-5)
    change = np.abs(at[0] - at[1])
    assert (np.abs(got.gap) < 0.02 * change + 1e-3).all()
    assert (change > 0.01).all()


def test_a_network_that_looks_at_one_quadrant():
    """Darkness in two quadrants, of which the network sees the upper left; values by hand."""
    model = fresh("quadrant")
    model.variables["params"]["gain"] = np.array(4.0, np.float32)
    image = np.full((2, 32, 32, 3), 255, np.uint8)
    image[0, 4:12, 4:12] = 0
    image[0, 20:28, 20:28] = 0
    image[1, 20:28, 20:28] = 0
    data = {"image": image, "fov": np.ones((2, 32, 32), np.uint8)}
    want = np.zeros((2, 8, 8))
    want[0, 1:3, 1:3] = 4 / (1 + 4)  # dark through and through, times the gain
    got = explainer.explainer(model, "clarity", Settings())(data)
    np.testing.assert_allclose(got.map, want, rtol=1e-6)
    np.testing.assert_allclose(got.log_odds, [4 * 4 / 64, 0], rtol=1e-6)
    settings = Settings(IG, baseline="mean", steps=1, cells=8)
    got = explainer.explainer(model, "clarity", settings)(data)
    mean = 2 * 4 / 64  # share of the first photograph that is dark
    want[0, 1:3, 1:3] = squashed(4 * (1 - mean))
    np.testing.assert_allclose(got.map, want, rtol=1e-5, atol=1e-6)
    # The linear network's attribution is complete; the mean's darkness is in the whole quadrant.
    np.testing.assert_allclose(got.gap, [0, 0], atol=1e-6)


def test_heads_by_name():
    assert explainer.heads(fresh("multitask", grades=TWO)) == (
        "ungradable",
        "clarity",
        "contrast",
        "diagnosis",
        "diagnosis:no DR",
        "diagnosis:DR",
        "diagnosis:PDR",
    )
    of_two = fresh("mkcnet", "vgg_tiny", grades=TWO, row="multitask")
    assert explainer.heads(of_two)[0] == "ungradable"
    assert explainer.heads(fresh("multitask", heads=("quality",), grades=GRADES)) == ("quality",)


@pytest.mark.parametrize(
    ("head", "settings", "match"),
    [
        ("contrst", Settings(), r"no head 'contrst': \['quality', 'clarity', 'contrast'"),
        ("quality", Settings("cam"), "way 'cam' is none of"),
        ("quality", Settings(stage="stage9"), r"'stage9' is none of \['stage1', .*'stage4'\]"),
        ("quality", Settings(IG, cells=7), "divisor of the side, 32"),
        ("quality", Settings(IG, steps=0), "steps 0: expected 1 or more"),
        ("quality", Settings(IG, baseline="white"), "baseline 'white' is none of"),
    ],
)
def test_what_is_not_there(head, settings, match):
    with pytest.raises(ExplainError, match=match):
        explainer.explainer(fresh("multitask"), head, settings)


@pytest.mark.parametrize("uses", ["adapter", "vessels"])
def test_models_without_heads(uses):
    with pytest.raises(ExplainError, match=f"no heads to explain: method '{uses}'"):
        explainer.explainer(fresh(uses), "quality", Settings())


def test_an_earlier_stage_of_the_trunk():
    """The gradient by its map, from the last block and the head alone."""
    model = fresh("multitask", "vgg_tiny", heads=("details",))
    maps = jnp.asarray(trunk_map(model, model.variables, -2))
    block = vgg.Block(32, 1)
    own = {kind: tree["trunk"]["stage3"] for kind, tree in model.variables.items()}
    w = model.variables["params"]["heads"]["details"]["kernel"][:, 0]
    above = jax.jit(jax.grad(lambda a: (block.apply(own, a, False).mean((1, 2)) @ w).sum()))
    want = squashed(np.einsum("bhwf,bf->bhw", maps, above(maps).sum((1, 2))))
    got = explainer.explainer(model, "clarity", Settings(stage="stage2"))(batch())
    assert got.map.shape == (2, 8, 8)
    np.testing.assert_allclose(got.map, want, rtol=1e-3, atol=1e-6)


def test_saturated_probabilities_still_have_a_map():
    """At log-odds of 1000 the probability is 1 and has no gradient; the log-odds have."""
    model = fresh("multitask", "vgg_tiny", heads=("quality",))
    model.variables["params"]["heads"]["quality"]["bias"][:] = [-1000, 0, 1000]
    got = explainer.explainer(model, "quality", Settings())(batch())
    assert (got.log_odds > 990).all()
    assert np.isfinite(got.map).all()
    assert got.map.max() > 0


@pytest.mark.parametrize("way", ["grad_cam", IG])
def test_a_photograph_is_explained_alike_in_batches_of_any_size(way):
    model = fresh("multitask")
    explain = explainer.explainer(model, "quality", Settings(way, steps=2, cells=4))
    whole = batch(size=5)
    alone = [explain({k: v[i : i + 1] for k, v in whole.items()}) for i in range(5)]
    for count in (1, 3, 4, 5):
        found = explain({k: v[:count] for k, v in whole.items()})
        for name in ("map", "log_odds", "gap"):
            want = np.concatenate([getattr(one, name) for one in alone[:count]])
            np.testing.assert_allclose(getattr(found, name), want, rtol=1e-5, atol=1e-6)
