"""Masks and crops of inpainting: the schedule's known points, PyTorch's blocks, crop geometry."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from fiqa_jax.methods import efiqa_masks


@pytest.mark.parametrize(
    ("epoch", "masked", "cropped"),
    [(0, 0.8, 0.0), (19, 0.8, 0.0), (50, 0.4, 0.25), (80, 0.0, 0.5), (99, 0.0, 0.5)],
)
def test_schedule(epoch, masked, cropped):
    assert float(efiqa_masks.masked_at_least(jnp.asarray(epoch))) == pytest.approx(masked, abs=1e-6)
    assert float(efiqa_masks.crop_probability(jnp.asarray(epoch))) == pytest.approx(
        cropped, abs=1e-6
    )


def test_epochs_of_a_shorter_run():
    found = [int(efiqa_masks.epoch(jnp.asarray(s), 40)) for s in (0, 1, 20, 39, 40, 99)]
    assert found == [0, 2, 50, 97, 99, 99]


def test_blocks_are_pytorchs():
    got = "".join(str(i) for i in np.asarray(efiqa_masks.nearest(5, 12)))
    assert got == "000112223344"  # torch 2.13, interpolate(mode='nearest'); jax.image differs
    torch = pytest.importorskip("torch")
    for blocks in (4, 7, 13, 31, 32):
        line = torch.arange(blocks, dtype=torch.float32)[None, None]
        want = torch.nn.functional.interpolate(line, size=256, mode="nearest")[0, 0].numpy()
        np.testing.assert_array_equal(efiqa_masks.nearest(blocks, 256), want)


def test_share_masked_follows_the_schedule():
    """The share drawn is uniform in [0.8, 1] at first and in [0, 1] at last: means 0.9 and 0.5."""
    keys = jax.random.split(jax.random.key(0), 800)
    draw = jax.jit(jax.vmap(lambda k, e: efiqa_masks.block_mask(k, e, 64), (0, None)))
    for epoch, mean, spread in ((0, 0.9, 0.2 / 12**0.5), (90, 0.5, 1 / 12**0.5)):
        gone = 1 - np.asarray(draw(keys, jnp.asarray(epoch))).mean((1, 2))
        # the blocks' own spread comes on top; four standard errors of the mean
        assert gone.mean() == pytest.approx(mean, abs=4 * (spread + 0.1) / 800**0.5)
        assert gone.std() > spread


def test_blocks_are_whole():
    """With masks of K x K blocks at most K - 1 borders lie along any row."""
    keys = jax.random.split(jax.random.key(1), 50)
    found = np.asarray(jax.vmap(lambda k: efiqa_masks.block_mask(k, jnp.asarray(99), 128))(keys))
    assert (np.diff(found.astype(int), axis=2) != 0).sum(2).max() <= efiqa_masks.MOST - 1
    assert found.any()
    assert not found.all()


def test_smallest_crop():
    assert efiqa_masks.smallest_crop(256, 256) == pytest.approx(224 / 256)
    assert efiqa_masks.smallest_crop(1000, 256) == 0.5
    assert efiqa_masks.smallest_crop(256, 128) == 0.5
    assert efiqa_masks.smallest_crop(128, 256) == 1.0  # nothing to cut from


def test_crops_lie_inside_the_circle():
    keys = jax.random.split(jax.random.key(2), 500)
    box = jax.vmap(lambda k: efiqa_masks.crop_box(k, 1000, 256))(keys)
    left, top, width, height = map(np.asarray, box)
    assert (abs(width - height) <= 1).all()  # corners are cut to whole pixels
    assert width.min() >= 499
    assert width.max() <= 1000
    radius = (width + height) / 4
    away = np.hypot(left + width / 2 - 500, top + height / 2 - 500)
    assert (away + radius <= 500 + 1.5).all()
    assert (left >= 0).all()
    assert (left + width <= 1000).all()
    # uniform in the disc of radius R0 - R: half of the centres lie within 1 / sqrt(2) of it
    room = 500 - radius
    inner = (away < room / 2**0.5)[room > 50]
    assert inner.mean() == pytest.approx(0.5, abs=0.1)


def test_resize_is_pillows():
    image = np.random.default_rng(0).random((60, 60)).astype(np.float32)
    want = np.asarray(Image.fromarray(image).resize((23, 23), Image.Resampling.BILINEAR))
    got = efiqa_masks.resize(jnp.asarray(image)[..., None], efiqa_masks.whole(60), 23)[..., 0]
    np.testing.assert_allclose(got, want, atol=2e-5)


def test_crop_of_a_ramp():
    """A linear ramp stays one: pixel centres of the crop go to pixel centres of the result."""
    ramp = jnp.broadcast_to(jnp.arange(64.0)[None, :, None], (64, 64, 1))
    box = efiqa_masks.Box(*map(jnp.asarray, (10.0, 20.0, 32.0, 32.0)))
    got = np.asarray(efiqa_masks.resize(ramp, box, 16))[8, :, 0]
    want = 10 + (np.arange(16) + 0.5) * 2 - 0.5
    np.testing.assert_allclose(got[1:-1], want[1:-1], atol=1e-4)


def test_ellipse():
    assert np.asarray(efiqa_masks.ellipse(200)).mean() == pytest.approx(np.pi / 4, abs=0.005)
