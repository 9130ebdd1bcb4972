"""Photographs without a field, or of something else, are counted and listed once."""

import numpy as np
import pytest
from fundus_disc import draw
from PIL import Image

from input_pipeline.loading import field_survey
from input_pipeline.photo.errors import PhotoError
from input_pipeline.sources.folder_source import folder_source
from input_pipeline.sources.photo_files import PhotoReader


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    Image.fromarray(draw(128, 110, 64, 55, 50)).save(root / "a_round.png")
    Image.fromarray(draw(100, 100, 50, 50, 300)).save(root / "b_inside.png")
    page = np.full((100, 120, 3), 250, np.uint8)
    page[10:90:8, 10:110] = 0
    Image.fromarray(page).save(root / "c_print.png")
    (root / "d_broken.png").write_bytes(b"no picture")
    return root


def test_they_are_counted_by_split_and_listed(folder, tmp_path):
    source = folder_source(folder, reader=PhotoReader(32, "fundus"))
    split = np.array(["train", "train", "test", "val"])
    found = field_survey.look(source, split, 1, tmp_path / "run")
    assert {row: one.what for row, one in found.fields.items()} == {
        0: "circle",
        1: "frame",
        2: "out_of_scope",
    }
    assert found.fields[0].across == pytest.approx(100, abs=1)
    assert found.rows("out_of_scope").tolist() == [2]
    assert found.rows("frame").tolist() == [1]
    (file,) = (tmp_path / "run").glob("fields_*.csv")
    assert found.lines() == [
        f"1 of 4 photographs have no round field of view: taken whole (train 1), listed in {file}",
        f"1 of 4 photographs show no eye: left out, as in use (test 1), listed in {file}",
    ]
    assert "kept, and judged in use" in found.lines(kept=True)[1]
    assert "taken as unreadable" in found.lines(whole=False)[0]
    assert file.read_text().count("\n") == 4


def test_the_same_source_is_looked_at_once(folder, tmp_path, monkeypatch):
    source = folder_source(folder, reader=PhotoReader(32, "fundus"))
    split = np.array([""] * 4)
    first = field_survey.look(source, split, 1, tmp_path)
    monkeypatch.setattr(PhotoReader, "look", lambda *_: pytest.fail("looked again"))
    again = field_survey.look(source, split, 1, tmp_path)
    assert {k: v.what for k, v in again.fields.items()} == {
        k: v.what for k, v in first.fields.items()
    }
    assert again.fields[0].across == pytest.approx(first.fields[0].across, abs=0.1)
    assert np.isnan(again.fields[1].shown)  # full of retina, with no edge to tell


def test_sources_of_other_things_have_nothing_to_look_at(tmp_path):
    class Drawn:
        reader = object()

    assert field_survey.look(Drawn(), np.array([]), 1, tmp_path).lines() == []


def test_no_field_can_be_an_error_for_every_source(folder):
    strict = PhotoReader(32, "fundus", no_field="error")
    strict.open(folder / "a_round.png")
    with pytest.raises(PhotoError, match=r"no round field of view .*data\.no_field=frame"):
        strict.open(folder / "b_inside.png")
    assert strict.settings() != PhotoReader(32, "fundus").settings()
    with pytest.raises(ValueError, match=r"data\.no_field is 'maybe'"):
        PhotoReader.from_config(
            {"side": 32, "modality": "fundus", "erase": (), "no_field": "maybe"}
        )
