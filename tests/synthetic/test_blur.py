"""Blur: widths, kernels and contrast left against theory, convolution against scipy."""

import math

import numpy as np
import pytest
from scipy import ndimage

from input_pipeline.synthetic import effects, optics, truth


def test_a_blurred_gaussian_vessel_keeps_what_theory_says():
    """Peak contrast of a profile of deviation a under a blur of deviation b: a / sqrt(a2 + b2)."""
    side, a = 192, 3.0
    fov = np.ones((side, side), bool)
    offset = np.arange(side) - (side / 2 - 0.5)
    profile = np.exp(-0.5 * (offset / a) ** 2).astype(np.float32)
    without = np.full((side, side), 120, np.float32)
    green = without - 40 * profile[None, :]
    centre = np.zeros((side, side), np.float32)
    centre[:, side // 2 - 1 : side // 2 + 1] = 1
    for b in (1.0, 3.0, 6.0):
        y, x = np.mgrid[-30:31, -30:31]
        kernel = np.exp(-(x**2 + y**2) / (2 * b * b)).astype(np.float32)
        kernel /= kernel.sum()
        blur = effects.Effect(
            lambda picture, channels, kernel=kernel: optics.convolve(picture, fov, kernel),
            np.zeros((side, side), np.float32),
        )
        seen = truth.visibility(green, without, centre, fov, [blur], 64)
        theory = a / math.hypot(a, b)
        background = 40 * theory * np.exp(-0.5 * (offset / math.hypot(a, b)) ** 2)
        shared = background[(np.abs(offset) > 2)].mean()  # what vessel-free pixels have too
        before = 40 * (1 - profile[np.abs(offset) > 2].mean())
        near_peak = 40 * theory - shared
        assert seen[1, 1] == pytest.approx(near_peak / before, rel=0.03)


def test_severity_of_a_blur_fixes_its_width():
    side = 512
    usual = math.hypot(optics.PROFILE * side, optics.SHARP)
    for severity in (0.2, 0.5, 0.8):
        b = optics.blur_of(severity, side)
        assert usual / math.hypot(usual, b) == pytest.approx(1 - severity)
    assert optics.blur_of(0.0, side) == 0
    assert optics.blur_of(1.0, side) == pytest.approx(0.08 * side)


@pytest.mark.parametrize("sigma", [0.4, 1.3, 4.0, 9.0])
def test_kernels_have_unit_sum_and_the_width_asked_for(sigma):
    disc, line = optics.aperture(sigma), optics.line(sigma, 0.0)
    for kernel in (disc, line):
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        k = kernel.shape[0] // 2
        x = np.arange(-k, k + 1)
        spread = math.sqrt((kernel.sum(0) * x**2).sum())
        assert spread == pytest.approx(sigma, rel=0.12, abs=0.1)
    assert (line.sum(1) * np.arange(-k, k + 1) ** 2).sum() < 0.3  # it blurs along x only


def test_convolution_agrees_with_scipy_inside_the_field():
    rng = np.random.default_rng(0)
    picture = rng.random((64, 64, 2)).astype(np.float32)
    kernel = optics.aperture(2.0)
    ours = optics.convolve(picture, np.ones((64, 64), bool), kernel)
    for c in range(2):
        direct = ndimage.convolve(picture[..., c], kernel, mode="constant")
        weight = ndimage.convolve(np.ones((64, 64), np.float32), kernel, mode="constant")
        np.testing.assert_allclose(ours[..., c], direct / weight, atol=1e-5)
