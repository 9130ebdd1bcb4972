"""Comparison of stages: folds joined, seeds stacked, prior correction and differences by hand."""

import csv
import json

import numpy as np
import pytest
import shipped_config

from fiqa_jax.predictions import rows as judge
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.triage import Thresholds
from fiqa_jax.recipe import comparison


def write(directory, ids, truth, prob, counts=None):
    """A prediction file of three-class grades, and the config of the model beside it."""
    directory.mkdir(parents=True)
    rows = judge.rows_from_outputs(
        {"p_quality": np.asarray(prob, float)},
        path=[f"{i}.jpg" for i in ids],
        id=ids,
        thresholds=Thresholds(),
        model="m",
        truth={"quality": np.asarray(truth)},
    )
    path = directory / "predictions_test.csv"
    schema.write_csv(path, rows, schema.columns(truth=True))
    if counts:
        (directory / "model").mkdir()
        data = shipped_config.config()["data"] | {"class_counts": {"quality": counts}}
        config = shipped_config.config(data=data)
        (directory / "model" / "config.json").write_text(json.dumps(config))
    return path


IDS = [f"p{i}" for i in range(6)]
TRUTH = np.array([0, 0, 1, 1, 2, 2])
GOOD = np.eye(3)[TRUTH] * 0.7 + 0.1
WORSE = GOOD.copy()
WORSE[2] = [0.6, 0.3, 0.1]  # one usable photograph called good


def rows_of(found, **wanted):
    return [r for r in found.rows if all(r[k] == v for k, v in wanted.items())]


def test_values_and_paired_difference(tmp_path):
    files = {
        "one": [write(tmp_path / "one", IDS, TRUTH, WORSE)],
        "two": [write(tmp_path / "two", IDS, TRUTH, GOOD)],
    }
    found = comparison.table(files, ("quality_accuracy",), "one")
    one, two = (rows_of(found, stage=s)[0] for s in ("one", "two"))
    assert one["value"] == pytest.approx(5 / 6)
    assert two["value"] == 1.0
    assert two["difference"] == pytest.approx(1 / 6)
    assert one["difference"] == "", "nothing is compared with itself"
    assert (one["n"], one["patients"], one["seeds"]) == (6, 6, 1)


def test_seeds_are_averaged_as_probabilities_and_as_metrics(tmp_path):
    """Two wrong answers of two seeds that the mean of their probabilities gets right."""
    first, second = GOOD.copy(), GOOD.copy()
    first[0] = [0.4, 0.5, 0.1]  # wrong, and the other seed is right and surer
    second[1] = [0.4, 0.5, 0.1]
    files = {
        "one": [
            write(tmp_path / "one" / "seed0", IDS, TRUTH, first),
            write(tmp_path / "one" / "seed1", IDS, TRUTH, second),
        ]
    }
    row = comparison.table(files, ("quality_accuracy",), "one").rows[0]
    assert row["seeds"] == 2
    assert row["seed_mean"] == pytest.approx(5 / 6)
    assert row["value"] == 1.0


def test_folds_are_joined(tmp_path):
    parts = [
        write(tmp_path / "one" / f"fold{f}", IDS[f::2], TRUTH[f::2], WORSE[f::2]) for f in (0, 1)
    ]
    row = comparison.table({"one": parts}, ("quality_accuracy",), "one").rows[0]
    assert (row["n"], row["seeds"]) == (6, 1)
    assert row["value"] == pytest.approx(5 / 6)


def test_prior_correction_is_the_training_prior(tmp_path):
    """Dividing by a prior of (4, 1, 1) / 6 turns 0.6 : 0.3 into 0.15 : 0.3."""
    files = {"one": [write(tmp_path / "one", IDS, TRUTH, WORSE, counts=[4, 1, 1])]}
    found = comparison.table(files, ("quality_accuracy",), "one")
    row = rows_of(found, stage="one + prior")[0]
    assert row["value"] == 1.0
    assert row["difference"] == pytest.approx(1 / 6)


def test_other_photographs_are_refused(tmp_path):
    files = {
        "one": [write(tmp_path / "one", IDS, TRUTH, GOOD)],
        "two": [write(tmp_path / "two", [f"q{i}" for i in range(6)], TRUTH, GOOD)],
    }
    with pytest.raises(ValueError, match="'two' was tested on other photographs"):
        comparison.table(files, (), "one")


def test_overlapping_folds_are_refused(tmp_path):
    parts = [write(tmp_path / "one" / f"fold{f}", IDS, TRUTH, GOOD) for f in (0, 1)]
    with pytest.raises(ValueError, match="more than one fold"):
        comparison.table({"one": parts}, (), "one")


def test_unknown_reference_and_metric(tmp_path):
    files = {"one": [write(tmp_path / "one", IDS, TRUTH, GOOD)]}
    with pytest.raises(ValueError, match="reference 'two' is none of"):
        comparison.table(files, (), "two")
    with pytest.raises(ValueError, match="no metric 'f7' of 'quality'"):
        comparison.table(files, ("quality_f7",), "one")


def test_file(tmp_path):
    files = {"one": [write(tmp_path / "one", IDS, TRUTH, GOOD)]}
    comparison.write(comparison.table(files, (), "one"), tmp_path / "out")
    with (tmp_path / "out" / "compare.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {r["metric"] for r in rows} == {"macro_f1", "accuracy", "auroc"}
    assert tuple(rows[0]) == comparison.COLUMNS


DETAILS = ("clarity", "contrast")


def write_details(directory, prob, truth, grade):
    directory.mkdir(parents=True)
    rows = judge.rows_from_outputs(
        {"p_details": np.asarray(prob, float)},
        path=IDS,
        id=IDS,
        details=DETAILS,
        thresholds=Thresholds(),
        model="m",
        truth={"details": np.asarray(truth), "quality": np.asarray(grade)},
    )
    path = directory / "predictions_test.csv"
    schema.write_csv(path, rows, schema.columns(DETAILS, truth=True))
    return path


def test_mean_over_details_and_rules_that_read_the_grade(tmp_path):
    """Six photographs; macro-F1 of each detail by hand, then their mean."""
    labels = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [1, 1], [1, 1]])
    right = np.where(labels == 1, 0.9, 0.1)
    worse = right.copy()
    worse[0, 0] = 0.8  # one fine photograph called unclear
    files = {
        "teacher": [write_details(tmp_path / "t", worse, labels, TRUTH)],
        "student": [write_details(tmp_path / "s", right, labels, TRUTH)],
    }
    found = comparison.table(files, ("details_macro_f1", "clarity_macro_f1"), "teacher")
    student = rows_of(found, stage="student", head="details")[0]
    teacher = rows_of(found, stage="teacher", head="details")[0]
    # clarity of the teacher: fine 1 of 2 found, F1 2/3; defect 4 found and 1 too many, F1 8/9
    want = ((2 / 3 + 8 / 9) / 2 + 1.0) / 2
    assert teacher["value"] == pytest.approx(want)
    assert student["value"] == 1.0
    assert student["difference"] == pytest.approx(1 - want)
    assert student["difference_low"] <= student["difference"] <= student["difference_high"]
    # "fine if good": defect exactly where the grade is 1 or 2, rows 2 to 5: clarity is told right
    rule = rows_of(found, stage="rule: fine if good", head="clarity")[0]
    assert rule["value"] == 1.0
    # "fine if usable": defect in rows 4 and 5 only. fine: 2 of 2, 4 said, F1 2/3; defect 2 of 4
    rule = rows_of(found, stage="rule: fine if usable", head="clarity")[0]
    assert rule["value"] == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_mean_over_details_needs_a_count_metric(tmp_path):
    files = {
        "t": [
            write_details(
                tmp_path / "t", np.full((6, 2), 0.4), np.eye(2, dtype=int)[[0, 1] * 3], TRUTH
            )
        ]
    }
    with pytest.raises(ValueError, match="details_auroc is not known"):
        comparison.table(files, ("details_auroc",), "t")
