"""Synthetic photographs as a source: labels, merged grades, drawn once."""

import numpy as np
import pytest
from photo_folder import a_section

from input_pipeline import synthetic
from input_pipeline.sources import opening
from input_pipeline.sources.generated.synthetic_source import drawn_source


def test_drawings_carry_their_labels(tmp_path):
    source = drawn_source(
        count=6,
        seed=3,
        side=48,
        style="b",
        lq_ratio=0.8,
        classes=3,
        details=("contrast", "clarity"),
        diagnosis=("0", "1", "2", "3", "4"),
        workers=1,
    )
    places = [synthetic.DETAILS.index(name) for name in ("contrast", "clarity")]
    for row in range(6):
        expected = synthetic.example(3, row, 48, "b", 0.8)
        got = source.read(row)
        assert got.keys() == {"image", "fov", "vessels", "vessels_valid", "map"}
        for name, array in got.items():
            np.testing.assert_array_equal(array, expected[name])
        labels = source.table.labels
        assert labels["quality"][row] == expected["quality"]
        assert labels["ungradable"][row] == expected["ungradable"]
        assert labels["diagnosis"][row] == expected["diagnosis"]
        np.testing.assert_array_equal(labels["details"][row], expected["details"][places])
    assert len(set(source.table.patient)) == 6


def test_drawn_grades_merged():
    kw = {"count": 12, "seed": 3, "side": 32, "style": "a", "lq_ratio": 0.5, "classes": 0}
    kw |= {"details": (), "workers": 1}
    grades = drawn_source(**kw, diagnosis=tuple("01234")).table.labels["diagnosis"]
    merge = (0, 1, 1, 1, 2)
    merged = drawn_source(**kw, diagnosis=("no", "some", "much"), merge=merge).table
    assert merged.diagnosis_names == ("no", "some", "much")
    assert merged.labels["diagnosis"].dtype == np.int32
    assert merged.labels["diagnosis"].tolist() == [merge[g] for g in grades.tolist()]
    assert len(set(grades.tolist())) > 2


def test_drawings_are_drawn_once_into_the_folder(tmp_path, monkeypatch):
    section = a_section(count=4, side=32, details=("clarity",))
    first = opening.make_source(section, tmp_path)
    assert len(list((tmp_path / "prepared").rglob("*.npz"))) == 4

    def never(*args):
        raise AssertionError("drawn again")

    monkeypatch.setattr(synthetic, "example", never)
    second = opening.make_source(section, tmp_path)
    assert second.digest == first.digest
    for row in range(4):
        np.testing.assert_array_equal(second.read(row)["image"], first.read(row)["image"])
    section.seed = 1
    with pytest.raises(AssertionError, match="drawn again"):
        opening.make_source(section, tmp_path)
