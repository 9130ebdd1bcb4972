"""Local optical density: light and pigment go, a vessel keeps its depth."""

import jax.numpy as jnp
import numpy as np
from scipy import ndimage, stats

from fiqa_jax.methods import density

LIGHT = (0.8, 0.5, 0.3)


def scene(line=1.0):
    """A photograph with a line three pixels wide that lets `line` of the light through."""
    fov = np.zeros((1, 64, 64), np.uint8)
    fov[:, :, 6:58] = 1
    image = np.full((1, 64, 64, 3), LIGHT, np.float32)
    image[:, :, 29:32] *= line
    return image * fov[..., None], fov


def test_sums_are_those_of_a_gaussian():
    rng = np.random.default_rng(0)
    x = rng.random((1, 40, 50, 2)).astype(np.float32)
    found = np.asarray(density.blur(jnp.asarray(x), 3.0))[0]
    weight = np.sqrt(2 * np.pi) * 3.0  # of a line; the sums are not divided by it
    wanted = ndimage.gaussian_filter(x[0], (3, 3, 0), mode="constant", truncate=12) * weight**2
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_a_uniform_field_is_nothing_up_to_its_edge():
    image = jnp.full((1, 32, 32, 3), 0.4)
    fov = jnp.zeros((1, 32, 32)).at[:, 4:20, 6:].set(1)
    found = density.flattened(image, fov, 5.0)
    np.testing.assert_allclose(found, 0, atol=1e-5)


def test_what_is_left_of_a_slope_of_light():
    """One sigma from a straight edge the mean lies sigma phi(1) / Phi(1) further inside."""
    image, fov = scene()
    sigma, slope = 6.0, np.log(2) / 63
    shade = np.exp(-slope * np.arange(63, -1, -1), dtype=np.float32)[None, None, :, None]
    found = np.asarray(density.flattened(image * shade, fov, sigma))
    left = density.GAIN * slope * sigma * stats.norm.pdf(1) / stats.norm.cdf(1)
    assert abs(found[:, :, 12:52]).max() < left < 0.1  # of light that changes by 5 log(2)
    assert not found[fov == 0].any()


def test_a_vessel_is_as_deep_as_it_absorbs():
    with_line, without = (density.flattened(*scene(line), 6.0)[0, 32, 30] for line in (0.8, 1.0))
    own_share = stats.norm.pdf(np.arange(-1, 2) / 6).sum() / 6  # of the mean that is taken away
    for channel, light in enumerate(LIGHT):
        depth = np.log((light + density.FLOOR) / (0.8 * light + density.FLOOR)) * density.GAIN
        found = float(with_line[channel] - without[channel])
        np.testing.assert_allclose(found, depth * (1 - own_share), rtol=1e-3)
