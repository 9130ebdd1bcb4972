"""Depthwise convolution: XLA's numbers, whichever way they are computed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from fiqa_jax.models.layers import depthwise


def arrays(shape, size, dtype):
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(size, size, 1, shape[-1]))
    return (jnp.asarray(a, dtype) for a in (rng.normal(size=shape), kernel, rng.normal(size=shape)))


@pytest.mark.parametrize(
    ("shape", "size"), [((2, 8, 6, 3), 7), ((1, 3, 5, 2), 3), ((1, 1, 2, 1), 7)]
)
def test_cpu_equals_the_grouped_convolution(shape, size):
    with jax.enable_x64(True):
        x, kernel, gradient = arrays(shape, size, jnp.float64)
        out, back = jax.vjp(depthwise._on_cpu, x, kernel)
        expected, expected_back = jax.vjp(depthwise._plain, x, kernel)
        np.testing.assert_allclose(out, expected, atol=1e-12)
        for one, other in zip(back(gradient), expected_back(gradient), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)


def test_each_channel_is_a_correlation_of_its_own():
    x, kernel, _ = arrays((1, 9, 9, 2), 3, jnp.float32)
    out = depthwise.convolve(x, kernel)
    for c in range(2):
        expected = ndimage.correlate(
            np.asarray(x[0, ..., c]), np.asarray(kernel[..., 0, c]), mode="constant"
        )
        np.testing.assert_allclose(out[0, ..., c], expected, atol=1e-5)


def test_bfloat16_keeps_its_dtype():
    x, kernel, gradient = arrays((1, 4, 4, 2), 3, jnp.bfloat16)
    out, back = jax.vjp(depthwise.convolve, x, kernel)
    assert {out.dtype, *(g.dtype for g in back(gradient))} == {jnp.dtype(jnp.bfloat16)}
    wide = depthwise.convolve(x.astype(jnp.float32), kernel.astype(jnp.float32))
    np.testing.assert_array_equal(out, wide.astype(jnp.bfloat16))  # summed in float32
