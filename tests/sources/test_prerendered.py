"""Examples that bring their labels: gathered once, kept, and absent where they cannot be made."""

import dataclasses

import numpy as np
import pytest

from input_pipeline.photo.reader import PhotoError
from input_pipeline.sources.generated import prerendered
from input_pipeline.tables.examples import Source, Table, strings
from input_pipeline.tables.table_error import TableError


@dataclasses.dataclass(frozen=True)
class Counting:
    """Labels are the item itself; items in `broken` cannot be read."""

    broken: tuple[int, ...] = ()

    def read(self, item):
        if int(item) in self.broken:
            raise PhotoError(f"photograph {item}: broken; mend it")
        return {
            "image": np.full((2, 2, 3), item, np.uint8),
            "quality": np.asarray(item % 3, np.int32),
            "details": np.array([item % 2, 0, 1, 0], np.int8),
        }

    def settings(self):
        return "counting"

    def key(self, item):
        self.read(item)
        return f"{int(item):064x}"

    stamp = key

    def fingerprint(self, item):
        return str(item)


def a_source(broken=()):
    names = strings("pqrs")
    table = Table(names, names, strings([""] * 4), {}, (), (), (), strings([""] * 4))
    return Source("numbers", table, np.arange(4), Counting(broken))


@pytest.fixture(params=["memory", "store"])
def directory(request, tmp_path):
    return str(tmp_path / "kept") if request.param == "store" else ""


def test_labels_and_pictures_come_apart(directory):
    known, fetch = prerendered.make_all(a_source(), directory, 1)
    assert known.keys() == {"quality", "details"}
    np.testing.assert_array_equal(known["quality"], [0, 1, 2, 0])
    np.testing.assert_array_equal(known["details"][:, 0], [0, 1, 0, 1])
    assert known["details"].dtype == np.int8
    got = fetch(np.int64(2))
    assert got.keys() == {"image"}
    assert (got["image"] == 2).all()


def test_a_broken_photograph(directory):
    with pytest.raises(PhotoError, match="photograph 1: broken"):
        prerendered.make_all(a_source((1,)), directory, 1)
    known, fetch = prerendered.make_all(a_source((1,)), directory, 1, skip=True)
    np.testing.assert_array_equal(known["quality"], [0, -1, 2, 0])
    np.testing.assert_array_equal(known["details"][1], [-1] * 4)
    assert (fetch(3)["image"] == 3).all()
    with pytest.raises(PhotoError, match="photograph 1: broken"):
        fetch(1)


def test_nothing_can_be_read(directory):
    with pytest.raises(TableError, match="numbers: none of 4 photographs can be read, the first"):
        prerendered.make_all(a_source((0, 1, 2, 3)), directory, 1, skip=True)


def test_columns_of_a_table():
    known = {
        "quality": np.array([0, 2], np.int32),
        "ungradable": np.array([0, 1], np.int32),
        "details": np.array([[0, 1, 0, 1], [1, 0, 0, 0]], np.int8),
    }
    both = prerendered.label_columns(known, 3, ("contrast", "clarity"))
    assert both.keys() == {"quality", "ungradable", "details"}
    # made in the order illumination, clarity, contrast, artefact
    np.testing.assert_array_equal(both["details"], [[0, 1], [0, 0]])
    assert prerendered.label_columns(known, 2, ()).keys() == {"ungradable"}
    assert prerendered.label_columns(known, 0, ()) == {}


def test_unknown_details():
    with pytest.raises(TableError, match=r"details \['glare'\] are not drawn or made; there are"):
        prerendered.check_details(("clarity", "glare"))
