"""The aggregate command: its table, its words, what it refuses."""

import csv

import numpy as np
import pytest

from fiqa_jax import aggregate
from fiqa_jax.predictions import rows as judge
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.triage import Thresholds

NAMES = ["7_left.jpg", "7_right.jpg", "8_left.jpg"]


@pytest.fixture
def folder(tmp_path):
    rows = judge.rows_from_outputs(
        {"score": np.array([0.1, 0.9, 0.2])},
        path=NAMES,
        id=NAMES,
        thresholds=Thresholds(),
        model="m@1",
    )
    schema.write_csv(tmp_path / "predictions.csv", rows, schema.columns())
    return tmp_path


def table(folder):
    with open(folder / "exams.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_names_alone(folder, capsys):
    assert aggregate.main([str(folder)]) == 0
    text = capsys.readouterr().out
    assert "2 patients, 0 of them complete" in text
    assert "  7  right eye: retake\n" in text
    assert "  8  right eye: no photograph, take one\n" in text
    assert [(r["patient"], r["eye"], r["result"], r["best"]) for r in table(folder)] == [
        ("7", "right", "retake", "7_right.jpg"),
        ("7", "left", "complete", "7_left.jpg"),
        ("8", "right", "missing", ""),
        ("8", "left", "complete", "8_left.jpg"),
    ]


def test_a_table_says_what_is_shown_and_a_person_decides(folder, capsys):
    shown = folder / "shown.csv"
    shown.write_text("id,eye,view\n7_left.jpg,OS,macula\n7_right.jpg,od,Macula\n8_left.jpg,OD,\n")
    decisions = folder / "decisions.csv"
    decisions.write_text("id,patient,decision,gradable\n7_right.jpg,7,good,1\n")
    argv = [str(folder), "--shown", str(shown), "--views", "macula", "--decisions", str(decisions)]
    assert aggregate.main(argv) == 0
    assert "2 patients, 1 of them complete" in capsys.readouterr().out
    assert {r["result"] for r in table(folder) if r["patient"] == "7"} == {"complete"}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("eye\nleft\n", r"no columns \['id'\]"),
        ("id,eye\n7_left.jpg,both\n", "eye 'both'; expected left, right"),
        ("id,eye\nelse.jpg,left\n", "no id of it is one of the folder's; the first is 'else.jpg'"),
    ],
)
def test_other_tables_are_refused(folder, capsys, content, match):
    import re

    (folder / "shown.csv").write_text(content)
    assert aggregate.main([str(folder), "--shown", str(folder / "shown.csv")]) == 1
    assert re.search(match, capsys.readouterr().err)
    assert not (folder / "exams.csv").exists()


def test_a_decision_in_any_case_counts(folder, capsys):
    file = folder / "decisions.csv"
    file.write_text("id,decision\n7_right.jpg, Good\n8_left.jpg,RETAKE\n7_left.jpg,\n")
    assert aggregate.main([str(folder), "--decisions", str(file)]) == 0
    assert "2 patients, 1 of them complete" in capsys.readouterr().out
    assert [r["result"] for r in table(folder)] == ["complete", "complete", "missing", "retake"]


def test_a_decision_that_is_none_is_refused(folder, capsys):
    file = folder / "decisions.csv"
    file.write_text("id,decision\n7_right.jpg,reject\n")
    assert aggregate.main([str(folder), "--decisions", str(file)]) == 1
    said = capsys.readouterr().err
    assert "id '7_right.jpg': decision 'reject'; expected good, retake, unsure or nothing" in said
    assert not (folder / "exams.csv").exists()


def test_views_without_a_table_are_refused(folder, capsys):
    assert aggregate.main([str(folder), "--views", "macula"]) == 1
    assert "--views needs --shown FILE" in capsys.readouterr().err
