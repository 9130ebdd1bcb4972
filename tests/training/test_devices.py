"""One device and eight, jit and pmap: the same numbers, for every part that could differ."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equal import PATHS, assert_equal_over_devices, train

from fiqa_jax import defaults
from fiqa_jax.methods import multitask
from fiqa_jax.training import devices as parallel
from fiqa_jax.training import losses
from fiqa_jax.training import method as base
from fiqa_jax.training.devices import Axis

pytestmark = pytest.mark.whole

DETAILS = ("illumination", "clarity", "contrast")


def batches(steps, seed=0):
    """Labels spread unevenly: the first half of a batch has details, the second grades, mostly."""
    rng = np.random.default_rng(seed)
    for step in range(steps):
        quality = rng.integers(0, 3, 16).astype(np.int32)
        quality[:7] = -1
        details = rng.integers(0, 2, (16, 3)).astype(np.int8)
        details[9:] = -1
        yield {
            "image": rng.integers(0, 256, (16, 32, 32, 3), dtype=np.uint8),
            "fov": np.ones((16, 32, 32), np.uint8),
            "quality": quality,
            "details": details,
            "index": (np.arange(16) + 16 * step).astype(np.int32),
        }


def method(precision="float32"):
    c = defaults.base()
    c.method.update(defaults.METHODS["multitask"])
    c.model.update({"name": "tiny", "precision": precision})
    c.loss.class_weight = "inv_freq"
    c.optim.ema = 0.9
    data = base.DataSpec(
        side=32,
        channels=3,
        quality_names=("good", "usable", "reject"),
        detail_names=DETAILS,
        diagnosis_names=(),
        class_counts={"quality": (50, 30, 20)},
        mean=c.data.mean,
        std=c.data.std,
    )
    return multitask.build(c, data, base.Run(10, 16, 100))


def test_multitask_float64_whole_state():
    """BatchNorm, masked and class-weighted losses, augmentation, AdamW, clipping, averages."""
    with jax.enable_x64(True):
        paths = (*PATHS, ("pmap", 1))
        state, _ = assert_equal_over_devices(method("float64"), list(batches(5)), 1e-9, paths)
    assert int(state.step) == 5
    leaf = jax.tree.leaves(state.params)[0]
    assert leaf.dtype == np.float64


def test_multitask_float32_first_step():
    _, want = train(method(), list(batches(1)), "jit", 1)
    for kind, devices in (("jit", 8), ("pmap", 8)):
        _, got = train(method(), list(batches(1)), kind, devices)
        for name in want[0]:
            np.testing.assert_allclose(got[0][name], want[0][name], rtol=1e-5, err_msg=name)


def test_masked_mean_before_division_is_needed():
    """The rule is not vacuous: averaging per-device means is wrong for uneven labels."""
    value = jnp.arange(8.0)
    weight = jnp.array([1.0, 1, 1, 1, 1, 0, 0, 0])
    want = float(value[:5].mean())

    def right(v, w):
        return losses.masked_mean(v, w, Axis("data"))

    def wrong(v, w):
        local = losses.masked_mean(v, w, Axis())
        return jax.lax.pmean(local, "data")

    shares = value.reshape(4, 2), weight.reshape(4, 2)
    devices = jax.devices()[:4]
    one = jax.pmap(right, axis_name="data", devices=devices)(*shares)[0]
    other = jax.pmap(wrong, axis_name="data", devices=devices)(*shares)[0]
    assert float(one) == pytest.approx(want)
    assert float(other) == pytest.approx((0.5 + 2.5 + 4.0 + 0.0) / 4)


def test_predict_returns_the_whole_batch_in_order():
    def outputs(variables, batch):
        return {"twice": variables["w"] * batch["x"]}

    x = np.arange(16, dtype=np.float32)
    for kind in ("jit", "pmap"):
        devices = parallel.make(kind)
        run = devices.predict(outputs)
        got = run(devices.place({"w": np.float32(2)}), devices.put({"x": x}))
        np.testing.assert_array_equal(np.asarray(got["twice"]), 2 * x)


def test_donation_does_not_free_the_callers_arrays():
    m = method()
    start = m.init(jax.random.key(0))
    place = parallel.make("jit")
    step = place.step(m.step)
    step(place.place(start), place.put(next(iter(batches(1)))), place.place(jax.random.key(0)))
    assert all(np.isfinite(np.asarray(x)).all() for x in jax.tree.leaves(start.params))


def test_wrong_kind_and_wrong_batch():
    with pytest.raises(ValueError, match="'jit' or 'pmap', not 'tpu'"):
        parallel.make("tpu")
    with pytest.raises(ValueError, match="12 does not divide over 8 devices"):
        parallel.make("jit").check_batch(12)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "1", "SLURM_STEP_NODELIST": "n1"}, None),
        # The script of a job of four tasks: it runs once, srun starts the four.
        ({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "0"}, None),
        (
            {
                "SLURM_JOB_ID": "7",
                "SLURM_NTASKS": "4",
                "SLURM_PROCID": "3",
                "SLURM_STEP_NODELIST": "n[1-2]",
            },
            (),
        ),
        ({"TPU_WORKER_HOSTNAMES": "t0"}, None),
        ({"TPU_WORKER_HOSTNAMES": "t0,t1"}, ()),
        (
            {
                "TPU_WORKER_HOSTNAMES": "t0,t1",
                "JAX_COORDINATOR_ADDRESS": "n1:99",
                "JAX_NUM_PROCESSES": "2",
                "JAX_PROCESS_ID": "1",
            },
            ("n1:99", 2, 1),
        ),
    ],
)
def test_where_processes_join(monkeypatch, environment, expected):
    """None: alone; (): by what JAX finds; else address, count and number."""
    for name in [*os.environ]:
        if name.startswith(("SLURM_", "TPU_", "MEGASCALE_", "JAX_COORD", "JAX_NUM_P", "JAX_PROC")):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    joined = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *a: joined.append(a))
    assert parallel.initialise_pod(False) == (expected is not None)
    assert joined == ([] if expected is None else [expected])
    joined.clear()
    assert parallel.initialise_pod(True)
    assert joined == [expected or ()]
