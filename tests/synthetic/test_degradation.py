"""Degradations and the truth about them, by closed forms; see also test_blur."""

import math

import numpy as np
import pytest
from scipy import ndimage, stats

from input_pipeline import synthetic
from input_pipeline.synthetic import KINDS, Degradation, degrade, sensor, truth
from input_pipeline.synthetic.plans import ordered, plan

SIDE = 160


@pytest.fixture(scope="module")
def shots():
    return [synthetic.draw(k, SIDE, "abc"[k], 0) for k in range(3)]


def run(shot, *items, seed=0, cells=10):
    return degrade(shot.image, shot.fov, seed, items, shot.clean0, shot.vessels, cells)


def plain(side=SIDE, level=(180, 80, 40)):
    """A uniform round photograph with its field."""
    y, x = np.mgrid[:side, :side] - (side / 2 - 0.5)
    fov = (np.hypot(y, x) < side / 2 - 1).astype(np.uint8)
    return (fov[..., None] * np.array(level, np.uint8)).astype(np.uint8), fov


def test_nothing_planned_changes_nothing_and_all_is_good(shots):
    for shot in shots:
        done = run(shot)
        np.testing.assert_array_equal(done.image, shot.image)
        assert done.quality == 0
        assert not any(done.details.values())
        assert set(np.unique(done.map)) == {0, 1}
        np.testing.assert_array_equal(np.isnan(done.visibility), done.map == 0)


@pytest.mark.parametrize("name", list(KINDS))
def test_zero_severity_leaves_a_good_photograph(shots, name):
    done = run(shots[0], Degradation(name, 0.0, 0.3, 5))
    change = np.abs(done.image.astype(int) - shots[0].image)
    assert change.max() <= 1
    assert set(np.unique(done.map)) == {0, 1}
    assert done.quality == 0
    assert not any(done.details.values())


@pytest.mark.parametrize("name", ["defocus", "haze", "dark", "bright", "low_contrast"])
def test_the_worst_leaves_nothing_to_see(shots, name):
    for shot in shots:
        done = run(shot, Degradation(name, 0.98))
        assert set(np.unique(done.map)) == {0, 3}
        assert done.quality == 2


@pytest.mark.parametrize("name", list(KINDS))
def test_each_kind_spoils_its_own_detail_and_names_its_cause(shots, name):
    done = run(shots[1], Degradation(name, 0.85, 0.3, 11))
    spoilt = [detail for detail, value in done.details.items() if value]
    assert spoilt == [KINDS[name].detail]
    assert done.causes == (f"{KINDS[name].cause}:{name}",)
    assert done.severity == {name: 0.85}
    assert done.masks[name].dtype == np.uint8
    assert not done.masks[name][shots[1].fov == 0].any()
    assert done.masks[name].max() > 0.6 * 255
    assert done.image.dtype == np.uint8
    outside = shots[1].fov == 0
    assert not done.image[outside].any()


@pytest.mark.parametrize("name", ["uneven", "local_defocus", "flare"])
def test_local_kinds_cover_the_area_they_are_given(name):
    image, fov = plain()
    for area in (0.2, 0.6):
        shares = []
        for seed in range(8):
            mask = degrade(image, fov, 0, [Degradation(name, 1.0, area, seed)]).masks[name]
            shares.append((mask[fov > 0] > 127).mean())
        assert np.mean(shares) == pytest.approx(area, abs=0.08)


@pytest.mark.parametrize("name", ["dark", "bright", "low_contrast", "noise"])
@pytest.mark.parametrize("severity", [0.3, 0.55, 0.8])
def test_visibility_is_the_share_of_contrast_left(shots, name, severity):
    seen = run(shots[0], Degradation(name, severity)).visibility
    known = seen[~np.isnan(seen)]
    # at 0.8 of over-exposure parts clip at white, so medians
    assert np.median(known) == pytest.approx(1 - severity, abs=0.02)


def test_blur_keeps_a_uniform_field_and_its_edge():
    image, fov = plain(96)
    for name in ("defocus", "local_defocus", "motion"):
        done = degrade(image, fov, 0, [Degradation(name, 0.9, 0.5, 3)])
        np.testing.assert_allclose(done.image.astype(int), image, atol=1)


def test_exposures_in_closed_form():
    image, fov = plain(64, (180, 80, 40))
    middle = (32, 32)
    assert degrade(image, fov, 0, [Degradation("dark", 0.5)]).image[middle].tolist() == [90, 40, 20]
    white = degrade(image, fov, 0, [Degradation("bright", 1.0)]).image[middle]
    assert white.min() >= 230
    flat = degrade(image, fov, 0, [Degradation("low_contrast", 1.0, seed=2)]).image
    assert np.ptp(flat[fov > 0].astype(int), axis=0).max() == 0


def test_noise_has_the_deviation_its_severity_means():
    image, fov = plain(128, (120, 120, 120))
    severity = 0.6
    done = degrade(image, fov, 1, [Degradation("noise", severity)])
    sigma = sensor.FLOOR * math.sqrt(1 / (1 - severity) ** 2 - 1)
    assert done.image[fov > 0].astype(float).std() == pytest.approx(sigma, rel=0.05)
    again = degrade(image, fov, 1, [Degradation("noise", severity)])
    other = degrade(image, fov, 2, [Degradation("noise", severity)])
    np.testing.assert_array_equal(done.image, again.image)
    assert (done.image != other.image).any()


def test_compression_gets_worse_with_severity(shots):
    qualities = [sensor.quality_of(s) for s in np.linspace(0, 1, 11)]
    assert qualities == sorted(qualities, reverse=True)
    errors, seen = [], []
    for severity in (0.1, 0.4, 0.8):
        done = run(shots[0], Degradation("jpeg", severity))
        errors.append(np.abs(done.image.astype(int) - shots[0].image).mean())
        seen.append(np.nanmean(done.visibility))
    assert errors == sorted(errors)
    assert seen == sorted(seen, reverse=True)


def test_the_order_of_a_plan_does_not_matter(shots):
    items = [
        Degradation("jpeg", 0.3),
        Degradation("uneven", 0.5, 0.4, 3),
        Degradation("haze", 0.4, seed=1),
        Degradation("noise", 0.3),
    ]
    one, two = run(shots[0], *items), run(shots[0], *reversed(items))
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(one.map, two.map)
    assert one.causes[0] == "media:haze"
    assert [item.name for item in ordered(items)] == ["haze", "uneven", "noise", "jpeg"]


def test_severities_of_one_photograph_multiply(shots):
    seen = run(shots[0], Degradation("dark", 0.4), Degradation("low_contrast", 0.5)).visibility
    assert np.nanmedian(seen) == pytest.approx(0.6 * 0.5, abs=0.02)


def test_codes_and_quality_follow_the_written_thresholds():
    seen = np.array([[np.nan, 0.0, 0.249, 0.25], [0.599, 0.6, 1.0, np.nan]], np.float32)
    np.testing.assert_array_equal(truth.codes(seen), [[0, 3, 3, 2], [2, 1, 1, 0]])

    def field(bad, usable):
        v = np.ones(200, np.float32)
        v[:bad], v[bad : bad + usable] = 0.1, 0.4
        return np.concatenate([v, np.full(56, np.nan, np.float32)]).reshape(16, 16)

    assert [truth.quality(field(*n)) for n in ((0, 0), (0, 19), (0, 20), (49, 0), (50, 0))] == [
        0, 0, 1, 1, 2,
    ]  # fmt: skip


def test_a_local_degradation_is_found_where_it_is(shots):
    done = run(shots[0], Degradation("uneven", 0.95, 0.4, 1))
    inside = truth.pool(done.masks["uneven"].astype(float), 10) / 100
    known = ~np.isnan(done.visibility)
    rho = stats.spearmanr(done.visibility[known], inside[known]).statistic
    assert rho < -0.9
    assert (done.map == 3).any()
    assert (done.map == 1).any()


def test_a_photograph_without_annotation_gets_details_only(shots):
    shot = shots[2]
    done = degrade(shot.image, shot.fov, 0, [Degradation("dark", 0.9)], cells=20)
    assert set(np.unique(done.map)) == {0, 255}
    assert done.map.shape == (8, 8)
    assert np.isnan(done.visibility).all()
    assert done.quality == 2  # from the severities
    assert done.details["illumination"] == 1
    fine = degrade(shot.image, shot.fov, 0, [Degradation("dark", 0.2)], cells=20)
    assert fine.quality == 0


def test_vessels_are_removed_from_a_known_background():
    y, x = np.mgrid[:128, :128].astype(float)
    ground = np.stack([150 + 0.3 * x, 70 + 0.2 * y, 40 + 0.1 * x], -1)
    vessel = (np.abs(x - 60 - 6 * np.sin(y / 12)) < 2.5) | (np.abs(y - 80) < 1.2)
    image = np.where(vessel[..., None], 0.6 * ground, ground).round().astype(np.uint8)
    fov = np.ones((128, 128), np.uint8)
    filled = synthetic.remove_vessels(image, (vessel * 255).astype(np.uint8), fov)
    assert np.abs(filled - ground).max() < 3
    far = ndimage.distance_transform_edt(~vessel) > 4
    np.testing.assert_array_equal(filled[far], image[far])


def test_plans_come_in_the_shares_asked_for():
    rng = np.random.default_rng(0)
    n = 600
    drawn = [plan(rng, 0.3) for _ in range(n)]
    image, fov = plain(64)
    worst = np.array([degrade(image, fov, 0, items, cells=8).quality > 0 for items in drawn]).mean()
    assert worst == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / n))
    assert plan(np.random.default_rng(1), 1.0)  # a photograph of low quality has something
    only = {item.name for _ in range(50) for item in plan(rng, 1.0, kinds=("haze", "dust"))}
    assert only == {"haze", "dust"}
    same = [plan(np.random.default_rng(9), 0.8) for _ in range(2)]
    assert same[0] == same[1]


def test_quality_comes_in_the_shares_asked_for(shots):
    got = {}
    for name, ratio, mix in (("good", 0, (1, 1)), ("usable", 1, (1, 0)), ("reject", 1, (0, 1))):
        got[name] = [
            run(shots[k % 3], *plan(np.random.default_rng(k), ratio, mix), seed=k).quality
            for k in range(45)
        ]
    for want, name in enumerate(got):
        assert np.mean(np.array(got[name]) == want) > 0.8, name


def test_whatever_is_of_low_quality_shows_a_defect(shots):
    for k in range(60):
        done = run(shots[k % 3], *plan(np.random.default_rng([4, k]), 1.0), seed=k)
        assert any(done.details.values())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Degradation("fog", 0.5), "'fog' is none of"),
        (lambda: Degradation("haze", 1.5), "severity 1.5"),
        (lambda: Degradation("dust", 0.5, 0.0), "area 0.0"),
        (lambda: plan(np.random.default_rng(0), 1.5), "lq_ratio 1.5"),
        (lambda: plan(np.random.default_rng(0), 0.5, (-1, 2)), "severity_mix"),
        (lambda: plan(np.random.default_rng(0), kinds=("fog",)), "fog"),
        (lambda: plan(np.random.default_rng(0), kinds=()), "empty"),
        (lambda: degrade(np.zeros((8, 9, 3), np.uint8), np.ones((8, 9)), 0, []), "expected image"),
        (lambda: degrade(np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32)), 0, []), "empty"),
        (lambda: degrade(*plain(32), 0, [], cells=64), "cells of 64"),
    ],
)
def test_wrong_arguments_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_kinds_of_degradations_by_name():
    assert synthetic.named(()) == tuple(synthetic.KINDS)
    assert synthetic.named(("dust", "haze")) == ("haze", "dust")  # in the order of light
    local = synthetic.named(("local",))
    assert set(local) == {"floater", "local_defocus", "uneven", "flare", "eyelash", "dust"}
    assert synthetic.named(("local", "haze")) == ("haze", *local)
    with pytest.raises(ValueError, match=r"\['fog'\]: expected 'local' or some of"):
        synthetic.named(("fog",))


def test_only_the_kinds_asked_for_happen():
    local = synthetic.named(("local",))
    plans = [plan(np.random.default_rng(k), 0.7, kinds=local) for k in range(200)]
    assert {item.name for items in plans for item in items} == set(local)
