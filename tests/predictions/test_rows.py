"""Rows from outputs: words, scores, truth columns and rows of files that failed."""

import math

import numpy as np
import pytest

from fiqa_jax.predictions import rows as judge
from fiqa_jax.predictions import schema, triage
from fiqa_jax.predictions.triage import Thresholds

OUTPUTS = {
    "p_quality": np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]], np.float32),
    "p_details": np.array([[0.1, 0.2], [0.9, 0.2]], np.float32),
    "p_diagnosis": np.array([[0.1, 0.9], [0.8, 0.2]], np.float32),
    "map": np.stack([np.zeros((4, 4)), np.ones((4, 4))]).astype(np.float32),
}
NAMES = {"details": ("clarity", "contrast"), "diagnosis": ("healthy", "glaucoma")}


def rows(outputs=OUTPUTS, thresholds=None, **extra):
    return judge.rows_from_outputs(
        outputs,
        path=["a.png", "b.png"],
        id=["a", "b"],
        thresholds=thresholds or Thresholds(),
        model="m",
        **(NAMES | extra),
    )


def test_a_row_says_everything():
    good, bad = rows()
    assert list(bad) == list(schema.columns(**NAMES))
    assert (good["quality"], good["decision"], good["reasons"]) == ("good", "accept", "")
    assert (bad["quality"], bad["decision"]) == ("reject", "recapture")
    assert bad["reasons"].startswith("clarity: ")
    assert bad["reasons"].endswith("map: 100% of the field bad, all over")
    assert (good["diagnosis"], bad["diagnosis"]) == ("glaucoma", "healthy")
    assert bad["p_clarity"] == pytest.approx(0.9)
    assert (good["bad_area"], bad["bad_area"]) == (0, 1)
    assert (bad["status"], bad["schema"], bad["patient"]) == ("ok", 1, "b")
    assert "true_quality" not in bad


def test_score_without_one_is_the_expected_grade():
    good, bad = rows()
    assert good["score"] == pytest.approx(0.2 / 2 + 0.1)
    assert bad["score"] == pytest.approx(0.2 / 2 + 0.7)
    own = rows(OUTPUTS | {"score": np.array([0.25, 0.5], np.float32)})
    assert [row["score"] for row in own] == [0.25, 0.5]


def test_two_class_model():
    outputs = {"p_ungradable": np.array([0.3, 0.6], np.float32)}
    first, second = rows(outputs)
    assert (first["quality"], first["decision"]) == ("gradable", "accept")
    assert (second["quality"], second["decision"]) == ("ungradable", "recapture")
    assert first["p_good"] is None
    strict = rows(outputs, Thresholds(ungradable=0.25))
    assert [row["quality"] for row in strict] == ["ungradable", "ungradable"]


def test_score_and_map_only():
    outputs = {"score": np.array([0.2, 0.8]), "map": OUTPUTS["map"]}
    first, second = rows(outputs)
    assert (first["quality"], first["decision"]) == ("", "accept")
    assert second["decision"] == "recapture"


def test_truth_columns_hold_words_and_leave_absent_labels_empty():
    truth = {
        "quality": np.array([0, -1]),
        "ungradable": np.array([0, 1]),
        "details": np.array([[1, -1], [0, 0]], np.int8),
        "diagnosis": np.array([-1, 1]),
    }
    first, second = rows(truth=truth)
    assert list(first) == list(schema.columns(**NAMES, truth=True))
    assert first["true_quality"] == "good"
    assert second["true_quality"] is None
    assert (first["true_clarity"], first["true_contrast"]) == (1, None)
    assert (first["true_diagnosis"], second["true_diagnosis"]) == (None, "glaucoma")
    assert second["true_ungradable"] == 1


def test_field_of_view_limits_the_bad_area():
    fov = np.zeros((2, 8, 8), np.uint8)
    fov[0] = 1
    first, second = rows(fov=fov)
    assert first["bad_area"] == 0
    assert math.isnan(second["bad_area"])


def test_failed_rows():
    row = judge.failed_row("x.jpg", "x", "error", "x.jpg is empty:\n  copy it again", "m", **NAMES)
    assert list(row) == list(schema.columns(**NAMES))
    assert row["error"] == "x.jpg is empty: copy it again"
    assert (row["decision"], row["p_good"], row["schema"]) == ("review", None, 1)
    row = judge.failed_row("x.jpg", "x", "out_of_scope", "no round field", "m")
    assert row["error"] == "no round field"
    assert row["reasons"] == "file: not a photograph of the inside of one eye"
    assert "--allow-frame" in row["advice"]
    two = "two round fields in one picture, 300 and 300 pixels across: cut it into one eye a file"
    row = judge.failed_row("x.jpg", "x", "out_of_scope", two, "m")
    assert (row["reasons"], row["error"]) == ("file: two round fields in one picture", two)
    assert row["advice"] == "Cut the picture into one eye a file, then judge again."


def test_in_the_dark_no_other_cause_is_named():
    """Haze and blur look alike in a field that is too dark: light is what has to be mended."""
    causes = np.zeros((2, 4, 4, 4), np.float32)
    causes[..., 2] = 1  # contrast: hazy
    outputs = OUTPUTS | {"causes": causes}
    dark = triage.too_dark(30.0)
    _, bad = rows(outputs, findings=[[], [dark]])
    assert bad["reasons"].split("; ") == [
        "illumination: too dark, the brightest parts of the field at 30 of 255",
        "map: 100% of the field bad, all over: too dark, too bright or glaring",
    ]
    assert "flash strength" in bad["advice"]
    assert "lens" not in bad["advice"]
    _, light = rows(outputs, findings=[[], []])
    assert "hazy" in light["reasons"]
    assert triage.too_dark(65.0) is None
