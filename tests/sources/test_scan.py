"""Files that cannot be read: left out, counted and listed, or an error."""

import csv
import dataclasses

import numpy as np
import photo_folder
import pytest
from photo_folder import READER, a_section, fundus

from input_pipeline.photo.reader import PhotoError
from input_pipeline.sources import opening, scan
from input_pipeline.sources.folder_source import folder_source
from input_pipeline.tables.table_error import TableError

folder = photo_folder.folder  # the fixture


def spoil(folder):
    (folder / "good" / "cut.jpg").write_bytes((folder / "Good" / "a.jpg").read_bytes()[:300])
    (folder / "Bad" / "empty.png").touch()


@pytest.mark.parametrize("mode", ["none", "memory", "disk"])
def test_bad_files_are_left_out_counted_and_listed(folder, tmp_path, mode):
    spoil(folder)
    section = a_section(source="folder", path=str(folder), cache=mode, on_bad="skip")
    source = opening.make_source(section, tmp_path / "work")
    assert source.table.id.tolist() == [
        "Bad/a.jpg",
        "Good/a.jpg",
        "good/deep/b.JPG",
        "usable/c (1).png",
    ]
    np.testing.assert_array_equal(source.table.labels["quality"], [2, 0, 0, 1])
    assert "cannot be read: 2 (see" in opening.describe(source)
    for row in range(4):
        source.read(row)
    with open(tmp_path / "work" / opening.LEFT_OUT) as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["Bad/empty.png", "good/cut.jpg"]
    assert all(row["reason"] for row in rows)


def test_a_list_of_an_earlier_run_does_not_stay(folder, tmp_path):
    spoil(folder)
    section = a_section(source="folder", path=str(folder), on_bad="skip")
    opening.make_source(section, tmp_path / "work")
    fundus(folder / "good" / "cut.jpg")
    fundus(folder / "Bad" / "empty.png")
    assert len(opening.make_source(section, tmp_path / "work").table) == 6
    assert not (tmp_path / "work" / opening.LEFT_OUT).exists()


def test_bad_files_are_errors_otherwise(folder, tmp_path):
    spoil(folder)
    section = a_section(source="folder", path=str(folder), cache="disk")
    with pytest.raises(PhotoError, match=r"(empty.png|cut.jpg)"):
        opening.make_source(section, tmp_path)
    source = opening.make_source(a_section(source="folder", path=str(folder), cache="none"))
    with pytest.raises(PhotoError, match=r"empty\.png"):
        source.read(1)


def test_nothing_but_bad_files(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").touch()
    section = a_section(source="folder", path=str(tmp_path / "in"), on_bad="skip")
    with pytest.raises(TableError, match=r"none of 1 photographs can be read, the first: .*a\.jpg"):
        opening.make_source(section, tmp_path)


def test_a_scan_is_kept_until_something_changes(folder, tmp_path):
    spoil(folder)
    source = folder_source(folder, reader=READER)
    rows = np.arange(len(source.table))
    bad = scan.scan(source, rows, 2, tmp_path / "scan.json")
    assert [str(source.table.id[row]) for row in bad] == ["Bad/empty.png", "good/cut.jpg"]

    class Never:
        def __call__(self, item):
            raise AssertionError("read again")

    known = dataclasses.replace(source, fetch=Never())
    assert scan.scan(known, rows, 2, tmp_path / "scan.json") == bad
    fundus(folder / "Bad" / "empty.png")
    mended = folder_source(folder, reader=READER)
    assert len(scan.scan(mended, rows, 2, tmp_path / "scan.json")) == 1
    (tmp_path / "scan.json").write_text("{")
    assert len(scan.scan(mended, rows, 2, tmp_path / "scan.json")) == 1
