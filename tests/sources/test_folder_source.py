"""Folders as splits and grades, and patients by the names of their photographs."""

import pytest

from input_pipeline.sources.folder_source import folder_source
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.tables.table_error import TableError

READER = PhotoReader(32, "fundus")


def made(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return folder_source(root, reader=READER).table


@pytest.mark.parametrize(
    "nested", ["{split}/{grade}/{n}.png", "{grade}/{split}/{n}.png", "x/{split}/{grade}/{n}.png"]
)
@pytest.mark.parametrize(
    "called", [("train", "valid", "test"), ("Training", "validation", "testing")]
)
def test_split_folders_are_splits_however_nested(tmp_path, nested, called):
    names = [
        nested.format(split=split, grade=grade, n=f"{k}{grade}")
        for k, split in enumerate(called)
        for grade in ("good", "reject")
    ]
    table = made(tmp_path, *names)
    words = dict(zip(called, ("train", "val", "test"), strict=True))
    for name, split, quality in zip(table.id, table.split, table.labels["quality"], strict=True):
        assert split == next(word for folder, word in words.items() if f"{folder}/" in name)
        assert quality == (0 if "/good/" in f"/{name}" else 2)


def test_photographs_beside_split_folders_are_refused(tmp_path):
    with pytest.raises(
        TableError, match=r"\['train'\] are splits, but 1 of 2 .* the first: good/b"
    ):
        made(tmp_path, "train/good/a.png", "good/b.png")


def test_folders_that_are_no_splits_are_none(tmp_path):
    assert set(made(tmp_path, "good/a.png", "reject/b.png").split) == {""}


def test_both_eyes_are_one_patient_where_names_show_it(tmp_path):
    table = made(tmp_path, "13_left.png", "13_right.png", "15_left.png", "other.png")
    assert table.patient.tolist() == ["13", "13", "15", "other.png"]
    assert any("13_left.png and 13_right.png are one patient" in note for note in table.notes)
    table = made(tmp_path / "b", "a.png", "b.png")
    assert table.patient.tolist() == ["a.png", "b.png"]
    assert not table.notes


def test_patients_of_given_splits_stay_as_they_are(tmp_path):
    table = made(tmp_path, "train/13_left.png", "test/13_right.png")
    assert table.patient.tolist() == table.id.tolist()


def test_results_and_other_files_are_passed_over_and_named(tmp_path):
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "letter.pdf").write_bytes(b"%PDF-1.7\n")
    table = made(tmp_path, "good/a.png", "judged/predictions.jsonl", "judged/maps/a.png")
    assert table.id.tolist() == ["good/a.png"]
    assert "1 files passed over, no photographs: good/letter.pdf (a PDF document)" in table.notes
    assert "judged/ passed over: results of fiqa_jax, not photographs" in table.notes
