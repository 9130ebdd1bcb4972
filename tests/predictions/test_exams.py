"""What is there of each eye, by hand."""

import math

from fiqa_jax.predictions import exams
from fiqa_jax.predictions.exams import Shown


def row(name, score=0.2, decision="accept", status="ok", patient=""):
    return {
        **{"path": f"in/{name}.jpg", "id": name, "patient": patient or name},
        **{"status": status, "score": score, "decision": decision},
    }


def results(parts):
    return [(p.patient, p.eye, p.view, p.result, *p.photographs[:1]) for p in parts]


def test_the_best_of_an_eye_and_the_missing_one():
    rows = [
        row("7_left_1", 0.3),
        row("7_left_2", 0.1),
        row("8_right", 0.9, "recapture"),
        row("8_left", 0.5, "review"),
        row("8_left_b", 0.6, "recapture"),
    ]
    parts = exams.exams(rows)
    assert results(parts) == [
        ("7", "right", "", "missing"),
        ("7", "left", "", "complete", "7_left_2"),
        ("8", "right", "", "retake", "8_right"),
        ("8", "left", "", "review", "8_left"),
    ]
    assert parts[0].says == "right eye: no photograph, take one"
    assert parts[2].says == "right eye: retake"
    assert parts[1].cells() == ["7", "left", "", 2, 2, "7_left_2", 0.1, "complete", ""]
    assert math.isnan(parts[0].best_score)


def test_views_come_from_a_table_and_each_is_asked_for():
    rows = [row("a"), row("b", 0.8, "recapture"), row("c")]
    known = {"a": Shown("7", "right", "disc"), "b": Shown("7", "right", "macula")}
    known["c"] = Shown("7", "left", "macula")
    parts = exams.exams(rows, known=known, views=("macula", "disc"))
    assert results(parts) == [
        ("7", "right", "macula", "retake", "b"),
        ("7", "right", "disc", "complete", "a"),
        ("7", "left", "macula", "complete", "c"),
        ("7", "left", "disc", "missing"),
    ]
    assert parts[0].says == "right eye, macula-centred: retake"


def test_a_person_decides_above_the_model():
    rows = [row("7_left", 0.1), row("7_right", 0.9, "recapture")]
    parts = exams.exams(rows, decided={"7_left": "retake", "7_right": "good"})
    assert [p.result for p in parts] == ["complete", "retake"]


def test_what_was_not_judged_does_not_count_and_unknown_eyes_are_one():
    rows = [row("7_left", None, "review", "error"), row("scan", 0.2, patient="9")]
    rows.append(row("letter", None, "review", "out_of_scope"))
    parts = exams.exams([*rows, row("other", 0.1, patient="9")])
    assert results(parts) == [
        ("7", "right", "", "missing"),
        ("7", "left", "", "missing"),
        ("9", "", "", "complete", "other"),
    ]
