"""The grader: targets and terms by hand, absent labels, what learns from what, equality."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equal import assert_equal_over_devices, train

from fiqa_jax import defaults
from fiqa_jax.methods import grader
from fiqa_jax.models import grader as nets
from fiqa_jax.training import method as base

GRADES = ("good", "usable", "reject")
SIDE, CELLS = 32, 32  # of the grade alone, of a map
MAPPED = 256  # pixels, the least that has a map
ALL = ("grade", "view", "summary")


def build(precision="float32", details=("clarity",), steps=5, augment="", names=GRADES, **own):
    c = defaults.base()
    side = MAPPED if "view" in own.get("parts", ()) else SIDE
    own = {"shrink": side // SIDE, **own}
    c.method.update({**defaults.METHODS["grader"], **own})
    c.model.update({"precision": precision, "width": 0.5})
    c.augment.train = augment
    c.optim.update({"lr": 1e-3, "schedule": "constant", "weight_decay": 0.01, "clip": 0.0})
    counts = {"quality": (4, 2, 2)}
    data = base.DataSpec(side, 3, names, details, (), counts, (0.5,) * 3, (0.25,) * 3)
    return grader.build(c, data, base.Run(steps, 8, 8))


def batches(steps, side=SIDE):
    """Dark photographs are rejects; a quarter of every other one is a plain grey."""
    rng = np.random.default_rng(0)
    for step in range(steps):
        quality = rng.permutation(8) % 3
        image = rng.integers(0, 60, (8, side, side, 3), dtype=np.uint8)
        image += (90 * (2 - quality)).astype(np.uint8)[:, None, None, None]
        image[::2, : side // 2, : side // 2] = 60
        out = {
            "image": image,
            "fov": np.ones((8, side, side), np.uint8),
            "field_px": rng.uniform(100, 900, 8).astype(np.float32),
            "quality": quality.astype(np.int32),
            "details": (quality[:, None] == 2).astype(np.int8),
            "index": (np.arange(8) + 8 * step).astype(np.int32),
        }
        if side == MAPPED:
            truth = np.ones((8, CELLS, CELLS), np.uint8)
            truth[::2, : CELLS // 2, : CELLS // 2] = 3
            out |= {"map": truth, "cause": np.where(truth == 3, 4, 0).astype(np.uint8)}
        yield out


def test_targets_of_ordinal_grades_by_hand():
    got = grader.neighbouring(jnp.array([0, 1, 2, -1]), 0.1)
    want = [[0.9, 0.1, 0], [0.05, 0.9, 0.05], [0, 0.1, 0.9], [0.9, 0.1, 0]]
    np.testing.assert_allclose(got, want, atol=1e-7)


def test_a_flat_photograph_has_no_green_above_its_own():
    fov = np.ones((1, 32, 32), np.uint8)
    fov[:, :, :9] = 0
    image = np.full((1, 32, 32, 3), 0.4) * fov[..., None]
    found = np.asarray(nets.inputs(jnp.asarray(image), jnp.asarray(fov)))
    np.testing.assert_allclose(found[..., 4], 0, atol=1e-6)
    np.testing.assert_array_equal(found[0, :, :9], 0)  # nothing from outside the field
    np.testing.assert_allclose(found[0, :, 9:, :3], -0.2, atol=1e-6)


@pytest.mark.whole
def test_what_it_says_of_a_photograph():
    method = build(parts=ALL, details=("clarity", "contrast"))
    (batch,) = batches(1, MAPPED)
    batch["fov"][:, : MAPPED // 2] = 0
    start = method.init(jax.random.key(0))
    weights = {"params": start.params, **start.model_state}
    out = jax.jit(method.predict)(weights, batch)
    shapes = {k: v.shape for k, v in out.items()}
    assert shapes == {
        "p_quality": (8, 3),
        "p_ungradable": (8,),
        "score": (8,),
        "p_details": (8, 2),
        "map": (8, CELLS, CELLS),
        "causes": (8, CELLS, CELLS, 4),
    }
    p = np.asarray(out["p_quality"])
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(out["score"], p[:, 2] + p[:, 1] / 2, rtol=1e-5)
    np.testing.assert_array_equal(out["map"][:, : CELLS // 2], 0)  # outside the field
    assert (np.asarray(out["map"][:, CELLS // 2 :]) > 0).all()
    unknown = {k: v for k, v in batch.items() if k != "field_px"}
    hidden = {**batch, "field_px": np.full(8, np.nan, np.float32)}
    a, b = (jax.jit(method.predict)(weights, x)["p_quality"] for x in (unknown, hidden))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - p).max() > 0


@pytest.mark.whole
def test_the_grade_sees_the_photograph_smaller():
    """Joined with a map at a larger side, it says what it says alone of the mean of its pixels."""
    joined, alone = build(parts=("grade", "view")), build(parts=("grade",))
    (batch,) = batches(1, MAPPED)
    start = joined.init(jax.random.key(0))
    weights = {"params": start.params, **start.model_state}
    own = {k: {"grade": v["grade"]} for k, v in weights.items()}
    small = batch["image"].reshape(8, SIDE, 8, SIDE, 8, 3).mean((2, 4)) / 255
    given = {**batch, "image": small.astype(np.float32), "fov": batch["fov"][:, ::8, ::8]}
    a = joined.predict(weights, batch)["p_quality"]
    np.testing.assert_allclose(a, alone.predict(own, given)["p_quality"], atol=1e-5)


def test_a_turned_photograph_has_the_same_grade():
    (batch,) = batches(1)
    on_its_side = {**batch, "image": np.rot90(batch["image"], 1, (1, 2))}
    grades = {}
    for turns in (1, grader.TURNS):
        method = build(turns=turns)
        start = method.init(jax.random.key(0))
        weights = {"params": start.params, **start.model_state}
        ask = jax.jit(method.predict)
        grades[turns] = [np.asarray(ask(weights, x)["p_quality"]) for x in (batch, on_its_side)]
    np.testing.assert_allclose(*grades[grader.TURNS], atol=1e-6)
    assert np.abs(np.subtract(*grades[1])).max() > 1e-4


def test_logits_are_means_over_turns_by_hand():
    """A network that reads one corner gives the mean of the four."""
    image = jnp.arange(16.0).reshape(1, 4, 4, 1)
    corner = grader.over_turns(
        lambda x, fov, px: {"corner": x[:, 0, 0] + px[:, None]},
        image,
        jnp.ones((1, 4, 4)),
        jnp.array([100.0]),
    )["corner"]
    np.testing.assert_allclose(corner, [[(0 + 3 + 12 + 15) / 4 + 100]])


@pytest.mark.whole
@pytest.mark.parametrize("trained", ALL)
def test_a_part_that_does_not_learn_stays_as_it_is(trained):
    method = build(parts=ALL, trained=(trained,))
    before = jax.device_get(jax.jit(method.init)(jax.random.key(0)))
    after, _ = train(method, batches(2, MAPPED), "jit", 1, start=before)
    for name in ALL:
        trees = [(before.params[name], after.params[name])]
        if name != "summary":  # has no statistics
            old, new = (x.model_state["batch_stats"][name] for x in (before, after))
            trees.append((old, new))
        for old, new in trees:
            pairs = zip(jax.tree.leaves(old), jax.tree.leaves(new), strict=True)
            moved = any((np.asarray(a) != np.asarray(b)).any() for a, b in pairs)
            assert moved == (name == trained), name


def test_an_absent_grade_teaches_nothing():
    method = build(details=())
    (batch,) = batches(1)
    del batch["details"]
    batch["quality"][:] = -1
    before = jax.device_get(jax.jit(method.init)(jax.random.key(0)))
    _, scalars = train(method, [batch], "jit", 1, start=before)
    assert scalars[0]["loss"] == 0
    assert scalars[0]["grad_norm"] == 0


@pytest.mark.whole
def test_equal_over_devices():
    with jax.enable_x64():
        alone = build("float64", augment="flip|rotate(180)|tint(0.1)")
        assert_equal_over_devices(alone, list(batches(3)), 1e-9)
        mapped = build("float64", parts=("view", "summary"))
        assert_equal_over_devices(mapped, list(batches(2, MAPPED)), 1e-9, (("pmap", 8),))


def test_it_learns():
    method = build(parts=ALL, hide_size=0.0, dropout=0.0)
    after, scalars = train(method, batches(25, MAPPED), "jit", 1)
    assert scalars[-1]["quality"] < 0.5 * scalars[0]["quality"]
    assert scalars[-1]["cells"] < 0.7 * scalars[0]["cells"]
    assert after.step == 25


def test_settings_that_do_not_fit():
    with pytest.raises(ValueError, match="grades good, usable, reject are needed"):
        build(names=("gradable", "ungradable"))
    with pytest.raises(ValueError, match=r"method.parts \('maps',\)"):
        build(parts=("maps",))
    with pytest.raises(ValueError, match="'summary' with 'view' only"):
        build(parts=("summary",))
    with pytest.raises(ValueError, match="the nearest is 768"):
        build(parts=("grade", "view"), shrink=3)  # 16 * 3 and 256 both divide it
    with pytest.raises(ValueError, match=r"is not among method\.parts"):
        build(parts=("grade",), trained=("view",))
    with pytest.raises(ValueError, match="neighbour"):
        build(neighbour=0.6)
