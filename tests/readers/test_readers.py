"""Label files of the public data sets: codes, columns and traps, on made-up rows."""

import dataclasses
import re

import dummy_sets
import numpy as np
import pytest

from input_pipeline import prepare, readers
from input_pipeline.readers.tree import photographs, tree
from input_pipeline.tables.table_error import TableError


def read(name, root, lists=""):
    return readers.listed(name, dummy_sets.write(name, root), lists, "any")


@pytest.mark.parametrize("name", readers.READERS)
def test_every_set_says_what_it_holds(name):
    dataset, first = readers.named(name)
    assert first == next(iter(dataset.variants))
    assert {*dataset.published} == {*dataset.labels} == {*dataset.variants}
    assert dataset.instructions.strip()
    assert dataset.licence


@pytest.mark.parametrize("name", readers.READERS)
def test_what_is_read_has_the_labels_that_are_promised(name, tmp_path):
    dataset, _ = readers.named(name)
    dummy_sets.write(name, tmp_path)
    for variant in dataset.variants:
        full = f"{name}/{variant}" if variant else name
        root = tmp_path / dummy_sets.FOLDERS.get(full, "")
        for lists in dataset.lists:
            table = readers.listed(full, root, lists, "any").table
            promised = dataset.labels[variant]
            assert table.quality_names == promised.quality
            assert table.detail_names == promised.details
            assert table.diagnosis_names == promised.diagnosis
            three = len(promised.quality) == 3
            assert ("quality" in table.labels) == three
            assert ("ungradable" in table.labels) == bool(promised.quality)
            assert ("details" in table.labels) == bool(promised.details)
            assert ("diagnosis" in table.labels) == bool(promised.diagnosis)


def test_names_that_are_not_known():
    with pytest.raises(TableError, match="data set 'eyepacs' is not known; there are eyeq, eyeq_d"):
        readers.named("eyepacs")
    with pytest.raises(TableError, match="'iqad/CT': no such variant; iqad/EYEQ: 28,790"):
        readers.named("iqad/CT")
    with pytest.raises(TableError, match="'eyeq/x': no such variant; it has none"):
        readers.named("eyeq/x")


def test_eyeq(tmp_path):
    found = read("eyeq", tmp_path)
    t = found.table
    assert t.id.tolist() == ["10_left", "10_right", "15337_left", "7_right", "9_left"]
    assert t.patient.tolist() == ["10", "10", "15337", "7", "9"]
    assert t.split.tolist() == ["train"] * 3 + ["test"] * 2
    assert t.labels["quality"].tolist() == [0, 2, 1, 2, 0]
    assert t.labels["ungradable"].tolist() == [0, 1, 0, 1, 0]
    assert t.labels["diagnosis"].tolist() == [0, 4, 2, 0, 1]
    assert any("'0' 1 times -> good" in note for note in t.notes)
    assert found.counts["train"] == {
        "photographs": 3,
        "patients": 2,
        "good": 1,
        "usable": 1,
        "reject": 1,
        **dict(zip(readers.dataset.DR_GRADES, (1, 0, 1, 0, 1), strict=True)),
    }


def test_other_counts_than_published_show_both(tmp_path):
    dummy_sets.eyeq(tmp_path)
    with pytest.raises(TableError, match=r"train: good 1 \(published 8,347\).*data\.counts=any"):
        readers.listed("eyeq", tmp_path)
    notes = readers.listed("eyeq", tmp_path, counts="any").table.notes
    assert any("test: photographs 2 (published 16,249)" in note for note in notes)
    with pytest.raises(TableError, match=r"data\.counts is 'all', expected one of"):
        readers.listed("eyeq", tmp_path, counts="all")


def test_missing_label_files_come_with_the_way_to_instructions(tmp_path, capsys):
    with pytest.raises(TableError, match=r"no 'Label_EyeQ_train\.csv' in this") as caught:
        readers.listed("eyeq", tmp_path)
    (said,) = re.findall(
        r"`python -m input_pipeline.prepare (.*?)` says what to get", str(caught.value)
    )
    with pytest.raises(SystemExit):
        prepare.main(said.split())
    assert "Kaggle" in capsys.readouterr().out
    with pytest.raises(TableError, match="there is no such folder"):
        readers.listed("eyeq", tmp_path / "none")


def test_a_label_file_that_lies_there_twice(tmp_path):
    dummy_sets.eyeq(tmp_path / "one")
    dummy_sets.eyeq(tmp_path / "two")
    with pytest.raises(TableError, match=r"2 files 'Label_EyeQ_train.csv': one/data/.*, two/data/"):
        readers.listed("eyeq", tmp_path, counts="any")


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (("image", "quality", "DR_grade"), ("1_left.jpeg", 0, 0), "expected .*'', 'image'"),
        (("", "image", "quality", "DR_grade"), (0, "1_left.jpeg", 3, 0), "'3'"),
        (("", "image", "quality", "DR_grade"), (0, "1_left.jpeg", 0, 7), "'7'"),
        (("", "image", "quality", "DR_grade"), (0, "left.jpeg", 0, 0), "expected names such as"),
    ],
)
def test_eyeq_files_of_another_kind(tmp_path, header, row, message):
    dummy_sets.eyeq(tmp_path)
    dummy_sets.table(tmp_path / "data" / "Label_EyeQ_test.csv", header, [row])
    with pytest.raises(TableError, match=rf"eyeq: .*Label_EyeQ_test.csv: .*{message}"):
        readers.listed("eyeq", tmp_path, counts="any")


def test_eyeq_d_counts_the_other_way_round(tmp_path):
    t = read("eyeq_d", tmp_path).table
    assert t.labels["quality"].tolist() == [2, 0]
    # In the file 1 is good; here 1 is the defect.
    np.testing.assert_array_equal(t.labels["details"], [[1, 0, 1], [0, 0, 1]])
    assert t.detail_names == ("illumination", "clarity", "contrast")
    assert t.split.tolist() == ["test", "test"]
    assert any("not compared with EyeQ's own grades" in note for note in t.notes)


def test_eyeq_d_is_joined_with_eyeq(tmp_path):
    dummy_sets.eyeq(tmp_path)
    notes = read("eyeq_d", tmp_path).table.notes
    assert any("joined with EyeQ's test labels: 2 of 2" in note for note in notes)
    rows = [("7_right", 2, 0, 1, 0), ("9_left", 2, 1, 1, 0)]  # one grade not turned round
    header = ("file_name", "overall_quality", "illumination", "clarity", "contrast")
    dummy_sets.table(tmp_path / "EyeQ-D-Quality-Details.csv", header, rows)
    with pytest.raises(TableError, match=r"1 of 2 grades are those of Label_EyeQ_test.csv"):
        readers.listed("eyeq_d", tmp_path, counts="any")


def test_deepdrid(tmp_path):
    t = read("deepdrid", tmp_path).table
    assert t.id.tolist() == ["1_l1", "1_r1", "265_l1", "265_r1", "347_l2"]
    assert t.patient.tolist() == ["1", "1", "265", "265", "347"]
    assert t.split.tolist() == ["train", "train", "val", "val", "test"]
    assert t.labels["ungradable"].tolist() == [0, 1, 0, 1, 1]
    # The eye's own level; 5 stands for ungradable and is absent.
    assert t.labels["diagnosis"].tolist() == [2, -1, 2, -1, 3]
    assert t.detail_names == ("clarity", "field", "artefact")
    expected = [[0, 0, 0], [1, 1, 1], [0, 0, 0], [1, 1, 1], [0, 0, 1]]
    np.testing.assert_array_equal(t.labels["details"], expected)
    assert t.path[0] == "regular-fundus-training/Images/1/1_l1.jpg"
    assert t.path[4] == "Online-Challenge1&2-Evaluation/Images/347/347_l2.jpg"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((2, "\\regular-fundus-training\\1\\1_l2.jpg"), r"line 2: image '1_l1' does not fit"),
        ((0, 2), r"does not fit patient_id '2'"),
        ((1, "1_x1"), r"image_id '1_x1'; expected names such as 265_l1"),
        ((7, 5), r"clarity '5'; expected one of \[1, 4, 6, 8, 10\]"),
        ((4, 6), r"DR level '6'; expected 0 to 5"),
        ((3, 2), r"column 'Overall quality'"),
    ],
)
def test_deepdrid_rows_that_do_not_fit(tmp_path, change, message):
    dummy_sets.deepdrid(tmp_path)
    file = tmp_path / "regular_fundus_images/regular-fundus-training/regular-fundus-training.csv"
    lines = [line.split(",") for line in file.read_text().splitlines()]
    lines[1][change[0]] = str(change[1])
    file.write_text("\n".join(",".join(line) for line in lines))
    with pytest.raises(TableError, match=message):
        readers.listed("deepdrid", tmp_path, counts="any")


def test_drimdb_the_folder_is_the_label(tmp_path):
    t = read("drimdb", tmp_path).table
    ids = ["drimdb_bad (1)", "drimdb_good (1)", "drimdb_outlier (1)"]
    assert t.id.tolist() == ids
    assert t.labels["ungradable"].tolist() == [1, 0, 1]
    kept = readers.listed("drimdb/good_bad", tmp_path, counts="any").table
    assert kept.id.tolist() == ids[:2]
    dummy_sets.photograph(tmp_path / "copy" / "Good" / "drimdb_good (1).jpg")
    with pytest.raises(TableError, match="there are 2: DRIMDB, copy"):
        readers.listed("drimdb", tmp_path, counts="any")


def test_funpiq_is_for_tests_alone(tmp_path):
    found = read("funpiq", tmp_path)
    assert found.table.id.tolist() == ["10_left", "img00001"]
    assert found.table.patient.tolist() == ["EyeQ:10", "img00001"]
    assert found.table.split.tolist() == ["test", "test"]
    assert found.annotations == ("annotations/set/10_left.png", "annotations/set/img00001.png")
    with pytest.raises(TableError, match=r"photographs 2 \(published 300\)"):
        readers.listed("funpiq", tmp_path)


def test_lists_that_a_set_does_not_have(tmp_path):
    dummy_sets.eyeq(tmp_path)
    with pytest.raises(TableError, match=r"data.lists is 'mkcnet'; eyeq has those of official"):
        readers.listed("eyeq", tmp_path, "mkcnet")


def test_vessels(tmp_path):
    dummy_sets.vessels(tmp_path)
    hrf = readers.listed("vessels/hrf", tmp_path / "hrf", counts="any")
    assert hrf.table.labels["diagnosis"].tolist() == [0, 1]
    assert hrf.annotations[0] == "manual_av/01_h_AVmanual.png"
    chase = readers.listed("vessels/chase_db1", tmp_path / "chase", counts="any")
    assert chase.table.id.tolist() == ["Image_01L", "Image_01R"]
    assert chase.table.patient.tolist() == ["01", "01"]
    assert chase.annotations == ("Image_01L_1stHO.png", "Image_01R_1stHO.png")
    own = readers.listed("vessels/folder", tmp_path / "own")
    assert own.table.id.tolist() == ["a.jpg"]
    (tmp_path / "hrf" / "manual_av" / "02_dr_AVmanual.png").unlink()
    with pytest.raises(TableError, match=r"no annotation of 02_dr; looked for manual_av/02_dr"):
        readers.listed("vessels/hrf", tmp_path / "hrf", counts="any")


def test_photographs_are_found_by_name_and_folder(tmp_path):
    for path in ("a/train/1_left.png", "b/test/1_left.jpeg", "masks/2_left.png", "2_LEFT.JPG"):
        dummy_sets.photograph(tmp_path / path)
    (tmp_path / "3_left.txt").touch()
    files = tree(tmp_path)
    expected = ["train/1_left.jpeg", "test/1_left.jpeg", "train/2_left.jpeg", "train/3_left.jpeg"]
    found = photographs(files, expected, other_than=("masks/2_left.png",))
    names = ["a/train/1_left.png", "b/test/1_left.jpeg", "2_LEFT.JPG"]
    assert found == [str(tmp_path / name) for name in names] + [""]
    with pytest.raises(TableError, match=r"may both be other/1_left.jpeg"):
        photographs(files, ["other/1_left.jpeg"])


def test_links_in_circles_end(tmp_path):
    dummy_sets.photograph(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    assert tree(tmp_path).files == ("a/1.png",)


def test_published_counts_are_sums(tmp_path):
    """The parts of every published table add up to its own totals."""
    classes = ("good", "usable", "reject"), ("gradable", "ungradable")
    for name in readers.READERS:
        dataset, _ = readers.named(name)
        for counts in dataset.published.values():
            for found in counts.values():
                for names in classes:
                    if names[0] in found:
                        assert sum(found[n] for n in names) == found["photographs"], name
    assert dataclasses.asdict(readers.Labels()) == {"quality": (), "details": (), "diagnosis": ()}
