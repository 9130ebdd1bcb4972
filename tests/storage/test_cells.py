"""Single cells of stored grids: each once an epoch, those of all photographs mixed."""

import numpy as np
import pytest

from input_pipeline.loading import batches
from input_pipeline.storage import cells, shards
from input_pipeline.tables.examples import Source, Table

PHOTOS, H, W = 5, 3, 4
FEATURES = np.arange(PHOTOS * H * W * 2, dtype=np.float16).reshape(PHOTOS, H, W, 2)
BAD = (np.arange(PHOTOS * H * W).reshape(PHOTOS, H, W) % 7 == 0).astype(np.uint8)


@pytest.fixture
def source(tmp_path):
    ids = [f"p{k}" for k in range(PHOTOS)]
    for name, values in (("features", FEATURES), ("bad", BAD)):
        part = {name: values}
        shards.fill(tmp_path / name, ids, 2, lambda _, part=part: [part])
    names = np.array(ids)
    parts = [(n, shards.opened(tmp_path / n), n) for n in ("features", "bad")]
    reader, items = shards.joined(names, parts)
    table = Table(names, names, np.full(PHOTOS, "train"), {}, (), (), (), names)
    return Source("stored", table, items, reader)


def test_every_cell_of_the_rows_in_order(source):
    rows = np.array([1, 3])
    found = cells.split(source, rows)
    assert len(found.table) == 2 * H * W
    assert found.table.id[:2].tolist() == ["p1#0", "p1#1"]
    read = [found.read(k) for k in range(len(found.table))]
    assert read[0]["features"].shape == (1, 1, 2)
    got = np.concatenate([x["features"][0] for x in read])
    np.testing.assert_array_equal(got, FEATURES[rows].reshape(-1, 2))
    got = np.concatenate([x["bad"].ravel() for x in read])
    np.testing.assert_array_equal(got, BAD[rows].ravel())


def test_an_epoch_takes_each_cell_once_and_a_batch_those_of_many(source):
    found = cells.split(source, np.arange(PHOTOS))
    n = PHOTOS * H * W
    how = {"batch": 20, "seed": 3, "driver": "threads"}
    stream = batches.train_batches(found, np.arange(n), **how)
    three = [next(stream) for _ in range(n // 20)]
    stream.close()
    seen = np.concatenate([b["features"][:, 0, 0, 0] for b in three])
    np.testing.assert_array_equal(np.sort(seen), FEATURES[..., 0].ravel())
    for batch in three:
        assert batch["features"].shape == (20, 1, 1, 2)
        assert len(set(batch["index"] // (H * W))) >= 4


def test_grids_that_differ_and_photographs(source, tmp_path):
    shards.fill(tmp_path / "map", source.table.id.tolist(), 5, lambda _: [{"map": BAD[:, :2]}])
    parts = [("features", tmp_path / "features"), ("map", tmp_path / "map")]
    reader, items = shards.joined(
        source.table.id, [(n, shards.opened(folder), n) for n, folder in parts]
    )
    other = Source("stored", source.table, items, reader)
    with pytest.raises(shards.ShardError, match=r"arrays of one grid were expected"):
        cells.split(other, np.arange(2))
    bare = Source("photos", source.table, items, object())
    with pytest.raises(shards.ShardError, match="only be taken of stored arrays"):
        cells.split(bare, np.arange(2))
