"""Foreign prediction and label files: names, codes and what is refused."""

import numpy as np
import pytest

from fiqa_jax.predictions import label_files
from fiqa_jax.predictions.label_files import FORMATS, Format, LabelError


def write(folder, name, *lines):
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_sigmoid_rows_are_divided_by_their_sum_and_it_is_said(tmp_path):
    path = write(tmp_path, "p.csv", ",image_name,Good,Usable,Reject", "0,a.jpeg,0.4,0.2,0.2")
    got, notes = label_files.read_predictions(path, FORMATS["eyeq"])
    np.testing.assert_allclose(got.outputs["p_quality"], [[0.5, 0.25, 0.25]])
    assert notes == ["rows of p_quality sum to 0.800 ... 0.800: each divided by its sum"]
    assert got.id.tolist() == ["a.jpeg"]


def test_own_names_need_no_mapping(tmp_path):
    path = write(
        tmp_path,
        "p.csv",
        "id,patient,p_ungradable,p_clarity,p_diagnosis_a,p_diagnosis_b,score",
        "x,1,0.3,0.9,0.25,0.75,0.4",
        "y,1,0.2,0.1,0.5,0.5,0.1",
    )
    got, notes = label_files.read_predictions(path, Format())
    assert (got.details, got.diagnosis, notes) == (("clarity",), ("a", "b"), [])
    assert set(got.outputs) == {"p_ungradable", "p_details", "p_diagnosis", "score"}
    np.testing.assert_array_equal(got.outputs["p_details"], [[0.9], [0.1]])
    assert got.patient.tolist() == ["1", "1"]


@pytest.mark.parametrize(
    ("lines", "how", "match"),
    [
        (["name,p_good", "a,1"], Format(), r"no column 'id' \(or path, .*; name it with --id"),
        (
            ["id,p_good,p_usable,p_reject", "a,1,0,0", "b,9.5,8,6"],
            Format(),
            r"line 3: values up to 9\.5 in p_good, p_usable, p_reject are no probabilities; give",
        ),
        (
            ["id,p_ungradable", "a,0.5", "b,2.5"],
            Format(),
            "line 3: values up to 2.5 in p_ungradable",
        ),
        (["id,good", "a,1"], Format(), "no probabilities; name them with --prob-columns"),
        (["id,p_good", "a,1"], Format(), r"only \['p_good'\] of"),
        (["id,p_ungradable", "a,high"], Format(), "line 2, column 'p_ungradable': 'high' is no"),
        (["id,x", "a,1"], Format(columns={"p_ungradable": "q"}), r"no column 'q' \(for 'p_ung"),
        (["id,p_good,p_usable,p_reject", "a,2,-1,0"], Format(), "probabilities, not logits"),
    ],
)
def test_wrong_prediction_files(tmp_path, lines, how, match):
    with pytest.raises(LabelError, match=match):
        label_files.read_predictions(write(tmp_path, "p.csv", *lines), how)


def test_opposite_codes_of_two_sets_come_out_alike(tmp_path):
    eyeq = write(tmp_path, "e.csv", ",image,quality,DR_grade", "0,a.jpeg,0,0", "1,b.jpeg,2,1")
    eyeq_d = write(
        tmp_path,
        "d.csv",
        "file_name,overall_quality,illumination,clarity,contrast",
        "a,2,1,1,0",
        "b,0,0,1,0",
    )
    one = label_files.read_labels(eyeq, FORMATS["eyeq"])
    details = ("illumination", "clarity", "contrast")
    two = label_files.read_labels(eyeq_d, FORMATS["eyeq_d"], details)
    for got in (one, two):
        np.testing.assert_array_equal(got.truth["quality"], [0, 2])
        np.testing.assert_array_equal(got.truth["ungradable"], [0, 1])
        assert any("not published ones (good 1, usable 0, reject 1)" in n for n in got.notes)
    np.testing.assert_array_equal(two.truth["details"], [[0, 0, 1], [1, 0, 1]])


def test_plain_label_file(tmp_path):
    path = write(
        tmp_path, "l.csv", "id,patient,gradable,diagnosis", "a,7,1,amd", "b,7,0,", "c,8,,amd"
    )
    got = label_files.read_labels(path, Format(), diagnosis=("none", "amd"))
    np.testing.assert_array_equal(got.truth["ungradable"], [0, 1, -1])
    np.testing.assert_array_equal(got.truth["diagnosis"], [1, -1, 1])
    assert got.patient == ["7", "7", "8"]


def test_a_column_of_two_classes_adds_to_the_grade_and_erases_nothing(tmp_path):
    path = write(tmp_path, "l.csv", "id,quality,ungradable", "a,good,", "b,reject,", "c,,0", "d,,1")
    got = label_files.read_labels(path, Format())
    assert got.truth["quality"].tolist() == [0, 2, -1, -1]
    assert got.truth["ungradable"].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (["id,quality,gradable", "a,good,0"], "line 2: 'gradable' contradicts the other grade"),
        (["id,quality", "a,0"], "On this command line: --codes 0=good,1=usable,2=reject"),
        (["id,clarity", "a,1"], "On this command line: --detail-code good"),
        (["id,quality", "a,fine"], "'fine'"),
        (["id,other", "a,0"], "no labels; name the column with --truth-column"),
        (["who,quality", "a,good"], "no column 'id'"),
        (["id,quality"], "no rows"),
    ],
)
def test_wrong_label_files(tmp_path, lines, match):
    path = write(tmp_path, "l.csv", *lines)
    with pytest.raises(LabelError, match=match) as error:
        label_files.read_labels(path, Format(), ("clarity",))
    assert "l.csv" in str(error.value)


def test_no_such_file(tmp_path):
    with pytest.raises(LabelError, match="there is no such file; give a CSV table"):
        label_files.read_labels(tmp_path / "none.csv", Format())


def test_published_counts_are_recognised(shared_data):
    folder = shared_data / "labels"
    for name, split in (("train", "train"), ("test", "test")):
        got = label_files.read_labels(folder / "eyeq" / f"Label_EyeQ_{name}.csv", FORMATS["eyeq"])
        assert any(f"the published ones of '{split}'" in note for note in got.notes)
    path = folder / "eyeq_d" / "EyeQ-D-Quality-Details.csv"
    details = ("illumination", "clarity", "contrast")
    got = label_files.read_labels(path, FORMATS["eyeq_d"], details)
    assert any("the published ones of 'all'" in note for note in got.notes)
    # Good: 54, 121 and 105 of 160 (spec, 1.3).
    np.testing.assert_array_equal(160 - got.truth["details"].sum(0), [54, 121, 105])


@pytest.mark.parametrize("column", ["image", "path", "file"])
def test_ids_may_stand_in_a_column_of_paths(tmp_path, column):
    (tmp_path / "l.csv").write_text(f"{column};quality\na.png;good\n", encoding="utf-8")
    got = label_files.read_labels(tmp_path / "l.csv", Format())
    assert got.id == ["a.png"]
    assert f"ids of l.csv from the column '{column}'" in got.notes
    assert got.lines == (2,)


def test_percentages_and_decimal_commas_are_read(tmp_path):
    (tmp_path / "p.csv").write_text(
        "id;p_good;p_usable;p_reject\na;70,5;20;9,5\n", encoding="utf-8"
    )
    got, _ = label_files.read_predictions(tmp_path / "p.csv", Format())
    np.testing.assert_allclose(got.outputs["p_quality"], [[0.705, 0.2, 0.095]])
