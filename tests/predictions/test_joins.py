"""Joining by stem: what matches, whose patient counts, what is refused."""

import dataclasses

import numpy as np
import pytest

from fiqa_jax.predictions.joins import join, stem
from fiqa_jax.predictions.label_files import FORMATS, Format, LabelError, Labels
from fiqa_jax.predictions.schema import Predictions


def predicted(ids, patient=None, **outputs):
    outputs = outputs or {"p_quality": np.eye(3)[np.arange(len(ids)) % 3]}
    who = np.array(patient or [""] * len(ids))
    return Predictions((), np.array(ids), who, outputs, {}, (), (), {})


def labelled(ids, patient=None, **truth):
    truth = truth or {"quality": np.arange(len(ids)) % 3}
    return Labels(list(ids), patient or [""] * len(ids), truth, (), ())


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("1_left.jpeg", "1_left"),
        ("a/b/1_left.PNG", "1_left"),
        (r"C:\photos\1_left.jpg", "1_left"),
        ("1.2.840.113", "1.2.840.113"),
        (" x ", "x"),
    ],
)
def test_stem(name, want):
    assert stem(name) == want


def test_rows_follow_the_predictions():
    got, notes = join(
        predicted(["d/b.png", "d/a.png", "d/c.png"]), labelled(["a.jpeg", "b.jpeg", "c"]), Format()
    )
    assert got.id.tolist() == ["d/b.png", "d/a.png", "d/c.png"]
    np.testing.assert_array_equal(got.truth["quality"], [1, 0, 2])
    assert notes == [
        "3 photographs joined by file stem",
        "no patients known: every photograph is taken as its own",
    ]
    assert got.patient.tolist() == ["b", "a", "c"]


def test_whose_patient_counts():
    ids = ["1_left", "1_right", "2_left"]
    for patients, labels, how, want in (
        (["p", "p", "q"], ["", "", "x"], FORMATS["eyeq"], ["p", "p", "x"]),
        (["", "", ""], ["", "", ""], FORMATS["eyeq"], ["1", "1", "2"]),
        (ids, ["", "", ""], Format(), ids),
    ):
        got, _ = join(predicted(ids, patients), labelled(ids, labels), how)
        assert got.patient.tolist() == want


def test_what_one_side_lacks():
    args = predicted(["a", "b", "c"]), labelled(["b", "c", "d", "e"]), Format()
    with pytest.raises(LabelError) as error:
        join(*args)
    text = str(error.value)
    assert "1 of 3 predictions have no label (first: 'a')" in text
    assert "2 of 4 labels have no prediction (first: 'd')" in text
    got, notes = join(*args, allow_missing=True)
    assert got.id.tolist() == ["b", "c"]
    np.testing.assert_array_equal(got.truth["quality"], [0, 1])
    np.testing.assert_array_equal(got.outputs["p_quality"], np.eye(3)[[1, 2]])
    assert sum("left out" in note for note in notes) == 2
    with pytest.raises(LabelError, match="do not match"):
        join(predicted(["a"]), labelled(["b"]), Format(), allow_missing=True)


def test_ids_twice():
    with pytest.raises(
        LabelError,
        match=r"predictions: 'x/a.png' \(row 1\) and 'y/a.png' \(row 2\) are both called 'a'",
    ):
        join(predicted(["x/a.png", "y/a.png"]), labelled(["a"]), Format())
    ids = ["x/a.png", "y/a.png"]
    got, _ = join(predicted(ids), labelled(ids), Format(), exact=True)
    assert len(got.id) == 2


def test_one_id_twice_in_a_label_file_names_file_and_lines():
    twice = dataclasses.replace(labelled(["a", "b", "a"]), file="l.csv", lines=(2, 3, 7))
    with pytest.raises(
        LabelError, match=r"l\.csv: 'a' \(line 2\) and 'a' \(line 7\) are one id twice"
    ):
        join(predicted(["a", "b"]), twice, Format())


def test_grades_against_gradable_labels_use_p_reject():
    truth = {"ungradable": np.array([0, 0, 1])}
    got, _ = join(predicted(["a", "b", "c"]), labelled(["a", "b", "c"], **truth), Format())
    np.testing.assert_array_equal(got.outputs["p_ungradable"], [0, 0, 1])
    graded = {**truth, "quality": np.array([0, 1, 2])}
    got, _ = join(predicted(["a", "b", "c"]), labelled(["a", "b", "c"], **graded), Format())
    assert "p_ungradable" not in got.outputs
