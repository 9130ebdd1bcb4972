"""What `:paper` of EFIQA changes in its methods: 8-bit pictures, cells outside, the threshold."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict
from PIL import Image, ImageDraw

from fiqa_jax import defaults
from fiqa_jax.methods import efiqa_adapter, efiqa_inpaint, efiqa_labels, efiqa_masks
from fiqa_jax.training import method as base

SPEC = base.DataSpec(24, 3, (), (), (), {}, (0.0,) * 3, (1.0,) * 3)
RUN = base.Run(5, 8, 8)


def inpaint(**own):
    c = defaults.base()
    small = {"side": 16, "base": 2, "levels": 2, "grid": 4}
    c.method.update({**defaults.METHODS["inpaint"], **small, **own})
    c.augment.train = ""
    return efiqa_inpaint.build(c, SPEC, RUN)


def test_the_ellipse_is_pillows():
    """Pixels at the rim may fall either way: at most one in ten of those it passes through."""
    for left, top, width, height in ((3, 5, 100, 100), (0, 0, 57, 57), (40, 9, 90, 91)):
        drawn = Image.new("L", (160, 160))
        part = Image.new("L", (width, height))
        ImageDraw.Draw(part).ellipse((0, 0, width, height), fill=1)
        drawn.paste(part, (left, top))
        box = efiqa_masks.Box(*map(jnp.float32, (left, top, width, height)))
        found = np.asarray(efiqa_masks.ellipse_of(box, 160))
        assert (found != (np.asarray(drawn) > 0)).sum() < 0.1 * np.pi * width


def test_a_crop_of_a_picture_is_pillows():
    """Ellipse, then resizing, then 8 bits: Pillow's numbers but for the rim."""
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 256, (16, 16, 3), np.uint8), np.ones((6, 6, 1), np.uint8))
    left, top, width, height = 11, 7, 70, 70
    box = efiqa_masks.Box(*map(jnp.float32, (left, top, width, height)))
    inside = efiqa_masks.ellipse_of(box, 96)[..., None]
    found = efiqa_masks.resize(base.unit(jnp.asarray(image)) * inside, box, 32)
    found = np.asarray(efiqa_masks.eight_bit(found)) * 255
    part = Image.fromarray(image).crop((left, top, left + width, top + height))
    mask = Image.new("L", part.size)
    ImageDraw.Draw(mask).ellipse((0, 0, width, height), fill=255)
    part = Image.composite(part, Image.new("RGB", part.size), mask)
    want = np.asarray(part.resize((32, 32), Image.Resampling.BILINEAR)).astype(float)
    np.testing.assert_allclose(found, np.rint(found), atol=1e-3)
    y, x = np.mgrid[:32, :32] + 0.5
    middle = np.hypot(x - 16, y - 16) < 14
    assert np.abs(found - want)[middle].max() <= 1.01  # one grey level of rounding
    after = efiqa_masks.resize(base.unit(jnp.asarray(image)), box, 32)
    after = np.asarray(after * efiqa_masks.ellipse(32)[..., None]) * 255
    assert np.abs(found - want).mean() < np.abs(after - want).mean() / 3


def test_examples_and_maps_in_use_are_rounded():
    image = jnp.asarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8))
    for key in range(6):
        at = (image, jax.random.key(key), jnp.asarray(99), 16, True)
        target, _ = efiqa_inpaint.example(*at, as_pictures=True)
        level = np.asarray(target) * 255
        np.testing.assert_allclose(level, np.rint(level), atol=1e-3)
    want = np.asarray(Image.fromarray(np.asarray(image)).resize((16, 16), Image.BILINEAR))
    found = efiqa_inpaint.prepared(image[None], 16, -1.0, True)[0] * 255
    np.testing.assert_allclose(found, want, atol=1.01)
    np.testing.assert_allclose(found, np.rint(found), atol=1e-3)


def test_cells_outside_are_labelled_like_all_others():
    """The field is the lower half; without it every cell is 0 or 1."""
    rng = np.random.default_rng(0)
    batch = {
        "image": jnp.asarray(rng.integers(0, 256, (2, 24, 24, 3), dtype=np.uint8)),
        "fov": jnp.asarray(np.repeat([0, 1], 12)[None, :, None] * np.ones((2, 1, 24)), jnp.uint8),
        "index": jnp.arange(2),
    }
    found = {}
    for field in (True, False):
        method = inpaint(field=field, threshold=0.01)
        variables = {"params": method.init(jax.random.key(0)).params}
        found[field] = np.asarray(method.predict(variables, batch)["bad"])
    assert (found[True][:, :2] == 255).all()
    assert (found[False] <= 1).all()
    np.testing.assert_array_equal(found[False][:, 2:], found[True][:, 2:])


def test_a_share_of_all_cells_is_flagged():
    """9.45 % of the cells of MSHF (19,402 of 205,312) are above the threshold."""
    values = np.random.default_rng(0).random((802, 16, 16))
    share = 19402 / 205312
    assert round(share, 4) == 0.0945
    at = efiqa_labels.threshold(values, np.ones_like(values), share)
    assert abs((values > at).sum() - 19402) <= 1


def test_the_published_map_and_score_know_no_field():
    """The mean of the sigmoid over all cells (released control test), and a map to the corners."""
    c = ConfigDict({**defaults.base().to_dict(), "method": dict(defaults.METHODS["adapter"])})
    c.method.update({"standardise": False, "field": False})
    data = dataclasses.replace(SPEC, features=(4, 4, 3))
    method = efiqa_adapter.build(c, data, RUN)
    variables = {"params": {"linear": {"kernel": np.eye(3, 1), "bias": np.ones(1)}}}
    features = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
    batch = {"features": features, "seen": np.zeros((2, 4, 4), np.float32)}
    found = method.predict(variables, batch)
    want = 1 / (1 + np.exp(-features[..., 0] - 1))
    np.testing.assert_allclose(found["map"], want, rtol=1e-5)
    np.testing.assert_allclose(found["score"], want.mean((1, 2)), rtol=1e-5)
