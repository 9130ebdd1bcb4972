"""How every method is tested for equality over devices: the same steps on 1 and 8, jit and pmap.

Float64 and five steps for the whole state; float32 only for the first step's loss and gradient
norm, because AdamW turns rounding into differences of 1e-4 within five steps.
"""

import jax
import numpy as np

from fiqa_jax.training import devices as parallel
from fiqa_jax.training import state

PATHS = (("jit", 8), ("pmap", 8))


def train(method, batches, kind, devices, seed=0, start=None):
    """Final state and the scalars of every step, as numpy, after one step per batch from start."""
    place = parallel.make(kind, jax.devices()[:devices])
    now = place.place(method.init(jax.random.key(seed)) if start is None else start)
    step = place.step(method.step)
    key = place.place(state.stream(seed, "train"))
    scalars = []
    with jax.transfer_guard("disallow"):
        for batch in batches:
            now, found = step(now, place.put(batch), key)
            scalars.append(found)
    return jax.device_get(now), jax.device_get(scalars)


def assert_equal_over_devices(method, batches, tolerance, paths=PATHS):
    """The whole state and all scalars agree with those of jit on one device."""
    start = jax.device_get(jax.jit(method.init)(jax.random.key(0)))
    want, want_scalars = train(method, batches, "jit", 1, start=start)
    for kind, devices in paths:
        got, got_scalars = train(method, batches, kind, devices, start=start)
        leaves = jax.tree_util.tree_leaves_with_path(want)
        for (path, a), b in zip(leaves, jax.tree.leaves(got), strict=True):
            np.testing.assert_allclose(
                b,
                a,
                rtol=tolerance,
                atol=tolerance,
                err_msg=f"{kind} on {devices}: {jax.tree_util.keystr(path)}",
            )
        for step, (a, b) in enumerate(zip(want_scalars, got_scalars, strict=True)):
            for name in a:
                np.testing.assert_allclose(
                    b[name], a[name], rtol=tolerance, err_msg=f"{kind} on {devices}: {step} {name}"
                )
    return want, want_scalars
