"""Flags that describe files: presets, what overrides them, and flags that make no sense."""

import argparse

import pytest

from fiqa_jax.predictions import label_flags
from fiqa_jax.predictions.label_files import FORMATS, LabelError


def how(*argv):
    parser = argparse.ArgumentParser()
    label_flags.add_arguments(parser)
    args = parser.parse_args(["--predictions", "p.csv", *label_flags.hyphens(argv)])
    return label_flags.format_of(args)


def test_a_preset_is_taken_whole():
    assert how("--format", "eyeq") == FORMATS["eyeq"]
    assert how("--dataset", "eyeq") == FORMATS["eyeq"]


def test_flags_win_over_the_preset():
    got = how("--format", "eyeq", "--id", "name", "--codes", "g=good,b=reject")
    assert got.columns["id"] == got.labels["id"] == "name"
    assert got.columns["p_good"] == "Good"
    assert got.codes == {"g": "good", "b": "reject"}
    assert got.counts == FORMATS["eyeq"].counts


def test_every_part_can_be_given():
    got = how(
        *("--prob-columns", "g,u,r", "--columns", "p_clarity=c", "--truth_column", "grade"),
        *("--label-columns", "patient=who,clarity=sharp", "--detail_code", "good"),
        *("--patient-pattern", "^(.)"),
    )
    assert got.columns == {"p_good": "g", "p_usable": "u", "p_reject": "r", "p_clarity": "c"}
    assert got.labels == {"quality": "grade", "patient": "who", "clarity": "sharp"}
    assert (got.detail_code, got.patient) == ("good", "^(.)")


def test_hyphens_touch_flags_only():
    argv = ["--label_columns=a_b=c_d", "--json", "my_file.json", "-x_y"]
    assert label_flags.hyphens(argv) == ["--label-columns=a_b=c_d", *argv[1:]]


@pytest.mark.parametrize(
    ("argv", "match"),
    [
        (("--prob-columns", "g,u"), "expected GOOD,USABLE,REJECT"),
        (("--columns", "p_good"), "expected NAME=VALUE"),
    ],
)
def test_flags_that_make_no_sense(argv, match):
    with pytest.raises(LabelError, match=match):
        how(*argv)
