"""Numbers with the package's flag for convolutions and without it, each in a process of its own.

Both are held to the exact result, to what float32 arithmetic promises (`rounding`) and no further.
"""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import rounding
import switch_worker

from fiqa_jax.training import xla_flags

pytestmark = [pytest.mark.slow, pytest.mark.whole]

WORKER = Path(switch_worker.__file__)
OWN = f"{xla_flags.YNNPACK}=+individual_convolution"  # a user who wants YNNPACK's


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Outputs of the worker: 'set' with the package's flag, 'own' with a value of the user's."""
    if metadata.version("jaxlib") not in xla_flags.MEASURED:
        pytest.skip("the package sets no flag for this version of jaxlib")
    found = {}
    for name, flags in (("set", ""), ("own", OWN)):
        file = tmp_path_factory.mktemp("switch") / f"{name}.npz"
        environment = {
            **os.environ,
            "XLA_FLAGS": flags,
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        done = subprocess.run(
            [sys.executable, WORKER, file], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        found[name] = dict(np.load(file))
    return found


def test_the_two_processes_ran_other_convolutions(runs):
    assert runs["set"]["set"]
    assert not runs["own"]["set"]
    for name in switch_worker.CONVOLUTIONS:
        assert not runs["set"][f"ynn {name}"]
        assert runs["own"][f"ynn {name}"], "YNNPACK does not take this convolution: take another"


@pytest.mark.parametrize("name", [*switch_worker.CONVOLUTIONS])
def test_every_number_of_a_convolution_and_its_gradients(runs, name):
    run, args = switch_worker.convolution(name)
    with jax.enable_x64(True):
        exact = run(*(a.astype(np.float64) for a in args))
        count = run(*(np.ones(a.shape) for a in args))
        size = run(*(np.abs(a.astype(np.float64)) for a in args))
        limit = [
            rounding.gamma(np.asarray(n)) * np.asarray(s) for n, s in zip(count, size, strict=True)
        ]
        halved = run(*(np.asarray(jnp.bfloat16(a)).astype(np.float64) for a in args))
    for i in range(3):

        def furthest(outputs, i=i):
            """Error over limit."""
            return (np.abs(np.asarray(outputs, np.float64) - np.asarray(exact[i])) / limit[i]).max()

        assert all(furthest(outputs[f"{name} {i}"]) <= 1 for outputs in runs.values())
        assert furthest(halved[i]) > 1, "a bound that half precision keeps tells nothing"


def test_a_training_step(runs):
    """Loss, and every parameter after the step, in sums with random signs."""
    params, x, y = switch_worker.given()
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda p: p.astype(np.float64), params)
        exact, bound = rounding.limits(switch_worker.step, wide, x.astype(np.float64), y)
        named = {
            jax.tree_util.keystr(p): v for p, v in jax.tree_util.tree_leaves_with_path(exact[1])
        }
        named = {"loss": exact[0], **named}
        zero = jax.tree.map(np.zeros_like, exact)
        for i, (name, value) in enumerate(named.items()):
            signs = rng.choice([-1.0, 1.0], np.shape(value))
            leaves, tree = jax.tree.flatten(zero)
            leaves[i] = signs
            limit = bound(jax.tree.unflatten(tree, leaves))
            for outputs in runs.values():
                off = abs(float((signs * (outputs[name] - np.asarray(value))).sum()))
                assert off <= limit, (name, off, limit)
