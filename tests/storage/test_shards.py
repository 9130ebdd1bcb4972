"""Arrays in shards: rows come back, an interrupted filling goes on, other contents are refused."""

import numpy as np
import pytest

from input_pipeline.storage import shards

IDS = [f"p{i}" for i in range(23)]
VALUES = {
    "a": np.arange(23 * 6, dtype=np.float16).reshape(23, 2, 3),
    "b": np.arange(23, dtype=np.uint8),
}


def stream(first, size=5, stop=23):
    for k in range(first, stop, size):
        yield {name: v[k : min(k + size, stop)] for name, v in VALUES.items()}


@pytest.mark.parametrize(("rows", "size"), [(4, 5), (5, 5), (7, 3), (23, 5), (100, 5), (1, 23)])
def test_rows_come_back(tmp_path, rows, size):
    found = shards.fill(tmp_path, IDS, rows, lambda first: stream(first, size))
    assert found.names == ("a", "b")
    for i in (0, 3, 4, 5, 22):
        np.testing.assert_array_equal(found.row(i)["a"], VALUES["a"][i])
        assert found.row(i, ("b",)) == {"b": i}
    np.testing.assert_array_equal(shards.opened(tmp_path).all("a"), VALUES["a"])
    assert found.row(2)["a"].dtype == np.float16


def test_goes_on_behind_the_last_whole_shard(tmp_path):
    def dies(first):
        yield from stream(first, 5, 15)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shards.fill(tmp_path, IDS, 4, dies)
    with pytest.raises(shards.ShardError, match="missing"):
        shards.opened(tmp_path)
    begun = []

    def rest(first):
        begun.append(first)
        return stream(first)

    resumed = shards.fill(tmp_path, IDS, 4, rest)
    assert begun == [12]
    np.testing.assert_array_equal(resumed.all("a"), VALUES["a"])
    whole = shards.fill(tmp_path / "whole", IDS, 4, stream)
    assert resumed.digest == whole.digest


def test_filled_once(tmp_path):
    shards.fill(tmp_path, IDS, 4, stream)

    def never(first):
        raise AssertionError(first)

    assert shards.fill(tmp_path, IDS, 4, never).digest == shards.opened(tmp_path).digest
    with pytest.raises(AssertionError):
        shards.fill(tmp_path, IDS[::-1], 4, never)  # other rows: written anew


def test_too_few_rows(tmp_path):
    with pytest.raises(shards.ShardError, match="20 rows came for 23 ids"):
        shards.fill(tmp_path, IDS, 4, lambda first: stream(first, 5, 20))


def test_several_folders_in_one_reader(tmp_path):
    one = shards.fill(tmp_path / "1", IDS, 4, stream)
    back = {"c": VALUES["b"][::-1]}
    two = shards.fill(tmp_path / "2", IDS[::-1], 5, lambda _: [back])
    ids = np.array(["p3", "p9", "absent"])
    reader, items = shards.joined(ids, [("image", one, "a"), ("c", two, "c"), ("b", one, "b")])
    np.testing.assert_array_equal(items, [[3, 19], [9, 13], [-1, -1]])
    got = reader.read(items[1])
    np.testing.assert_array_equal(got["image"], VALUES["a"][9])
    assert got["c"] == got["b"] == 9
    assert reader.key(items[0]) != reader.key(items[1])


def test_a_pointer_opens_what_it_points_to(tmp_path):
    shards.fill(tmp_path / "cache" / "x", IDS, 4, stream)
    (tmp_path / "stage").mkdir()
    shards.point(tmp_path / "stage", tmp_path / "cache" / "x")
    np.testing.assert_array_equal(shards.opened(tmp_path / "stage").row(7)["a"], VALUES["a"][7])


def test_unknown_name(tmp_path):
    found = shards.fill(tmp_path, IDS, 4, stream)
    with pytest.raises(shards.ShardError, match="not 'z'"):
        found.row(0, ("z",))
