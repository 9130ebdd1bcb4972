"""The MKCNet method: equal over devices, the same as its equations, finite where data is odd."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equal import train

from fiqa_jax import defaults
from fiqa_jax.methods import mkcnet, mkcnet_tasks
from fiqa_jax.training import method as base
from fiqa_jax.training.devices import Axis

T, Q = 3, 3
DIAGNOSES = ("no DR", "NPDR", "PDR")


def batches(steps, size=8, quality=None, diagnosis=None, side=16):
    """Labels bunched together, so that devices see different classes; some are absent."""
    rng = np.random.default_rng(0)
    for step in range(steps):
        grades = np.sort(rng.integers(0, Q, size)).astype(np.int32)
        found = np.sort(rng.integers(0, T, size)).astype(np.int32)[::-1].copy()
        found[0] = -1
        yield {
            "image": rng.integers(0, 256, (size, side, side, 3), dtype=np.uint8),
            "fov": np.ones((size, side, side), np.uint8),
            "quality": np.full(size, quality, np.int32) if quality is not None else grades,
            "diagnosis": np.full(size, diagnosis, np.int32) if diagnosis is not None else found,
            "index": (np.arange(size) + size * step).astype(np.int32),
        }


def config(row="second_order", precision="float32", **own):
    c = defaults.base()
    c.method.update({**defaults.METHODS["mkcnet"], "row": row, "psi": 2, **own})
    c.model.update({"name": "vgg_tiny", "width": 0.125, "precision": precision})
    c.optim.update({"name": "sgd", "lr": 0.05, "momentum": 0.0, "clip": 0.0, "schedule": "step"})
    c.optim.update({"weight_decay": 5e-4, "decay": ((".*", 1.0),)})
    c.augment.train = ""
    return c


def spec(names=("good", "usable", "reject")):
    counts = {"quality": (50, 30, 20), "diagnosis": (60, 30, 10), "ungradable": (80, 20)}
    mean, std = (0.5, 0.4, 0.3), (0.3, 0.3, 0.3)
    return base.DataSpec(16, 3, names, (), DIAGNOSES, counts, mean, std)


def method(row="second_order", precision="float32", names=("good", "usable", "reject"), **own):
    return mkcnet.build(config(row, precision, **own), spec(names), base.Run(10, 8, 16))


@pytest.fixture(scope="module")
def alone():
    """Two steps of both stages in float64 on one device: method, state, scalars.

    In forward mode, which compiles in half the time; `nested` is held against it, and both against
    differences and on eight devices, in test_meta.py.
    """
    with jax.enable_x64(True):
        m = method(precision="float64", way="forward", meta_lr=0.2)
        return m, *train(m, list(batches(2)), "jit", 1)


@pytest.mark.whole
@pytest.mark.parametrize("kind", ["jit", "pmap"])
def test_eight_devices_equal_one(alone, kind):
    """theta, phi, both optimisers, all statistics and all scalars, to 1e-9."""
    m, want, want_scalars = alone
    assert set(want.params) == {"task", "meta"}
    assert {"meta_loss", "label_entropy", "auxiliary"} <= want_scalars[0].keys()
    with jax.enable_x64(True):
        got, scalars = train(m, list(batches(2)), kind, 8)
    for a, b in zip(
        jax.tree.leaves((want, want_scalars)), jax.tree.leaves((got, scalars)), strict=True
    ):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9)


def by_hand(parts, state, batch, rate, decay, eta):
    """One step after equations 1, 3 and 4, written out in terms of phi, nothing shared."""
    images = base.normalise(base.unit(batch["image"]), parts.data)
    stats, axis = state.model_state["batch_stats"], Axis()

    def found(theta, phi):
        y, _ = mkcnet.meta_labels(parts, phi, stats["meta"], images, batch, axis)
        primary, auxiliary, _, _ = mkcnet.task_losses(
            parts, theta, y, stats["task"], images, batch, axis
        )
        valid = ((batch["diagnosis"] >= 0) & (batch["quality"] >= 0)).astype(y.dtype)
        mean = (y * valid[:, None]).sum(0) / valid.sum()
        return primary, auxiliary, (mean * jnp.log(mean + 1e-20)).sum()

    def descend(theta, phi):
        slope = jax.grad(lambda t: sum(found(t, phi)[:2]))(theta)
        return jax.tree.map(lambda t, g: t - rate * (g + decay * t), theta, slope)

    theta, phi = state.params["task"], state.params["meta"]
    theta = descend(theta, phi)

    def outer(phi):
        entropy = parts.config.method.entropy * found(theta, phi)[2]
        return found(descend(theta, phi), phi)[0] + entropy

    slope = jax.grad(outer)(phi)
    phi = jax.tree.map(lambda p, g: p - eta * (g + decay * p), phi, slope)
    return {"task": theta, "meta": phi}


def test_steps_are_the_equations(alone):
    """Against gradients nested through phi, the virtual step and the labels, by jax.grad alone."""
    m, after, _ = alone
    with jax.enable_x64(True):
        c = config(precision="float64")
        parts = mkcnet_tasks.make(c, spec())
        now = start = jax.jit(m.init)(jax.random.key(0))
        step = jax.jit(lambda s, b: by_hand(parts, s, b, 0.05, 5e-4, 0.2))
        for batch in batches(2):
            now = now.replace(params=step(now, {k: jnp.asarray(v) for k, v in batch.items()}))
        now, start = jax.device_get((now, start))
    for name in ("task", "meta"):
        want, got = (
            np.concatenate(
                [np.ravel(a - b) for a, b in zip(*map(jax.tree.leaves, pair), strict=True)]
            )
            for pair in ((x.params[name], start.params[name]) for x in (now, after))
        )
        scale = np.abs(want).max()
        assert scale > 1e-6, f"{name} moves"
        # The schedule gives its rate in float32, to a part in 1e8.
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6 * scale, err_msg=name)


def test_rows_hold_what_they_are_called_for():
    heads = {}
    for row in mkcnet_tasks.ROWS:
        state = jax.eval_shape(method(row).init, jax.random.key(0))
        branches = {k for k in state.params["task"]["branches"] if "_" not in k}
        heads[row] = (branches, "meta" in state.params)
    assert heads["vanilla"] == ({"diagnosis"}, False)
    assert heads["multitask"] == ({"diagnosis", "quality"}, False)
    everything = {"diagnosis", "quality", "auxiliary", "assistance"}
    assert heads["no_meta"] == heads["first_order"] == heads["second_order"] == (everything, True)


@pytest.mark.whole
def test_a_meta_learner_that_does_not_learn_stays():
    m = method("no_meta")
    begin = jax.device_get(jax.jit(m.init)(jax.random.key(0))).params
    after, scalars = train(m, list(batches(1)), "jit", 1)
    jax.tree.map(np.testing.assert_array_equal, after.params["meta"], begin["meta"])
    assert "meta_loss" not in scalars[0]
    gone = jax.tree.map(lambda a, b: np.abs(a - b).max(), after.params["task"], begin["task"])
    assert max(jax.tree.leaves(gone)) > 0


@pytest.mark.whole
def test_epochs_in_turn():
    """Two steps an epoch: steps 1, 2, 5, 6 move theta and its statistics, 3 and 4 phi alone."""
    m = method("first_order", alternate="epoch")
    step = jax.jit(lambda s, b: m.step(s, b, jax.random.key(0), axis=Axis()))
    state = jax.jit(m.init)(jax.random.key(0))
    moved = []
    for batch in batches(6):
        after, scalars = step(state, batch)
        changed = [
            any(np.any(a != b) for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True))
            for x, y in (
                (state.params["task"], after.params["task"]),
                (state.params["meta"], after.params["meta"]),
                (state.model_state, after.model_state),
            )
        ]
        moved.append((*changed, int(scalars["stage"])))
        state = after
    assert moved[0] == moved[1] == moved[4] == moved[5] == (True, False, True, 1)
    assert moved[2] == moved[3] == (False, True, False, 2)


@pytest.mark.parametrize(("epochs", "task", "meta"), [(1, 2, 0), (2, 2, 2), (3, 4, 2)])
def test_schedules_are_as_long_as_the_epochs_of_each_network(monkeypatch, epochs, task, meta):
    """Two steps an epoch, the Task Net first: of three epochs it has two."""
    given = []
    make = mkcnet.optim.make
    monkeypatch.setattr(mkcnet.optim, "make", lambda c, t, n: given.append(n) or make(c, t, n))
    settings = config("first_order", "float32", alternate="epoch")
    mkcnet.build(settings, spec(("good", "usable", "reject")), base.Run(2 * epochs, 8, 16))
    assert given == [task, meta]


def test_odd_batches_stay_finite():
    """One class only, so that seven of nine joint classes never occur; no diagnosis at all."""
    odd = [next(batches(1, quality=0, diagnosis=1)), next(batches(1, diagnosis=-1)), *batches(1)]
    after, scalars = train(method(), odd, "jit", 1)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves((after, scalars)))
    assert scalars[1]["diagnosis"] == scalars[1]["auxiliary"] == 0.0
    # One joint class, whose two entries have all the weight: an entropy of ln 2 at most.
    assert 0 < scalars[0]["label_entropy"] <= np.log(2) + 1e-5


@pytest.mark.whole
def test_one_output_a_class_in_bfloat16():
    """psi = 1 leaves the Meta Learner nothing to say: only its weight decay moves it."""
    m = method("first_order", "bfloat16", psi=1)
    begin = jax.device_get(jax.jit(m.init)(jax.random.key(0))).params["meta"]
    after, scalars = train(m, list(batches(2)), "jit", 1)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves((after, scalars)))
    for a, b in zip(*map(jax.tree.leaves, (after.params["meta"], begin)), strict=True):
        np.testing.assert_allclose(a, b * (1 - 1e-3 * 5e-4) ** 2, atol=1e-5)


def test_label_entropy_by_hand_and_over_devices():
    labels = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    valid = jnp.array([1.0, 1.0, 0.0, 1.0])
    want = 2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)
    assert float(mkcnet.label_entropy(labels, valid, Axis())) == pytest.approx(want, rel=1e-6)
    shares = labels.reshape(4, 1, 2), valid.reshape(4, 1)
    run = jax.pmap(
        lambda y, v: mkcnet.label_entropy(y, v, Axis("data")),
        axis_name="data",
        devices=jax.devices()[:4],
    )
    np.testing.assert_allclose(run(*shares), want, rtol=1e-6)


def test_logit_adjustment_and_class_weights_by_hand():
    """Logits 0, adjusted by 1: the prediction is the prior (.6, .3, .1), whatever is shown.

    Weights are n / (3 n_c): with both, (1/.6 L_0 + 1/.3 L_1) / (1/.6 + 1/.3) for one each of
    classes 0 and 1.
    """
    c = config("vanilla", adjust=1.0)
    c.loss.class_weight = "inv_freq"
    parts = mkcnet_tasks.make(c, spec())
    net = parts.task
    image = jnp.zeros((2, 16, 16, 3))
    variables = jax.eval_shape(lambda: net.init(jax.random.key(0), image, False))
    theta, stats = (
        jax.tree.map(lambda x: jnp.zeros(x.shape), variables[k]) for k in ("params", "batch_stats")
    )
    batch = {"diagnosis": jnp.array([0, 1]), "quality": jnp.array([0, 0])}
    primary = jax.jit(
        lambda: mkcnet.task_losses(parts, theta, None, stats, image, batch, Axis())[0]
    )()
    loss = [-((1 - p) ** 2) * np.log(p) for p in (0.6, 0.3)]
    want = (loss[0] / 0.6 + loss[1] / 0.3) / (1 / 0.6 + 1 / 0.3)
    assert float(primary) == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("names", [("good", "usable", "reject"), ("gradable", "ungradable")])
def test_predict(names):
    m = method(names=names)
    state = jax.jit(m.init)(jax.random.key(0))
    batch = next(batches(1))
    batch["ungradable"] = (batch["quality"] == 2).astype(np.int32)
    variables = {"params": state.params, **state.model_state}
    out = jax.jit(lambda v, b: m.predict(v, b))(variables, batch)
    np.testing.assert_allclose(out["p_diagnosis"].sum(-1), 1.0, rtol=1e-5)
    assert out["p_ungradable"].shape == (8,)
    assert ("p_quality" in out) == (len(names) == 3)
    assert out["embedding"].shape == (8, 64)
    assert np.isnan(out["row_conflict"][0])
    assert (np.abs(out["row_conflict"][1:]) <= 1 + 1e-5).all()
    without = {"image": batch["image"]}
    shapes = jax.eval_shape(lambda v, b: m.predict(v, b), variables, without)
    assert set(shapes) == set(out) - {"row_conflict"}


def test_settings_that_do_not_fit():
    for own, said in (
        ({"row": "third"}, "'third' is none of"),
        ({"alternate": "day"}, "'day': step or epoch"),
        ({"way": "sideways"}, "'sideways': nested or forward"),
        ({"psi": 0}, "psi 0: a joint class has at least one output"),
    ):
        with pytest.raises(ValueError, match=said):
            method(**own)
    with pytest.raises(ValueError, match=r"set data.diagnosis and data"):
        method(names=())
    method("vanilla", names=())  # has no need of the quality
