"""data.exclude leaves out the photographs that a list names; MSHF's photographs may all train."""

import dummy_sets
import numpy as np
import pytest
from PIL import Image

from fiqa_jax import defaults
from input_pipeline import readers
from input_pipeline.sources import opening
from input_pipeline.tables.table_error import TableError


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "messidor"
    folder.mkdir()
    for name in ("IM000012.JPG", "20051020_64993_0100_PP.png", "IM000139.JPG"):
        Image.fromarray(np.full((20, 20, 3), 90, np.uint8)).save(folder / name)
    c = defaults.base().data
    c.update({"source": "folder", "path": str(folder), "side": 16, "cache": "none"})
    return c


def test_names_with_or_without_endings_folders_and_case(data, tmp_path):
    text = "im000139\nBase/20051020_64993_0100_pp.tif\n\n20051020_64993_0100_PP\nIM999999\n"
    (tmp_path / "list.txt").write_text("\ufeff" + text, encoding="utf-8")
    data.exclude = str(tmp_path / "list.txt")
    table = opening.make_source(data).table
    assert table.id.tolist() == ["IM000012.JPG"]
    assert table.notes[-1] == (
        "left out, as list.txt names them: 2; 1 of its names are none of these photographs"
    )


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("IM1\n", r"none of its 1 names is a photograph of messidor; the list begins with 'im1'"),
        ("", "none of its 0 names"),
        ("IM000012\nIM000139\n20051020_64993_0100_PP\n", "it names all 3 photographs"),
    ],
)
def test_lists_that_fit_nothing_or_everything(data, tmp_path, text, match):
    (tmp_path / "list.txt").write_text(text)
    data.exclude = str(tmp_path / "list.txt")
    with pytest.raises(TableError, match=match):
        opening.make_source(data)


def test_no_list(data, tmp_path):
    data.exclude = str(tmp_path / "none.txt")
    with pytest.raises(TableError, match=r"none\.txt: there is no such list"):
        opening.make_source(data)
    data.exclude = "?"
    with pytest.raises(TableError, match=r"set --config\.data\.exclude=FILE"):
        opening.make_source(data)


def test_every_photograph_of_mshf_trains(tmp_path):
    dummy_sets.mshf(tmp_path)
    both = [readers.listed("mshf", tmp_path, lists, "any") for lists in ("official", "all")]
    assert both[0].table.split.tolist() == ["train", "train", "test"]
    assert both[1].table.split.tolist() == ["train"] * 3
    assert both[0].counts == both[1].counts
    assert "every photograph is for training" in " ".join(both[1].table.notes)
