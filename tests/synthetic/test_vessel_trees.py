"""Vessel trees: forks, calibres and crossings as measured in people's eyes."""

import math

import numpy as np
import pytest

from input_pipeline.synthetic import eye, raster, steering, trunks, vascular_tree


@pytest.fixture(scope="module")
def trees():
    """Four eyes and what grew in them."""
    out = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        found = eye.sample_eye(rng)
        out.append((found, vascular_tree.grow(rng, found, (4.0, 0.0), 25.0)))
    return out


def test_fork_angles_of_least_work():
    # Murray 1926: a symmetric fork opens by 74.9 degrees, cos(37.5 degrees) = 2^(-1/3)
    half = 2 ** (-1 / 3)
    one, two = vascular_tree.fork_angles(1.0, half, half)
    assert one == pytest.approx(math.acos(half))
    assert math.degrees(one + two) == pytest.approx(74.9, abs=0.1)
    # a tiny side branch leaves at a right angle and the trunk goes on straight
    small = 0.02
    trunk, side = vascular_tree.fork_angles(1.0, (1 - small**3) ** (1 / 3), small)
    assert math.degrees(side) == pytest.approx(90, abs=1.5)
    assert math.degrees(trunk) < 1.5


def test_radii_obey_murrays_law_where_vessels_fork(trees):
    # behind a fork the parent has (r0^3 - r1^3)^(1/3); taper takes 0.0008 per degree at most
    checked = 0
    for _, tree in trees:
        for child in tree:
            if child.parent < 0:
                continue
            parent = tree[child.parent]
            at = child.fork
            if at + 8 >= len(parent.radius) or len(child.radius) < 14:
                continue  # the last points of a vessel fade out
            if sum(v.parent == child.parent and abs(v.fork - at) < 3 for v in tree) > 1:
                continue  # two forks at one place
            before, after = parent.radius[at - 1], parent.radius[at + 1]
            want = (max(before, after) ** 3 - child.radius[0] ** 3) ** (1 / 3)
            assert after == pytest.approx(want, abs=0.006)
            checked += 1
    assert checked > 50


def segments(tree, artery):
    """All segments [n, 4] of one kind."""
    return np.concatenate(
        [np.concatenate([v.points[:-1], v.points[1:]], 1) for v in tree if v.artery == artery]
    )


def crossing_pairs(first, second):
    """Index pairs of segments that properly cross."""

    def side(ax, ay, bx, by, cx, cy):
        return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)

    a = [column[:, None] for column in first.T]
    b = [column[None, :] for column in second.T]
    one = side(*a, b[0], b[1]) * side(*a, b[2], b[3])
    two = side(*b, a[0], a[1]) * side(*b, a[2], a[3])
    return np.argwhere((one < 0) & (two < 0))


def test_only_arteries_and_veins_cross(trees):
    mixed = 0
    for found, tree in trees:
        for artery in (True, False):
            rows = segments(tree, artery)
            for i, j in crossing_pairs(rows, rows):
                away = math.hypot(*(rows[i, :2] - np.array(found.disc)))
                assert i == j or away < 1.1 * found.radius, (
                    f"vessels of one kind cross at {rows[i, :2]}"
                )
        mixed += len(crossing_pairs(segments(tree, True), segments(tree, False)))
    assert mixed > 20


def test_vessels_spare_the_fovea_and_reach_the_rim(trees):
    for _, tree in trees:
        points = np.concatenate([vessel.points for vessel in tree])
        assert np.hypot(*points.T).min() >= vascular_tree.AVASCULAR - steering.STEP
        far = np.hypot(points[:, 0] - 4, points[:, 1])
        quadrants = (points[far > 22] > (4.0, 0.0)) @ (1, 2)
        assert set(quadrants) == {0, 1, 2, 3}


def central_equivalent(widths, coefficient):
    """Knudtson et al. 2003: the six largest, paired widest with thinnest until one is left."""
    widths = sorted(widths)[-6:]
    while len(widths) > 1:
        widths = sorted(widths)
        pairs = [(widths[k], widths[-1 - k]) for k in range(len(widths) // 2)]
        middle = [widths[len(widths) // 2]] if len(widths) % 2 else []
        widths = [coefficient * math.hypot(*pair) for pair in pairs] + middle
    return widths[0]


def test_calibres_at_the_disc_are_those_of_people():
    crae, crve = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        shoots = trunks.trunks(rng, eye.sample_eye(rng))
        for artery, coefficient, out in ((True, 0.88, crae), (False, 0.95, crve)):
            widths = [2 * s.radius * 288 for s in shoots if s.artery == artery]  # micrometres
            out.append(central_equivalent(widths, coefficient))
    # Beaver Dam Eye Study, Myers et al. 2012: mean CRVE 225 (age 70) to 230 (age 50) micrometres
    assert np.mean(crve) == pytest.approx(227, abs=15)
    # arteries to veins about 2 to 3, the rule of thumb of the clinic
    assert 0.55 < np.mean(crae) / np.mean(crve) < 0.75


def test_a_straight_vessel_has_the_coverage_and_chord_of_a_cylinder():
    for radius in (0.3, 0.8, 2.2):
        points = np.stack([np.linspace(2, 60, 30), np.full(30, 31.3)], 1)
        tree = raster.paint([(points, np.full(30, radius), np.ones(30))], 64)
        column = np.s_[20:44, 32]
        assert tree.cover[column].sum() == pytest.approx(2 * radius, rel=0.06, abs=0.03)
        assert tree.chord[column].sum() == pytest.approx(math.pi / 2 * radius, rel=0.06, abs=0.03)
        assert tree.cover.max() <= 1 + 1e-6
        assert tree.cover[:, 62:].max() == 0  # it ends where its points end


def test_no_vessels_is_a_blank_tree():
    tree = raster.paint([], 32)
    assert not tree.cover.any()
    assert not tree.chord.any()
