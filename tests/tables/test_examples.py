"""Tables and sources: their checks, their summary and their digest."""

import dataclasses

import numpy as np
import pytest

from input_pipeline.sources.opening import subset, with_columns
from input_pipeline.tables.examples import (
    Source,
    Table,
    class_counts,
    main_label,
    strings,
    summary,
    take,
)
from input_pipeline.tables.table_error import TableError


def a_table(n=4, **changes):
    ids = strings([f"i{k}" for k in range(n)])
    table = {
        "id": ids,
        "patient": strings(["p0", "p0", "p1", "p2"][:n]),
        "split": strings([""] * n),
        "labels": {
            "quality": np.array([0, 1, 2, -1][:n], np.int32),
            "details": np.array([[0, 1], [1, 1], [-1, 0], [0, 0]][:n], np.int8),
        },
        "quality_names": ("good", "usable", "reject"),
        "detail_names": ("clarity", "contrast"),
        "diagnosis_names": (),
        "path": ids,
    }
    return Table(**table | changes)


@dataclasses.dataclass(frozen=True)
class Numbers:
    """A reader whose picture of item i is full of i."""

    version: str = "1"

    def read(self, item):
        image = np.full((4, 4, 3), item, np.uint8)
        return {"image": image, "fov": np.ones((4, 4), np.uint8)}

    def settings(self):
        return self.version

    def key(self, item):
        return str(item)

    def stamp(self, item):
        return str(item)

    def fingerprint(self, item):
        return str(item)


def a_source(**changes):
    return Source("numbers", a_table(**changes), np.arange(4), Numbers())


def test_counts():
    assert class_counts(a_table()) == {
        "quality": {"good": 1, "usable": 1, "reject": 1, "absent": 1},
        "clarity": {"fine": 2, "defect": 1, "absent": 1},
        "contrast": {"fine": 2, "defect": 2},
    }
    assert class_counts(a_table(), np.array([0, 0, 1]))["quality"] == {
        "good": 2,
        "usable": 1,
        "reject": 0,
    }


def test_summary():
    split = strings(["train", "train", "test", ""])
    text = summary("set", a_table(split=split, notes=("raw codes seen",)))
    assert text.splitlines() == [
        "set: 4 photographs of 3 patients",
        "  split: train 2, test 1, in none 1",
        "  quality: good 1, usable 1, reject 1, absent 1",
        "  clarity: fine 2, defect 1, absent 1",
        "  contrast: fine 2, defect 2",
        "  raw codes seen",
    ]
    alone = a_table(patient=a_table().id, labels={})
    assert "each photograph its own" in summary("set", alone)
    assert "no labels" in summary("set", alone)


def test_main_label_is_the_grade_or_the_next_best():
    table = a_table()
    np.testing.assert_array_equal(main_label(table), [0, 1, 2, -1])
    details = {"details": table.labels["details"], "quality": np.full(4, -1, np.int32)}
    np.testing.assert_array_equal(
        main_label(dataclasses.replace(table, labels=details)), [1, 1, 0, 0]
    )
    assert main_label(dataclasses.replace(table, labels={})) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 0}, "no rows"),
        ({"id": strings(["a", "b", "a", "c"])}, "id 'a' stands more than once"),
        ({"path": strings(["a"])}, "column 'path' has 1 rows, the ids 4"),
        ({"split": strings(["train", "", "dev", ""])}, r"splits \['dev'\] are not known"),
        ({"labels": {"quality": np.zeros(4)}}, "label 'quality' is float64, expected int32"),
        ({"labels": {"details": np.zeros((4, 3), np.int8)}}, r"expected \(4, 2\)"),
        ({"labels": {"mine": np.zeros(3)}}, "column 'mine' has 3 rows"),
    ],
)
def test_errors(changes, message):
    with pytest.raises(TableError, match=message):
        a_table(**changes)


def test_rows_of_a_table_and_of_a_source():
    rows = np.array([2, 0])
    table = take(a_table(), rows)
    assert table.id.tolist() == ["i2", "i0"]
    np.testing.assert_array_equal(table.labels["details"], [[-1, 0], [0, 1]])
    part = subset(a_source(), rows)
    assert part.read(0)["image"][0, 0, 0] == 2
    assert part.table.id.tolist() == ["i2", "i0"]
    assert subset(a_source(), np.array([True, False, False, False])).table.id.tolist() == ["i0"]
    with pytest.raises(TableError, match="no rows"):
        subset(a_source(), np.array([], int))


def test_more_columns():
    soft = np.random.default_rng(0).random((4, 2), np.float32)
    source = with_columns(a_source(), {"details_prob": soft})
    assert source.table.labels["details_prob"] is soft
    assert "details_prob" not in a_source().table.labels
    with pytest.raises(TableError, match="column 'x' has 3 rows"):
        with_columns(source, {"x": np.zeros(3)})


def test_the_digest_changes_with_whatever_training_would_see():
    base = a_source()
    labels = base.table.labels
    changed = [
        dataclasses.replace(base, reader=Numbers("2")),
        dataclasses.replace(base, items=np.array([0, 1, 2, 4])),
        a_source(patient=base.table.id),
        a_source(split=strings(["train"] * 4)),
        a_source(labels=labels | {"quality": np.array([0, 1, 2, 0], np.int32)}),
        a_source(detail_names=("contrast", "clarity")),
        with_columns(base, {"soft": np.zeros(4, np.float32)}),
        with_columns(base, {"soft": np.zeros((4, 1), np.float32)}),
        with_columns(base, {"soft": np.zeros(4, np.float64)}),
        subset(base, np.array([0, 1, 2])),
        subset(base, np.array([1, 0, 2, 3])),
    ]
    digests = {base.digest, *(source.digest for source in changed)}
    assert len(digests) == len(changed) + 1
    assert a_source().digest == base.digest
    assert len(base.digest) == 64


def test_the_digest_does_not_change_with_names_shown_or_caches():
    base = a_source()
    shown = dataclasses.replace(base, name="other", table=a_table(notes=("seen",)))
    cached = dataclasses.replace(base, fetch=Numbers().read)
    assert shown.digest == cached.digest == base.digest
