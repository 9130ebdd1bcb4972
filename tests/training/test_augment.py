"""Augmentation: exact where the map is exact, and the same for image, masks and maps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from fiqa_jax.training import augment, augment_spec

SIDE = 9
IMAGE = jnp.asarray(np.random.default_rng(0).uniform(0.1, 1.0, (SIDE, SIDE, 3)), jnp.float32)
KEY = jax.random.key(3)


def arrays():
    fov = np.ones((SIDE, SIDE), np.uint8)
    fov[0] = 0
    return {"image": IMAGE, "fov": jnp.asarray(fov)}


def test_flips_are_exact():
    across = augment.warp(IMAGE, augment.flip(1.0, 0.0)(KEY))
    np.testing.assert_allclose(across, IMAGE[:, ::-1], atol=1e-6)
    down = augment.warp(IMAGE, augment.flip(0.0, 1.0)(KEY))
    np.testing.assert_allclose(down, IMAGE[::-1], atol=1e-6)


def test_flip_probability():
    keys = jax.random.split(KEY, 4000)
    sign = jax.vmap(augment.flip(0.25, 0.0))(keys)[:, 0, 0]
    share = float((sign < 0).mean())
    assert abs(share - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 4000)


def test_quarter_turn_is_rot90():
    c, s = 0.0, 1.0
    quarter = jnp.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(augment.warp(IMAGE, quarter), np.rot90(IMAGE, 1), atol=1e-6)


def test_rotation_matches_scipy():
    angle = 30.0
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    ours = augment.warp(IMAGE, jnp.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]))
    # scipy's matrix takes output (row, column) to input (row, column)
    matrix = np.array([[c, s], [-s, c]])
    centre = np.full(2, (SIDE - 1) / 2)
    want = np.stack(
        [
            ndimage.affine_transform(
                np.asarray(IMAGE[..., k]), matrix, centre - matrix @ centre, order=1, cval=0.0
            )
            for k in range(3)
        ],
        -1,
    )
    inner = slice(2, -2)  # at the border scipy and we blend with black differently
    np.testing.assert_allclose(ours[inner, inner], want[inner, inner], atol=1e-5)


def test_outside_is_black():
    half = jnp.diag(jnp.array([4.0, 4.0, 1.0]))  # shrinks to a quarter
    out = augment.warp(IMAGE, half)
    assert float(out[0].max()) == 0.0
    assert float(out[SIDE // 2, SIDE // 2].max()) > 0.0


def test_crop_stays_inside():
    matrices = jax.vmap(augment.crop(0.3, 1.0, 0.5, 2.0))(jax.random.split(KEY, 500))
    size, centre = jnp.stack([matrices[:, 0, 0], matrices[:, 1, 1]], -1), matrices[:, :2, 2]
    assert float((jnp.abs(centre) + size).max()) <= 1.0 + 1e-5
    area = np.asarray(size.prod(-1))
    assert area.min() > 0.15  # capped sides only make it smaller
    assert area.max() <= 1.0 + 1e-6
    assert area.std() > 0.1


def test_masks_go_with_the_image():
    line = augment_spec.make("flip(1.0, 1.0)")
    out = line(arrays(), KEY)
    np.testing.assert_array_equal(out["fov"], arrays()["fov"][::-1, ::-1])
    assert out["fov"].dtype == jnp.uint8
    np.testing.assert_allclose(out["image"], IMAGE[::-1, ::-1], atol=1e-6)


def test_small_maps_share_the_geometry():
    quality_map = jnp.arange(9, dtype=jnp.uint8).reshape(3, 3)
    out = augment_spec.make("flip(1.0, 0.0)")({**arrays(), "map": quality_map}, KEY)
    np.testing.assert_array_equal(out["map"], quality_map[:, ::-1])


def test_colours_leave_the_outside_black():
    a = arrays()
    a["image"] = a["image"] * a["fov"][..., None]
    out = augment_spec.make("brightness(0.5)|contrast(0.5)|gamma(0.5)|tint(0.3)|noise(0.1)")(a, KEY)
    assert float(out["image"][0].max()) == 0.0
    assert float(out["image"].max()) <= 1.0
    assert not np.allclose(out["image"], a["image"])


def test_same_key_same_result_different_key_different():
    line = augment_spec.make("flip|rotate(180)|crop(0.5, 1.0)")
    one, two = line(arrays(), KEY), line(arrays(), KEY)
    other = line(arrays(), jax.random.key(4))
    np.testing.assert_array_equal(one["image"], two["image"])
    assert not np.allclose(one["image"], other["image"])


def test_empty_line_is_nothing():
    assert augment_spec.make("") is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("flp", "did you mean 'flip'"),
        ("rotate(x)", "cannot read 'rotate\\(x\\)'"),
        ("rotate(1, 2)", "rotate\\(1, 2\\)"),
        ("__import__('os')", "no operation '__import__'"),
        ("flip; rotate", "cannot read"),
    ],
)
def test_bad_lines(line, says):
    with pytest.raises(ValueError, match=says):
        augment_spec.make(line)
