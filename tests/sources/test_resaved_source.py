"""Photographs with copies of other sizes: who gets them, how large they are, what travels along."""

import io

import fundus_disc
import numpy as np
import pytest
from PIL import Image

from fiqa_jax import defaults
from input_pipeline.loading import batches
from input_pipeline.sources import opening
from input_pipeline.sources.generated.resaved_source import SHRINK, SMALLEST, resaved
from input_pipeline.tables.table_error import TableError

# name, split, grade, frame's longer side, field's radius
PHOTOGRAPHS = (
    ("a", "train", "good", 200, 60.0),
    ("b", "train", "reject", 640, 200.0),
    ("c", "val", "usable", 640, 210.0),
    ("d", "test", "good", 200, 65.0),
    ("e", "train", "", 200, 60.0),
)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    root = tmp_path_factory.mktemp("photographs")
    lines = ["path,patient,split,quality"]
    for name, split, grade, side, radius in PHOTOGRAPHS:
        image = fundus_disc.draw(side, side * 3 // 4, side / 2, side * 3 / 8, radius)
        Image.fromarray(image).save(root / f"{name}.png")
        lines.append(f"{name}.png,person {name},{split},{grade}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root / "labels.csv"


def opened(table, **changes):
    section = defaults.base().data
    section.update({"source": "resaved", "base": "csv", "path": str(table), "copies": 2})
    section.update({"side": 64, "details": (), "cache": "none", "driver": "threads"})
    section.update(changes)
    return opening.make_source(section)


def test_only_photographs_that_are_trained_on_have_copies(table):
    found = opened(table).table
    assert found.id.tolist() == [
        *("a.png", "a.png~1", "a.png~2"),
        *("b.png", "b.png~1", "b.png~2", "b.png~3", "b.png~4"),  # 640 is two and a half times 256
        *("c.png", "d.png"),
    ]
    assert found.patient.tolist() == ["person a"] * 3 + ["person b"] * 5 + ["person c", "person d"]
    assert found.split.tolist() == ["train"] * 8 + ["val", "test"]
    assert found.labels["quality"].tolist() == [0] * 3 + [2] * 5 + [1, 0]
    assert "left out, without a grade: 1 photographs" in found.notes
    assert len(opened(table, copies=0).table) == 4


def test_the_size_of_the_field_travels_with_every_example(table):
    source = opened(table)
    names = source.table.id.tolist()
    size = {name: float(source.read(row)["field_px"]) for row, name in enumerate(names)}
    for name, _, _, _, radius in PHOTOGRAPHS[:4]:
        assert size[f"{name}.png"] == pytest.approx(2 * radius, abs=1.5)
    for number in (1, 2):
        assert SHRINK * 120 - 2 < size[f"a.png~{number}"] <= 121.5
    large = [size[f"b.png~{number}"] for number in (1, 2, 3, 4)]
    assert len({round(s) for s in large}) > 1
    assert min(large) > 400 * SMALLEST / 640 - 4
    assert max(large) <= 401.5


def test_copies_differ_and_come_again(table):
    one, other = opened(table), opened(table, seed=1)
    a, b, c = (x["image"].astype(int) for x in (one.read(1), opened(table).read(1), other.read(1)))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 0
    assert np.abs(a - one.read(0)["image"]).max() > 0
    assert one.reader.key(one.items[1]) != one.reader.key(one.items[2])
    assert one.reader.key(one.items[1]) != other.reader.key(other.items[1])


def test_batches_bring_it(table):
    source = opened(table)
    batch = next(batches.eval_batches(source, np.arange(4), batch=4, driver="threads"))
    assert batch["field_px"].dtype == np.float32
    assert batch["field_px"].shape == (4,)
    assert batch["image"].shape == (4, 64, 64, 3)


def test_a_copy_is_a_jpeg_that_is_not_enlarged():
    image = Image.fromarray(np.full((300, 400, 3), 90, np.uint8))
    for seed in range(20):
        with Image.open(io.BytesIO(resaved(image, np.random.default_rng(seed)))) as copy:
            assert copy.format == "JPEG"
            assert SMALLEST - 1 <= copy.width <= 400
            assert copy.height == pytest.approx(0.75 * copy.width, abs=1)


def test_settings_that_do_not_fit(table, tmp_path):
    with pytest.raises(TableError, match=r"data\.copies is -1"):
        opened(table, copies=-1)
    with pytest.raises(TableError, match=r"data\.base is 'drawn'"):
        opened(table, base="drawn")
    with pytest.raises(TableError, match="pixels of the original"):
        opened(table, erase=((0, 0, 5, 5),))
    text = table.read_text().replace("good", "").replace("reject", "").replace("usable", "")
    (table.parent / "none.csv").write_text(text)
    with pytest.raises(TableError, match="no photograph has a grade"):
        opened(table.parent / "none.csv")
