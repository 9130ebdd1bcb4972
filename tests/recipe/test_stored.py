"""What stages hand on: outputs split off as they come, put in the place of photographs, by id."""

import types
from pathlib import Path

import numpy as np
import pytest
from ml_collections import ConfigDict

from fiqa_jax import defaults
from fiqa_jax.recipe import stored
from fiqa_jax.recipe.data import Data
from fiqa_jax.recipe.jobs import Job, RecipeError
from input_pipeline.storage import shards
from input_pipeline.tables.examples import Source, Table

IDS = np.array([f"p{i}" for i in range(6)])


def photographs():
    none = np.array([""] * 6)
    labels = {"quality": np.arange(6, dtype=np.int32) % 3}
    names = ("good", "usable", "reject")
    table = Table(IDS, IDS, none, labels, names, (), (), none)
    reader = types.SimpleNamespace(read=lambda item: {"image": np.zeros(1)}, settings=lambda: "")
    split = np.array(["train", "train", "train", "val", "val", "test"])
    section = ConfigDict({"seed": 0, "limit": 0})
    return Data(Source("photographs", table, np.arange(6), reader), split, section)


def job(inputs, folders, source="drawn"):
    config = defaults.base()
    config.data.source = source
    config.data.split = (0.5, 0.5, 0.0)
    config.inputs = inputs
    needs = {name: (path,) for name, path in folders.items()}
    return Job("here", "train", config, 0, 0, 1, "", Path("here"), needs)


def parts(ids, batch=4):
    values = np.linspace(0, 1, len(ids) * 4, dtype=np.float32).reshape(-1, 2, 2)
    for k in range(0, len(ids), batch):
        rows = np.arange(k, min(k + batch, len(ids)))
        yield {"vessels": values[rows], "index": rows, "score": rows / 10.0}


def test_outputs_are_split_off_as_they_come(tmp_path):
    rest = stored.split_off(tmp_path, IDS, parts(IDS), ("vessels",))
    assert [sorted(r) for r in rest] == [["index", "score"]] * 2
    found = shards.opened(tmp_path)
    assert found.id.tolist() == IDS.tolist()
    assert found.row(5)["vessels"].dtype == np.uint8
    np.testing.assert_array_equal(found.row(5)["vessels"][1], [244, 255])
    with pytest.raises(RecipeError, match="neither an output nor in the batch"):
        stored.split_off(tmp_path, IDS, parts(IDS), ("features",))
    with pytest.raises(ValueError, match="no rows"):
        stored.split_off(tmp_path, IDS, iter(()), ("vessels",))


def test_compact():
    half = stored.compact("features", np.ones((2, 3), np.float32))
    assert half.dtype == np.float16
    assert stored.compact("cells", np.ones(2, np.float32)).dtype == np.float32
    np.testing.assert_array_equal(stored.compact("vessels", np.array([-1, 0.5, 2])), [0, 128, 255])


def test_stored_arrays_take_the_photographs_place(tmp_path):
    """Joined by id in whatever order; splits and labels stay; what is not stored falls away."""
    order = [4, 0, 5, 2, 3]
    stored.split_off(tmp_path, IDS[order], parts(IDS[order]), ("vessels",))
    asked = job((("image", "maps", "vessels"),), {"maps": tmp_path})
    data = stored.data_of(asked, photographs)
    assert data.source.table.id.tolist() == ["p0", "p2", "p3", "p4", "p5"]
    assert data.split.tolist() == ["train", "train", "val", "val", "test"]
    assert data.source.table.labels["quality"].tolist() == [0, 2, 0, 1, 2]
    got = data.source.read(3)
    assert set(got) == {"image"}
    np.testing.assert_array_equal(got["image"], shards.opened(tmp_path).row(0)["vessels"])
    assert stored.shape_of_features(data) == ()


def test_cells_of_training_photographs_are_counted(tmp_path):
    bad = np.zeros((6, 2, 2), np.uint8)
    bad[0] = [[1, 0], [255, 1]]  # train
    bad[2] = [[1, 0], [0, 0]]  # train
    bad[4] = 1  # val
    given = iter([{"bad": bad, "index": np.arange(6)}])
    stored.split_off(tmp_path, IDS, given, ("bad",))
    data = stored.data_of(job((("bad", "labels", "bad"),), {"labels": tmp_path}), photographs)
    assert stored.cell_counts(data) == {"bad": (4 + 4, 2 + 1)}
    assert stored.cell_counts(photographs()) == {}


def test_without_photographs_what_is_stored_is_all(tmp_path):
    stored.split_off(tmp_path, IDS, parts(IDS), ("vessels",))

    def none():
        raise AssertionError

    alone = job((("features", "maps", "vessels"),), {"maps": tmp_path}, stored.ALONE)
    data = stored.data_of(alone, none)
    assert sorted(data.split.tolist()) == ["train"] * 3 + ["val"] * 3
    assert stored.shape_of_features(data) == (2, 2)
    with pytest.raises(RecipeError, match="inputs is empty"):
        stored.data_of(job((), {}, stored.ALONE), none)


def test_no_inputs_no_change():
    data = photographs()
    assert stored.data_of(job((), {}), lambda: data) is data


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(RecipeError, match="name it in its `store`"):
        stored.data_of(job((("image", "maps", "x"),), {"maps": tmp_path}), photographs)
    stored.split_off(tmp_path, np.array(["q1"]), parts(np.array(["q1"])), ("vessels",))
    asked = job((("image", "maps", "vessels"),), {"maps": tmp_path})
    with pytest.raises(RecipeError, match="stored nothing for any of its 6 photographs"):
        stored.data_of(asked, photographs)
    other = job((("image", "maps", "veins"),), {"maps": tmp_path})
    with pytest.raises(RecipeError, match=r"which stored \('vessels',\)"):
        stored.data_of(other, photographs)
