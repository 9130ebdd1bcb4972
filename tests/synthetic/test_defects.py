"""Defects as they are: what every kind does, and visibility computed by hand."""

import math

import numpy as np
import pytest

from input_pipeline.synthetic import defects, draw
from input_pipeline.synthetic.defects import (
    CAUSES,
    CONTROLS,
    KINDS,
    Item,
    apply,
    compression,
    linear_light,
    noise_floor,
    render,
    visibility,
)
from input_pipeline.synthetic.defects.defect import GREEN, Defect
from input_pipeline.synthetic.defects.focus import by_kernel
from input_pipeline.synthetic.optics import aperture
from input_pipeline.synthetic.truth import pool

SIDE = 256


def shot(level=(180, 90, 50), side=SIDE, sd=0.0, seed=0):
    """A uniform round photograph with normal noise of `sd` grey levels, and its field."""
    y, x = np.mgrid[:side, :side] - (side / 2 - 0.5)
    fov = (np.hypot(y, x) < side / 2 - 1).astype(np.uint8)
    noise = np.random.default_rng(seed).normal(0, sd, (side, side, 3)) if sd else 0
    grey = np.clip(np.rint(np.array(level) + noise), 0, 255)
    return (fov[..., None] * grey * np.ones((side, side, 1))).astype(np.uint8), fov


@pytest.fixture(scope="module")
def eye():
    drawn = draw(4, SIDE, "b")
    return defects.prepare(drawn.image, drawn.fov, drawn.vessels)


@pytest.fixture(scope="module")
def plain():
    return defects.prepare(*shot(sd=2.0))


def known(done):
    return done.visibility[~np.isnan(done.visibility)]


def with_defect(prepared, defect, seed=0):
    """Visibility [n] of the cells of the field after one defect."""
    base = prepared.base
    way = render.Way(base, (defect,))
    seen, bare = (way.light(x[..., None], (GREEN,))[..., 0] for x in (base.seen, base.bare))
    after = visibility.measured(way, seen, bare, np.random.default_rng(seed))
    inside = pool(base.scene.fov.astype(np.float32), base.cells) > 0.9 * base.cells**2
    values = visibility.of(prepared.before, after, inside)[0]
    return values[~np.isnan(values)]


def nothing(prepared):
    return np.zeros(prepared.base.scene.fov.shape, np.float32)


def test_light_is_the_srgb_curve_and_back():
    grey = np.arange(256, dtype=np.uint8)
    light = linear_light.decode(grey)
    assert light[0] == 0
    assert light[255] == 1
    # IEC 61966-2-1: 128 / 255 is 0.2158605 of the light
    assert light[128] == pytest.approx(0.2158605, abs=1e-6)
    np.testing.assert_allclose(linear_light.encode(light), grey, atol=0.06)
    step = (linear_light.encode(light[101:103]) - linear_light.encode(light[99:101])).mean()
    rise = step / (light[101:103] - light[99:101]).mean()
    assert linear_light.slope(light[100:102]).mean() == pytest.approx(rise, rel=0.02)


def test_noise_is_measured_with_its_dependence_on_light():
    """Variance a L + b in linear light, put into steps of brightness, comes back."""
    side, a, b = 512, 2e-4, 1e-5
    rng = np.random.default_rng(3)
    light = np.repeat(np.linspace(0.05, 0.7, 16), side // 16)[None, :, None]
    noisy = light + np.sqrt(a * light + b) * rng.standard_normal((side, side, 3))
    image = np.rint(linear_light.encode(noisy)).astype(np.uint8)
    floor = noise_floor.measure(image, np.ones((side, side), bool))
    for level in (0.1, 0.3, 0.6):
        wanted = math.sqrt(a * level + b) * float(linear_light.slope(np.float32(level)))
        assert floor.grey_sd(level, GREEN) == pytest.approx(wanted, rel=0.08)


def test_the_picture_beneath_the_noise_is_smooth_and_keeps_a_vessel():
    image, fov = shot(sd=3.0)
    image[:, 120:126] = image[:, 120:126] * 0.7
    floor = noise_floor.measure(image, fov > 0)
    grey = noise_floor.beneath(image, floor)[..., 1]
    assert grey[100:150, 60:100].std() < 1.2
    across = grey[100:150].mean(0)
    assert across[80] - across[123] == pytest.approx(27, abs=1.5)


def test_the_quality_of_a_jpeg_is_seen_and_a_resized_one_is_not():
    rng = np.random.default_rng(0)
    texture = np.clip(128 + 25 * rng.standard_normal((SIDE, SIDE, 3)), 0, 255)
    for quality in (50, 75, 85):
        saved = compression.jpeg(texture, quality).astype(np.uint8)
        assert compression.quality_of(saved) == quality
    assert compression.quality_of(texture.astype(np.uint8)) == compression.USUAL


def test_nothing_done_leaves_the_photograph_and_all_is_seen(eye):
    done = apply(eye, [], 0)
    inside = eye.base.scene.fov
    assert np.abs(done.image[inside].astype(int) - eye.base.image[inside]).mean() < 2.5
    assert not done.image[~inside].any()
    assert known(done).min() > 0.8
    assert (done.cause == -1).all()
    assert not done.mask.any()


@pytest.mark.parametrize("name", [*KINDS, *CONTROLS])
def test_every_kind_is_a_pure_function_of_its_arguments(eye, name):
    one, two = (apply(eye, [Item(name, 0.7, 5, 0.5)], 3) for _ in range(2))
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(one.visibility, two.visibility)
    assert one.image.dtype == one.mask.dtype == np.uint8
    assert one.image.shape == (SIDE, SIDE, 3)
    assert one.visibility.dtype == np.float32
    assert one.visibility.shape == one.cause.shape == one.contrast.shape == (16, 16)
    inside = ~np.isnan(one.visibility)
    assert one.visibility[inside].min() >= 0
    assert one.visibility[inside].max() <= 1
    assert not one.image[~eye.base.scene.fov].any()
    assert not one.mask[~eye.base.scene.fov].any()
    assert (one.cause[~inside] == -1).all()


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_hides_something_and_names_its_cause(eye, name):
    lost = [apply(eye, [Item(name, s, 7)], 1) for s in (0.3, 0.95)]
    assert (known(lost[1]) < 0.6).any()
    where = np.nan_to_num(lost[1].visibility, nan=1.0) < 0.6
    assert set(lost[1].cause[where]) == {CAUSES.index(KINDS[name].cause)}
    assert known(lost[0]).mean() > known(lost[1]).mean()
    mask = lost[1].mask.reshape(16, 16, 16, 16).mean((1, 3))
    inside = ~np.isnan(lost[1].visibility)
    if KINDS[name].local:  # the mask tells which part
        assert np.corrcoef(mask[inside], lost[1].visibility[inside])[0, 1] < -0.3


@pytest.mark.parametrize("name", CONTROLS)
def test_harmless_changes_keep_visibility(eye, name):
    for severity in (0.5, 1.0):
        done = apply(eye, [Item(name, severity, 2)], 0)
        assert np.median(known(done)) >= 0.8
        assert (known(done) < 0.6).mean() <= 0.02
        assert (done.cause == -1).all()


def test_a_kind_that_acts_everywhere_can_act_on_a_part(eye):
    done = apply(eye, [Item("defocus", 0.95, 3, 0.4)], 0)
    assert 0.2 < (known(done) < 0.25).mean() < 0.55
    assert (known(done) > 0.85).mean() > 0.3


def test_a_gain_changes_nothing(plain):
    """Signal, noise and clutter grow alike: v is 1."""
    values = with_defect(plain, Defect(nothing(plain), gain=1.5))
    assert np.median(values) == pytest.approx(1, abs=0.03)


def test_a_dark_photograph_amplified_loses_what_its_noise_costs(plain):
    """Light / 16, gain 16: contrast and level come back, noise of variance a L + b does not.

    The variance at the sensor is a L / 16 + b, after the gain 256 (a L / 16 + b).
    """
    base = plain.base
    dark = Defect(nothing(plain), lambda picture, channels: picture / 16, gain=16.0)
    values = with_defect(plain, dark)
    light = float(base.still[..., GREEN][base.scene.fov].mean())
    a, b = float(base.floor.a[GREEN]), float(base.floor.b[GREEN])
    rise = float(linear_light.slope(np.float32(light)))
    before, after = math.sqrt(a * light + b) * rise, math.sqrt(16 * a * light + 256 * b) * rise
    wanted = math.sqrt((before**2 + 36) / (after**2 + 36))
    assert wanted < 0.6
    assert np.median(values) == pytest.approx(wanted, rel=0.1)


def test_a_veil_costs_contrast_over_the_mean(plain):
    """Light A on top of L: the slope of the curve and the mean give L / (L + A), about."""
    light = float(plain.base.still[..., GREEN][plain.base.scene.fov].mean())
    veil = Defect(nothing(plain), lambda picture, channels: picture + np.float32(light))
    assert np.median(with_defect(plain, veil)) == pytest.approx(0.5, abs=0.06)


def test_nothing_is_seen_behind_a_cover_and_all_beside_it(plain):
    side = plain.base.scene.side
    thick = np.zeros((side, side), np.float32)
    thick[: side // 2] = 0.9
    cover = Defect(thick, opacity=thick)
    base = plain.base
    way = render.Way(base, (cover,))
    after = visibility.measured(way, base.seen, base.bare, np.random.default_rng(0))
    inside = pool(base.scene.fov.astype(np.float32), base.cells) > 0.9 * base.cells**2
    v = visibility.of(plain.before, after, inside)[0]
    # cells next to the border share the ground of their neighbours
    assert np.nanmax(v[:7]) == pytest.approx(0, abs=0.03)
    assert np.nanmin(v[9:]) > 0.9


def test_blur_keeps_what_its_transfer_function_says():
    """A grating of 16 pixels under a disc of radius r keeps 2 J1(x) / x, x = 2 pi r / 16."""
    from scipy.special import j1

    image, fov = shot()
    prepared = defects.prepare(image, fov)
    rows = np.arange(SIDE, dtype=np.float32)
    grating = 0.2 + 0.05 * np.cos(2 * np.pi * rows / 16)
    picture = np.broadcast_to(grating[None, :, None], (SIDE, SIDE, 1)).astype(np.float32)
    for sigma in (1.5, 2.0, 3.0):  # a disc of radius r has a deviation of r / 2 per axis
        out = by_kernel(prepared.base, aperture(sigma))(picture, (GREEN,))[128, 64:192, 0]
        kept = 2 * (out * np.cos(2 * np.pi * rows[64:192] / 16)).mean() / 0.05
        x = 2 * np.pi * 2 * sigma / 16
        assert kept == pytest.approx(2 * j1(x) / x, abs=0.03)


def test_defocus_keeps_the_noise_of_the_sensor(plain):
    """A blurred photograph is as noisy as a sharp one: it was its light that was blurred."""
    sharp, soft = (
        apply(plain, [Item("defocus", s, 1)], 0).image[100:156, 100:156, 1].astype(float)
        for s in (0.0, 0.9)
    )
    measure = [np.diff(np.diff(x, axis=0), axis=1).std() for x in (sharp, soft)]
    assert measure[1] > 0.6 * measure[0]


def test_dust_stays_in_its_place_over_a_series():
    """Positions come from the seed alone, not from the photograph."""
    masks = [
        apply(defects.prepare(*shot(level)), [Item("dust", 0.9, 21)], 0).mask
        for level in ((180, 90, 50), (120, 60, 30))
    ]
    np.testing.assert_allclose(masks[0].astype(int), masks[1], atol=1)


def test_two_things_at_once_leave_less_than_either(eye):
    items = [Item("haze", 0.5, 1), Item("defocus", 0.5, 2)]
    both = np.mean(known(apply(eye, items, 0)))
    alone = [np.mean(known(apply(eye, [item], 0))) for item in items]
    assert both < min(alone)


def test_wrong_arguments_are_named(eye):
    with pytest.raises(ValueError, match="'fog' is none of"):
        apply(eye, [Item("fog", 0.5, 0)], 0)
    with pytest.raises(ValueError, match=r"haze: severity 1\.5"):
        apply(eye, [Item("haze", 1.5, 0)], 0)
    image, fov = shot()
    with pytest.raises(ValueError, match="expected image"):
        defects.prepare(image.astype(np.float32), fov)
    with pytest.raises(ValueError, match="cells of 900"):
        defects.prepare(image, fov, cells=900)
