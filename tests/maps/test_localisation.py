"""Localisation: pixels that count, per-photograph numbers by hand, broadcast maps find nothing."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from fiqa_jax.maps import localisation


def example(seed):
    rng = np.random.default_rng(seed)
    codes = rng.choice([1, 2, 3, 3, 255, 0], (4, 4)).astype(np.uint8)
    codes[0, :3] = 1, 2, 3
    fov = np.ones((32, 32), np.uint8)
    fov[:, -4:] = 0
    return (*localisation.truth_pixels(codes, fov), codes)


def test_truth_pixels():
    codes = np.array([[1, 3], [0, 255]], np.uint8)
    fov = np.ones((4, 4), np.uint8)
    fov[0, 0] = 0
    known, bad = localisation.truth_pixels(codes, fov)
    assert known.tolist() == [[False, True, True, True], [True] * 4, [False] * 4, [False] * 4]
    assert bad[known].sum() == 4
    assert localisation.in_part(known, bad)
    assert not localisation.in_part(known, np.ones_like(bad))
    assert not localisation.in_part(np.zeros_like(known), bad)


def test_the_truth_itself_is_found():
    known, bad, _ = zip(*(example(k) for k in range(5)), strict=True)
    found = localisation.measure([b.astype(float) for b in bad], known, bad)
    np.testing.assert_allclose(found.auroc, 1.0)
    np.testing.assert_allclose(found.ap, 1.0)
    np.testing.assert_allclose(found.dice, 1.0)
    assert found.pooled == 1.0


def test_a_constant_map_finds_nothing_but_looks_well_pooled():
    side = 40
    known, bad, maps = [], [], []
    for share in (0.1, 0.9):
        fov = np.ones((side, side), np.uint8)
        codes = np.ones((10, 10), np.uint8)
        codes.flat[: int(100 * share)] = 3
        inside, worse = localisation.truth_pixels(codes, fov)
        known.append(inside)
        bad.append(worse)
        maps.append(np.full((2, 2), share))
    found = localisation.measure(maps, known, bad)
    np.testing.assert_allclose(found.auroc, 0.5)
    assert found.pooled == pytest.approx(0.9, abs=0.02)  # 0.9^2 + 2 * 0.9 * 0.1 / 2


def test_numbers_are_scikit_learns():
    rng = np.random.default_rng(0)
    known, bad, _ = zip(*(example(k) for k in range(4)), strict=True)
    maps = [rng.random((32, 32)) for _ in known]
    found = localisation.measure(maps, known, bad)
    cuts = np.unique(np.quantile(np.concatenate([m.ravel() for m in maps]), np.linspace(0, 1, 100)))
    dice = []
    for k, m in enumerate(maps):
        value, hit = m.astype(np.float32)[known[k]], bad[k][known[k]]
        assert found.auroc[k] == pytest.approx(roc_auc_score(hit, value))
        dice.append([f1_score(hit, value >= c) for c in cuts])
    best = np.array(dice)[:, np.argmax(np.mean(dice, 0))]
    np.testing.assert_allclose(found.dice, best, atol=1e-12)


def test_differences_are_paired():
    known, bad, _ = zip(*(example(k) for k in range(6)), strict=True)
    rng = np.random.default_rng(1)
    one = localisation.measure([b + rng.normal(0, 0.5, b.shape) for b in bad], known, bad)
    two = localisation.measure([b + rng.normal(0, 2.0, b.shape) for b in bad], known, bad)
    rows = localisation.rows({"one": one, "two": two}, [str(k) for k in range(6)], "one", 0)
    gap = rows[1]["auroc_gap"]
    assert gap.value == pytest.approx(float((one.auroc - two.auroc).mean()))
    assert "auroc_gap" not in rows[0]
    assert gap.low > 0


def test_no_photograph():
    with pytest.raises(ValueError, match="degraded in part"):
        localisation.measure([], [], [])
