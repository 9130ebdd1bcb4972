"""The published enhancement: padding, fill, what it removes and what it keeps."""

import numpy as np
import pytest

from input_pipeline.photo import enhance


def photograph(side=200):
    """A bright disc whose light falls off to one side, crossed by a dark line."""
    y, x = np.mgrid[:side, :side]
    fov = ((x - side / 2) ** 2 + (y - side / 2) ** 2 < (0.45 * side) ** 2).astype(np.uint8)
    light = 80 + 0.6 * x
    image = np.stack([light, 0.6 * light, 0.3 * light], -1)
    image[(np.abs(y - side / 2) <= 2)] *= 0.7
    image = image + np.random.default_rng(0).normal(0, 1, image.shape)
    return (image * fov[..., None]).clip(0, 255).astype(np.uint8), fov


def test_padding_by_hand():
    assert [enhance.padding(n) for n in (64, 33, 31, 1408)] == [
        (16, 16),
        (15, 16),
        (0, 1),
        (16, 16),
    ]
    x = np.arange(40 * 33 * 2.0).reshape(40, 33, 2)
    wide = enhance.padded(x)
    assert wide.shape == (64, 64, 2)
    assert wide.sum() == x.sum()
    np.testing.assert_array_equal(enhance.unpadded(wide, 40, 33), x)


def test_light_is_removed_and_the_line_stays():
    image, fov = photograph()
    out, inside = enhance.enhanced(image, fov, equalise=False)
    assert (out.min(), out.max()) == (0.0, 1.0)
    assert (out[inside == 0] == 0).all()
    deep = out[60:140, 60:140, 0]
    rows = np.r_[0:30, 50:80]
    falls = image[60:140, 60:140, 0][rows].mean(0)
    assert falls[-10:].mean() / falls[:10].mean() > 1.2
    flat = deep[rows].mean(0)
    assert flat[-10:].mean() / flat[:10].mean() == pytest.approx(1.0, abs=0.03)
    assert deep[38:43].mean() < deep[rows].mean() - 0.2


def test_the_field_shrinks_by_five_pixels():
    fov = np.zeros((60, 60), np.uint8)
    fov[10:50, 10:50] = 1
    _, inside = enhance.enhanced(photograph(60)[0], fov, equalise=False)
    rows, columns = np.nonzero(inside)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (15, 44, 15, 44)
    with pytest.raises(ValueError, match="field of view is empty"):
        enhance.enhanced(photograph(60)[0], 0 * fov, equalise=False)


def test_a_dark_fill_changes_the_rim_only():
    """Farther from the rim than the blur reaches both agree, up to one affine map."""
    image, fov = photograph()
    one, inside = enhance.enhanced(image, fov, equalise=False)
    other, _ = enhance.enhanced(image, fov, equalise=False, dark_fill=True)
    y, x = np.mgrid[:200, :200]
    distance = np.hypot(x - 100, y - 100)
    deep = distance < 90 - 5 - 42
    a, b = one[deep].ravel(), other[deep].ravel()
    line = np.polyfit(a, b, 1)
    assert np.abs(np.polyval(line, a) - b).max() < 2 / 255 * max(1, line[0])
    rim = (inside > 0) & (distance > 80)
    assert np.abs(np.polyval(line, one[rim]) - other[rim]).max() > 0.1


def test_equalisation_is_scikit_images():
    exposure = pytest.importorskip("skimage.exposure", reason="scikit-image is not installed")
    image, fov = photograph()
    plain, _ = enhance.enhanced(image, fov, equalise=False)
    better, _ = enhance.enhanced(image, fov)
    want = exposure.equalize_adapthist((plain * 255).round().astype(np.uint8), clip_limit=0.01)
    np.testing.assert_array_equal(better, want)


def test_field_and_width():
    pytest.importorskip("skimage.transform", reason="scikit-image is not installed")
    image = np.zeros((30, 40, 3))
    image[:, 20:] = 0.01
    np.testing.assert_array_equal(enhance.field(image), image[..., 0] > 0)
    assert enhance.resized(image, 60).shape == (45, 60, 3)
    assert enhance.resized(image, 40) is image
