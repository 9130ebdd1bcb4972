"""The drawn fundus: anatomy against published numbers, light, grades and lesions."""

import hashlib
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from input_pipeline import synthetic
from input_pipeline.synthetic import __main__ as cli
from input_pipeline.synthetic import anatomy, cameras, eye, fields, lesions

ROOT = Path(__file__).resolve().parents[2]
STYLES = ("a", "b", "c")


@pytest.fixture(scope="module")
def shots():
    """Twelve photographs of every style and grade."""
    return [synthetic.draw(k, 160, STYLES[k % 3], k % 5) for k in range(15)]


def digest(arrays):
    sha = hashlib.sha256()
    for name in sorted(arrays):
        sha.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return sha.hexdigest()


def test_disc_and_fovea_lie_where_they_were_measured_in_people():
    eyes = [eye.sample_eye(np.random.default_rng(k)) for k in range(600)]
    across = np.array([one.disc[0] for one in eyes])
    above = np.array([-one.disc[1] for one in eyes])
    ratio = np.hypot(across, above) / [2 * one.radius for one in eyes]
    # Rohrschneider 2004: 15.5 +- 1.1 (13.0 to 17.9), 1.5 +- 0.9; Jonas 2015: 2.65 +- 0.30
    assert across.mean() == pytest.approx(15.5, abs=4 * 1.1 / math.sqrt(600))
    assert across.min() >= 13.0
    assert across.max() <= 17.9
    assert above.mean() == pytest.approx(1.5, abs=4 * 0.9 / math.sqrt(600))
    assert ratio.mean() == pytest.approx(2.65, abs=0.06)


def test_nothing_is_drawn_outside_the_field(shots):
    for shot in shots:
        outside = shot.fov == 0
        assert outside.any()
        assert not shot.image[outside].any()
        assert not shot.clean0[outside].any()
        assert not shot.vessels[outside].any()
        assert not shot.lesions[outside].any()
        assert shot.image[shot.fov > 0].mean() > 15


def test_third_channel_is_any_vessel(shots):
    for shot in shots:
        red, green, blue = np.moveaxis(shot.vessels, -1, 0)
        np.testing.assert_array_equal(blue, np.maximum(red, green))
        assert 0.04 < blue.sum() / 255 / shot.fov.sum() < 0.2  # HRF: 0.07 to 0.12
        assert (red > 127).any()
        assert (green > 127).any()


def test_only_vessels_differ_between_the_two_renders(shots):
    for shot in shots:
        change = shot.clean0[..., 1].astype(int) - shot.image[..., 1]
        bare = (shot.vessels[..., 2] == 0) & (shot.fov > 0)
        full = shot.vessels[..., 2] > 200
        assert change[full].mean() > 4  # blood absorbs green
        assert abs(change[bare].mean()) < 1.5
        assert np.percentile(np.abs(change[bare]), 90) <= 5  # blur and compression leak a little


def test_disc_is_bright_fovea_dark_and_on_the_side_of_the_eye():
    seen = set()
    for seed in range(8):
        shot = synthetic.draw(seed, 128, "a", 0)
        seen.add(shot.eye)
        assert (shot.disc[1] > shot.fovea[1]) == (shot.eye == "R")  # the disc is nasal
        green = shot.clean0[..., 1].astype(float)
        yy, xx = np.mgrid[:128, :128]
        inside = shot.fov > 0
        for (cy, cx), radius, sign in ((shot.disc[:2], 0.6 * shot.disc[2], 1), (shot.fovea, 3, -1)):
            spot = (np.hypot(yy - cy, xx - cx) < radius) & inside
            ring = (np.hypot(yy - cy, xx - cx) < 30) & inside & ~spot
            if spot.sum() > 10:
                assert sign * (green[spot].mean() - green[ring].mean()) > 0
    assert seen == {"L", "R"}


def test_styles_differ_in_field_and_light():
    y, x = fields.axes(96)
    circle = float((np.hypot(y, x) < 1 - 2 / 96).mean())  # a black pixel all round
    by_style = {s: [synthetic.draw(k, 96, s, 0) for k in range(4)] for s in STYLES}
    share = {s: np.mean([shot.fov.mean() for shot in v]) for s, v in by_style.items()}
    degrees = {s: np.mean([shot.degrees for shot in v]) for s, v in by_style.items()}
    assert share["a"] == pytest.approx(circle, abs=0.03)
    assert share["b"] < 0.95 * share["a"]
    assert degrees["c"] < 46 < degrees["b"]
    assert {shot.style for k in range(7) for shot in [synthetic.draw(k, 32, "abc")]} == set(STYLES)


def test_drawn_vessels_match_hrf(shared_data):
    """Share of the field, and contrast in green, within the spread of the 45 real photographs."""
    real = []
    for path in sorted((shared_data / "hrf" / "images").iterdir())[::5]:
        image = Image.open(path).resize((256, 171), Image.Resampling.BOX)
        truth = Image.open(shared_data / "hrf" / "vessels" / f"{path.stem}.png").convert("L")
        cover = np.asarray(truth.resize((256, 171), Image.Resampling.BOX)) / 255
        green = np.asarray(image)[..., 1].astype(float)
        real.append(vessel_numbers(green, cover, np.asarray(image).max(-1) > 40))
    drawn = []
    for seed in range(6):
        shot = synthetic.draw(seed, 231, "b", 0)
        cover = shot.vessels[..., 2] / 255
        drawn.append(vessel_numbers(shot.image[..., 1].astype(float), cover, shot.fov > 0))
    real, drawn = np.array(real), np.array(drawn)
    for k in range(2):
        low, high = real[:, k].min(), real[:, k].max()
        assert low < drawn[:, k].mean() < high


def vessel_numbers(green, cover, fov):
    bare = green[fov & (cover == 0)].mean()
    return (cover * fov).sum() / fov.sum(), green[fov & (cover > 0.8)].mean() / bare


def test_grades_follow_the_clinical_scale():
    """Wilkinson 2003, on the lesions themselves; quadrants of the field."""
    here = eye.Eye((15.5, -1.5), 2.9, 1.0)
    for seed in range(60):
        grade = seed % 5
        rng = np.random.default_rng(seed)
        found = lesions.sample(rng, here, grade, (4.0, 0.0), 24.0, 20.0)
        codes = [item.code for item in found.lesions]
        bleeds = [item for item in found.lesions if item.code == 2 and item.seed >= 0]
        preretinal = any(item.seed < 0 for item in found.lesions)
        per = np.bincount(
            [lesions.quadrant(i.x, i.y, (4.0, 0.0)) for i in bleeds] or [0], minlength=4
        )
        severe = (bool(bleeds) and per.min() > 20) or len(found.beading) >= 2
        assert (grade == 0) == (not codes)
        assert (set(codes) == {1}) == (grade == 1)
        assert (grade == 4) == (5 in codes or preretinal)
        if grade in (2, 3):
            assert severe == (grade == 3)
        for item in found.lesions:
            assert math.hypot(item.x - 4, item.y) < 30


def test_lesions_are_labelled_where_they_are_seen(shots):
    for shot in shots:
        assert set(np.unique(shot.lesions)) <= set(range(len(synthetic.LESIONS)))
        assert (shot.grade == 0) == (not shot.lesions.any())
    many = [synthetic.draw(seed, 256, "a", 3) for seed in range(4)]
    dark, bright = [], []
    for shot in many:
        green = shot.clean0[..., 1].astype(float)
        smooth = np.median(green[shot.fov > 0])
        dark += list(green[shot.lesions == 2] - smooth)
        bright += list(green[shot.lesions == 3] - smooth)
    assert np.mean(dark) < -5
    assert np.mean(bright) > 15


def test_grades_come_as_often_as_configured():
    counts = np.bincount([anatomy.grade_of(k) for k in range(1500)], minlength=5)
    share = np.array(lesions.SHARE)
    assert share.sum() == pytest.approx(1)
    chi2 = ((counts - 1500 * share) ** 2 / (1500 * share)).sum()
    assert chi2 < 18.5  # 99.9 % of a chi-square with 4 degrees of freedom
    assert [synthetic.draw(k, 32).grade for k in range(4)] == [
        anatomy.grade_of(k) for k in range(4)
    ]


def test_random_fields_have_unit_scale():
    rng = np.random.default_rng(0)
    for cells in (3, 12, 60):
        values = np.stack([fields.smooth(rng, 96, cells) for _ in range(40)])
        assert abs(values.mean()) < 0.15
        assert values.std() == pytest.approx(1, abs=0.2)


def test_shoulder_keeps_the_middle_and_never_clips_hard():
    grey = np.linspace(0, 400, 401)
    out = cameras.shoulder(grey)
    np.testing.assert_array_equal(out[:216], grey[:216])
    assert (np.diff(out) > 0).all()
    assert out.max() < 255


def test_a_drawing_is_a_function_of_its_arguments():
    first, again = synthetic.example(3, 5, 96, "abc"), synthetic.example(3, 5, 96, "abc")
    assert digest(first) == digest(again)
    others = [synthetic.example(3, 6, 96, "abc"), synthetic.example(4, 5, 96, "abc")]
    assert len({digest(first), *map(digest, others)}) == 3


def test_another_process_draws_the_same_without_jax_or_tensorflow():
    code = (
        "import sys, hashlib, numpy as np\n"
        "from input_pipeline import synthetic\n"
        "arrays = synthetic.example(3, 5, 96, 'abc')\n"
        "sha = hashlib.sha256()\n"
        "for name in sorted(arrays):\n"
        "    sha.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())\n"
        "bad = {'jax', 'tensorflow', 'skimage', 'torch'} & set(sys.modules)\n"
        "assert not bad, bad\n"
        "print(sha.hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digest(synthetic.example(3, 5, 96, "abc"))


def test_the_same_eye_at_another_size():
    small, large = synthetic.draw(7, 128, "a", 0), synthetic.draw(7, 256, "a", 0)
    assert small.eye == large.eye
    assert np.array(large.disc) / np.array(small.disc) == pytest.approx(2, rel=0.03)
    half = large.vessels[..., 2].reshape(128, 2, 128, 2).mean((1, 3))
    assert np.corrcoef(half.ravel(), small.vessels[..., 2].ravel())[0, 1] > 0.9


def test_example_holds_what_a_batch_needs():
    side, cells = 96, 12
    seen = [synthetic.example(0, k, side, "abc", lq_ratio=0.7, cells=cells) for k in range(8)]
    for one in seen:
        assert one["image"].shape == (side, side, 3)
        assert one["image"].dtype == one["fov"].dtype == one["map"].dtype == np.uint8
        assert one["vessels"].shape == (side, side, 3)
        np.testing.assert_array_equal(one["vessels_valid"], np.ones(3, np.float32))
        assert one["map"].shape == (8, 8)
        assert set(np.unique(one["map"])) <= {0, 1, 2, 3}
        assert one["quality"].dtype == np.int32
        assert int(one["ungradable"]) == int(one["quality"] == 2)
        assert one["details"].shape == (len(synthetic.DETAILS),)
        assert set(np.unique(one["details"])) <= {0, 1}
        assert int(one["diagnosis"]) in range(5)
    assert len({int(one["quality"]) for one in seen}) > 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 64, "z"), "style 'z'"),
        ((0, 64, ""), "style ''"),
        ((0, 64, "a", 5), "grade 5"),
        ((0, 16, "a"), "side 16"),
        ((-1, 64, "a"), "seed -1"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        synthetic.draw(*arguments)


def test_sheets(tmp_path, capsys):
    folder = tmp_path / "real"
    folder.mkdir()
    for k in range(2):
        Image.fromarray(synthetic.draw(k, 64).image).save(folder / f"{k}.png")
    empty = tmp_path / "empty"
    empty.mkdir()
    for words in ([], ["--beside", str(folder)], ["--degradations"]):
        out = tmp_path / "sheet.png"
        cli.main(["--sheet", str(out), "--side", "48", "--columns", "1", *words])
        with Image.open(out) as page:
            assert f"{page.width} x {page.height}" in capsys.readouterr().out
            assert page.height > 4 * 48
            assert np.asarray(page).std() > 20
    assert cli.main(["--sheet", str(out), "--beside", str(empty)]) == 1
    assert "to put beside" in capsys.readouterr().err


def test_lesions_can_be_drawn_larger_than_in_nature():
    seed = 3
    true, large = (synthetic.draw(seed, 128, grade=2, lesion_scale=k) for k in (1.0, 4.0))
    # Sides four times as long cover more, and what lay under a lesion still does.
    assert (large.lesions > 0).sum() > 4 * (true.lesions > 0).sum() > 0
    assert (large.lesions[true.lesions > 0] > 0).mean() > 0.9
    np.testing.assert_array_equal(large.vessels, true.vessels)
    none = [synthetic.draw(seed, 128, grade=0, lesion_scale=k).image for k in (1.0, 4.0)]
    np.testing.assert_array_equal(*none)
    with pytest.raises(ValueError, match="lesion_scale 0: expected more than 0 and at most 10"):
        synthetic.draw(seed, 128, lesion_scale=0)
