"""Maps against defects: scores by hand, folds that never see their camera, a run on drawn eyes."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiqa_jax.benchmark import __main__ as benchmark
from fiqa_jax.benchmark import (
    defect_calibration,
    defect_causes,
    defect_copies,
    defect_fit,
    defect_maps,
    defect_scores,
    defect_steps,
)
from fiqa_jax.benchmark.defect_copies import Copies
from fiqa_jax.benchmark.defect_scores import Row
from fiqa_jax.models.cell_measures import NAMES
from input_pipeline import synthetic
from input_pipeline.synthetic.defects import CONTROLS, KINDS


def row(kind, auroc, camera="a", person="a:1", bad=(), good=()):
    return Row(camera, person, kind, auroc, np.array(bad), np.array(good))


def test_auroc_counts_pairs_and_ties_half():
    bad, good = np.array([3.0] * 4 + [1.0] * 4), np.array([2.0] * 4 + [1.0] * 4)
    # of 64 pairs: 3 beats all 8 (32), 1 beats none of the 2s, ties with the 1s (16 / 2)
    assert defect_scores.auroc(bad, good) == pytest.approx((32 + 8) / 64)
    assert np.isnan(defect_scores.auroc(bad[:3], good))


def test_kinds_count_alike_whatever_their_number():
    found = [row("haze", 1.0), row("haze", 1.0, person="a:2"), row("lid", 0.5, person="a:2")]
    assert defect_scores.by_kind(found) == {"haze": 1.0, "lid": 0.5}
    own = defect_scores.by_person(found)
    assert np.mean(list(own.values())) == pytest.approx(0.75)  # the mean over kinds


def test_the_table_gives_the_worst_kind_and_alarms_of_good_photographs():
    good = np.arange(100.0)
    found = {
        "one": [row("haze", 0.9, bad=[200.0] * 8, good=good), row("", np.nan, good=good)],
        "two": [row("haze", 0.6, bad=[50.0] * 8, good=good), row("", np.nan, good=good + 200)],
    }
    one, two = defect_scores.table(found, "one", 0)
    assert one["mean"].value == pytest.approx(0.9)
    assert (one["worst"], one["worst_kind"]) == (0.9, "haze")
    assert one["sensitivity"] == 1.0
    assert one["alarms"] == pytest.approx(0.05)
    assert two["sensitivity"] == 0.0
    assert two["alarms"] == pytest.approx(0.1)  # 10 of 200 good cells lie above, all in one
    assert two["gap"].value == pytest.approx(0.3)


def made(camera, shift, seed):
    """Copies whose visibility is one number of each cell, plus a shift of the camera."""
    rng = np.random.default_rng(seed)
    cells = rng.normal(0, 1, (6, 8, 8, len(NAMES))).astype(np.float16)
    seen = (cells[..., 0] > 0).astype(np.float32)
    cells[..., 1], cells[..., 2:] = shift, 0
    cells[..., NAMES.index("inside")] = 1
    kind = np.array(["haze", "lid", "haze", "haze+lid", "", "haze"])
    test = np.array([True, True, False, False, True, False])
    # What takes it, where anything does, stands in another number of the cell.
    cause = np.where(seen > 0, -1, np.where(rng.random(seen.shape) < 0.5, 1, 3)).astype(np.int8)
    cells[..., 2] = np.where(cause == 3, 2, -2)
    return Copies(camera, camera, kind, test, seen, cause, cells, Path(f"{camera}.npz"))


@pytest.mark.whole
def test_a_fold_trains_on_the_other_cameras(monkeypatch):
    sets = [made("a", 1, 0), made("b", 2, 1), made("c", 3, 2)]
    seen = []
    fit = defect_fit.fit

    def spied(known, settings):
        seen.append((set(known.cells[..., 1].astype(int).ravel().tolist()), len(known.cells)))
        np.testing.assert_allclose(known.share.sum(), 1)
        return fit(known, settings)

    monkeypatch.setattr(defect_fit, "fit", spied)
    settings = defect_fit.Settings(width=0.2, steps=120, batch=8, dropout=0.0)
    score, causes = defect_maps.fitted(sets, settings).values()
    assert [s for s, _ in seen] == [{2, 3}, {1, 3}, {1, 2}]
    found = defect_scores.by_kind(defect_scores.rows(sets, score))
    assert min(found.values()) > 0.95
    told = [(causes(one, 0).argmax(-1), one.cause[0]) for one in sets]
    assert min((named == true)[true >= 0].mean() for named, true in told) > 0.9
    seen.clear()
    defect_maps.fitted(sets, settings, ["lid"])
    assert [n for _, n in seen] == [2 * 4] * 3  # copies with a lid are left out


def test_cameras_count_alike():
    sets = [made("a", 1, 0), made("b", 2, 1), made("b", 2, 2)]
    known = defect_fit.gathered(sets)
    assert known.codes.shape == known.cause.shape == (18, 8, 8)
    np.testing.assert_allclose([known.share[:6].sum(), known.share[6:].sum()], 0.5)


def test_causes_of_single_defects_by_hand():
    """Named is what the map and the causes together hold most of; two kinds, or few cells, not."""
    one = made("a", 0, 0)
    one.cause[one.cause >= 0] = 3
    one.visibility[1] = 1
    one.visibility[1, 0, :6] = 0  # 6 of 64 cells, fewer than a fifth

    def quality(copies, k):
        return 1 - copies.visibility[k]

    def always(place):
        return lambda copies, k: np.broadcast_to(np.eye(4)[place], (8, 8, 4))

    right = defect_causes.confusion([one], quality, always(3))
    wrong = defect_causes.confusion([one, one], quality, always(0))
    assert (right[3, 3], right.sum()) == (1, 1)
    assert (wrong[3, 0], wrong.sum()) == (2, 2)
    assert defect_causes.balanced_accuracy(right + wrong) == pytest.approx(1 / 3)
    assert defect_causes.named(np.array([[1.0, 0.4]]), np.eye(4)[[[1, 2]]]) == 1


def test_an_isotonic_curve_of_other_cameras_mends_a_map_that_is_right_in_order_only():
    """Values .1 / .2 / .3 stand for good, usable, bad: 0, .5 and 1 on every camera."""
    sets = [made(camera, 0, k) for k, camera in enumerate("abc")]
    for one in sets:
        one.visibility[:, :, :3] = 0.4  # usable

    def value(copies, k):
        v = copies.visibility[k]
        return np.where(v < 0.25, 0.3, np.where(v < 0.6, 0.2, 0.1))

    plain, curve, level = defect_calibration.compared(sets, value)
    truth = np.concatenate([c.truth for c in defect_calibration.gathered(sets, value).values()])
    stated = 0.1 + 0.2 * truth  # what the map says of the same cells
    assert plain.error == pytest.approx(np.abs(stated - truth).mean(), abs=0.02)
    assert (plain.level, plain.sensitivity, plain.alarms) == ("0.50", 0.0, 0.0)
    assert curve.error == pytest.approx(0, abs=1e-6)
    assert (curve.sensitivity, curve.alarms) == (1.0, 0.0)
    assert (level.level, level.sensitivity) == ("0.10", 1.0)  # no good cell differs from another


def test_calibration_error_by_hand():
    value, truth = np.repeat([0.2, 0.8], 50), np.repeat([0.0, 1.0, 1.0], [40, 10, 50])
    truth = np.concatenate([np.tile([0, 0, 0, 0, 1], 10), truth[50:]])  # .2 of the first half
    assert defect_calibration.calibration_error(value, truth) == pytest.approx(0.5 * 0.2)


def test_blinded_cells_lose_what_is_named_and_nothing_else():
    one = made("a", 1, 0)
    one.cells[...] = 1
    (found,) = defect_steps.blinded([one], ("noise", "over_noise"))
    gone = {n for n, v in zip(NAMES, found.cells[0, 0, 0], strict=True) if v == 0}
    assert gone == {n for n in NAMES if n.startswith(("noise", "over_noise"))}
    assert {n.split("_")[0] for n in gone} == {"noise", "over"}
    assert all(
        any(n.startswith(b) for n in NAMES) for v in defect_steps.WITHOUT.values() for b in v
    )


@pytest.mark.whole
def test_steps_of_the_ablation_differ_from_the_network_in_what_they_say(monkeypatch):
    sets = [made(camera, k, k) for k, camera in enumerate("ab")]
    kind = np.array(["haze", "lid", "haze", f"haze+{next(iter(CONTROLS))}", "", "haze"])
    sets[1] = dataclasses.replace(sets[1], kind=kind)
    fits = []

    def fit(known, settings):
        fits.append((settings, len(known.cells)))
        return lambda x: {"map": x[..., 0] < 0, "causes": np.zeros((*x.shape[:-1], 4))}

    monkeypatch.setattr(defect_fit, "fit", fit)
    settings = defect_fit.Settings(width=0.5, steps=10)
    found = dict(defect_steps.steps(sets, settings))
    for name, score in found.items():  # what is bad stands in one measure: all must rank it
        assert min(defect_scores.by_kind(defect_scores.rows(sets, score)).values()) > 0.95, name
    assert len(found) == 9
    changed = [s for s, _ in fits[::2]]  # two cameras, two fits each
    assert changed[0] == dataclasses.replace(settings, blocks=0)
    assert changed[1] == dataclasses.replace(settings, width=1.0)
    assert changed[2] == dataclasses.replace(settings, steps=30)
    assert changed[3:] == [settings] * 4
    assert [n for _, n in fits] == [6] * 12 + [5, 6]  # b's copy with a harmless change is left out


def test_scales_are_chosen_on_other_cameras():
    """A scale that is right on camera b alone is never taken for b by b's own copies."""
    sets = [made("a", 0, 0), made("b", 0, 1)]

    def right(copies, k):
        return 1 - copies.visibility[k]

    def on_b_only(copies, k):
        return right(copies, k) * (1 if copies.camera == "b" else -1)

    def on_a_only(copies, k):
        return -on_b_only(copies, k)

    score = defect_maps.chosen(sets, [on_b_only, on_a_only])
    for one, wrong in zip(sets, (-1, -1), strict=True):
        np.testing.assert_array_equal(score(one, 0), wrong * right(one, 0))


def test_one_camera_is_refused():
    with pytest.raises(ValueError, match="one camera only"):
        defect_maps.fitted([made("a", 0, 0)], defect_fit.Settings())


@pytest.mark.whole
def test_a_run_from_photographs_to_tables(tmp_path, capsys, monkeypatch):
    for camera in "ab":
        folder = tmp_path / camera
        folder.mkdir()
        drawn = synthetic.draw(ord(camera), 512, camera)
        picture = np.pad(drawn.image, ((8, 8), (8, 8), (0, 0)))
        Image.fromarray(picture).save(folder / "x.png")
        Image.fromarray(np.pad(drawn.vessels[..., 2], 8)).save(folder / "v.png")
        (folder / "t.csv").write_text("image,vessels\nx.png,v.png\n")
    args = ["--workdir", str(tmp_path / "run"), "--train", "1", "--every", "7", "--steps", "20"]
    args += [f"--set=a={tmp_path / 'a' / 't.csv'}", f"--set=b={tmp_path / 'b' / 't.csv'}"]
    assert benchmark.main(["defects", *args]) == 0
    assert "2 photographs of a, b" in capsys.readouterr().out
    with (tmp_path / "run" / "table.csv").open() as file:
        table = list(csv.DictReader(file))
    assert table[-1]["map"] == "known truth"
    assert table[-1]["mean"].startswith("1.000")
    with (tmp_path / "run" / "kinds.csv").open() as file:
        assert [r["kind"] for r in csv.DictReader(file)] == list(KINDS)
    assert (tmp_path / "run" / "kinds.png").stat().st_size > 10_000
    with np.load(tmp_path / "run" / "copies" / "a~x.npz") as stored:
        assert stored["image"].shape == (1 + 3 + 4 + 1, 512, 512, 3)
    before = (tmp_path / "run" / "copies" / "a~x.npz").stat().st_mtime_ns
    photos = defect_copies.photographs("a", tmp_path / "a" / "t.csv", 0, slice(None))
    file = defect_copies.make(photos[0], tmp_path / "run" / "copies", 1, 7)
    assert file.stat().st_mtime_ns == before


def test_a_place_without_photographs_is_named(tmp_path):
    with pytest.raises(ValueError, match="no photographs"):
        defect_copies.photographs("a", tmp_path, 0, slice(None))
