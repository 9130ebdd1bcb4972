"""Batches by both drivers: the right rows, the same bytes, the reader's own errors, a clean end."""

import threading
import time

import numpy as np
import pytest

from input_pipeline.loading import batches, order
from input_pipeline.photo.reader import PhotoError
from input_pipeline.sources.opening import with_columns
from input_pipeline.tables.examples import Source, Table, strings

DRIVERS = ("tfdata", "threads")


class Noise:
    """Example i is noise of seed i, read after a while that differs between rows."""

    def __init__(self, bad=()):
        self.bad = bad

    def read(self, item):
        time.sleep(0.002 * (item % 3))
        if item in self.bad:
            raise PhotoError(f"{item}.jpg: cut short")
        rng = np.random.default_rng(item)
        return {
            "image": rng.integers(0, 255, (8, 8, 3), np.uint8),
            "fov": rng.integers(0, 2, (8, 8), np.uint8),
            "vessels_valid": rng.random(3, np.float32),
            "features": rng.random((2, 2, 4)).astype(np.float16),
        }


def a_source(n=23, reader=None):
    ids = strings([str(i) for i in range(n)])
    labels = {
        "quality": (np.arange(n) % 4 - 1).astype(np.int32),
        "details": (np.arange(3 * n).reshape(n, 3) % 2).astype(np.int8),
    }
    table = Table(
        ids, ids, strings([""] * n), labels, ("good", "usable", "reject"), ("a", "b", "c"), (), ids
    )
    return Source("noise", table, np.arange(n), reader or Noise())


def first(iterator, count):
    got = [next(iterator) for _ in range(count)]
    iterator.close()
    return got


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert values.dtype == other[name].dtype, name
        np.testing.assert_array_equal(values, other[name], err_msg=name)


@pytest.mark.parametrize("driver", DRIVERS)
def test_train_batches_hold_the_rows_of_the_order(driver):
    source, rows = a_source(), np.arange(3, 20)
    got = first(batches.train_batches(source, rows, batch=5, seed=4, workers=3, driver=driver), 9)
    for step, batch in enumerate(got):
        expected = rows[order.batch_indices(4, step, 5, len(rows))]
        np.testing.assert_array_equal(batch["index"], expected)
        assert batch["index"].dtype == np.int32
        for place, row in enumerate(expected):
            for name, array in source.read(row).items():
                np.testing.assert_array_equal(batch[name][place], array)
                assert batch[name].dtype == array.dtype
        np.testing.assert_array_equal(batch["quality"], source.table.labels["quality"][expected])
        np.testing.assert_array_equal(batch["details"], source.table.labels["details"][expected])
        assert "mask" not in batch


def test_both_drivers_give_the_same_bytes():
    source, rows = a_source(), np.arange(23)
    for kwargs in ({"workers": 1}, {"workers": 5}, {"process_index": 1, "process_count": 2}):
        one, other = (
            first(batches.train_batches(source, rows, batch=6, seed=0, driver=driver, **kwargs), 10)
            for driver in DRIVERS
        )
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
        one, other = (
            list(batches.eval_batches(source, rows, batch=6, driver=driver, **kwargs))
            for driver in DRIVERS
        )
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_later_start_continues_the_stream(driver):
    source, rows = a_source(), np.arange(23)
    whole = first(batches.train_batches(source, rows, batch=4, seed=1, driver=driver), 8)
    tail = first(
        batches.train_batches(source, rows, batch=4, seed=1, start_step=5, driver=driver), 3
    )
    for a, b in zip(whole[5:], tail, strict=True):
        assert_equal(a, b)


@pytest.mark.parametrize("driver", DRIVERS)
def test_processes_halves_join_to_the_whole(driver):
    source, rows = a_source(), np.arange(23)

    def both(make):
        parts = [first(make(process_index=i, process_count=2), 4) for i in range(2)]
        whole = first(make(), 4)
        for one, two, all_ in zip(*parts, whole, strict=True):
            joined = {name: np.concatenate([one[name], two[name]]) for name in one}
            assert_equal(joined, all_)

    both(lambda **k: batches.train_batches(source, rows, batch=6, seed=2, driver=driver, **k))
    both(lambda **k: batches.eval_batches(source, rows, batch=6, driver=driver, **k))


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(("n", "steps"), [(1, 1), (7, 2), (8, 2), (9, 3)])
def test_evaluation_gives_every_row_once_and_masks_the_padding(driver, n, steps):
    rows = np.arange(23)[::-1][:n]
    got = list(batches.eval_batches(a_source(), rows, batch=4, driver=driver))
    assert len(got) == steps == batches.eval_steps(n, 4)
    index = np.concatenate([b["index"] for b in got])
    mask = np.concatenate([b["mask"] for b in got])
    assert mask.dtype == np.float32
    np.testing.assert_array_equal(index[:n], rows)
    np.testing.assert_array_equal(index[n:], rows[0])
    np.testing.assert_array_equal(mask, np.arange(4 * steps) < n)


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_process_evaluates_as_many_batches(driver):
    # 5 rows in batches of 4 over 4 processes: two batches each, the second mostly padding.
    parts = [
        list(
            batches.eval_batches(
                a_source(), np.arange(5), batch=4, process_index=i, process_count=4, driver=driver
            )
        )
        for i in range(4)
    ]
    assert [len(p) for p in parts] == [2, 2, 2, 2]
    assert [b["mask"].tolist() for b in (p[1] for p in parts)] == [[1], [0], [0], [0]]


@pytest.mark.parametrize("driver", DRIVERS)
def test_no_rows_to_evaluate(driver):
    assert list(batches.eval_batches(a_source(), np.array([], int), batch=4, driver=driver)) == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_more_columns_travel_along(driver):
    soft = np.random.default_rng(0).random((23, 3), np.float32)
    source = with_columns(a_source(), {"details_prob": soft})
    (batch,) = first(
        batches.train_batches(source, np.arange(23), batch=8, seed=0, driver=driver), 1
    )
    np.testing.assert_array_equal(batch["details_prob"], soft[batch["index"]])


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_bad_photograph_raises_its_own_error_in_its_own_place(driver):
    source = a_source(reader=Noise(bad=(9, 14)))
    stream = batches.eval_batches(source, np.arange(23), batch=4, workers=4, driver=driver)
    good = [next(stream), next(stream)]
    np.testing.assert_array_equal(np.concatenate([b["index"] for b in good]), np.arange(8))
    with pytest.raises(PhotoError, match=r"^9.jpg: cut short$"):
        next(stream)


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_very_first_photograph_may_be_bad(driver):
    stream = batches.eval_batches(
        a_source(reader=Noise(bad=(0,))), np.arange(3), batch=3, driver=driver
    )
    with pytest.raises(PhotoError, match=r"^0.jpg: cut short$"):
        next(stream)


class Growing(Noise):
    def read(self, item):
        side = 8 if item < 5 else 9
        return {"image": np.zeros((side, side, 3), np.uint8)}


@pytest.mark.parametrize("driver", DRIVERS)
def test_photographs_of_different_shapes_are_refused(driver):
    stream = batches.eval_batches(a_source(reader=Growing()), np.arange(8), batch=4, driver=driver)
    next(stream)
    with pytest.raises(ValueError, match=r"row 5 gives .*9, 9, 3.* must have the same arrays"):
        next(stream)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_column_and_an_array_of_one_name(driver):
    source = with_columns(a_source(), {"fov": np.zeros(23)})
    stream = batches.train_batches(source, np.arange(23), batch=4, seed=0, driver=driver)
    with pytest.raises(ValueError, match=r"\['fov'\] are both read from the photograph and"):
        next(stream)


class Counting(Noise):
    """Counts reads, and how many happen at once."""

    def __init__(self):
        super().__init__()
        self.lock, self.reads, self.now, self.most = threading.Lock(), 0, 0, 0

    def read(self, item):
        with self.lock:
            self.reads += 1
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            time.sleep(0.005)
            return super().read(item)
        finally:
            with self.lock:
                self.now -= 1


@pytest.mark.parametrize("driver", DRIVERS)
def test_reading_ahead_is_bounded_and_ends_with_the_iterator(driver):
    counting = Counting()
    before = set(threading.enumerate())
    stream = batches.train_batches(
        a_source(reader=counting), np.arange(23), batch=4, seed=0, workers=3, driver=driver
    )
    next(stream)
    time.sleep(0.5)
    before_pause = counting.reads
    time.sleep(0.5)
    assert counting.reads == before_pause
    # The first row once for its shapes, one batch given, two ready, two calls for each worker: 37
    # reads. tf.data starts with up to four batches more, now and then; three workers without a
    # bound read 300 photographs in this half second.
    assert counting.reads <= 100
    assert counting.most <= 3
    stream.close()
    after = counting.reads
    time.sleep(0.2)
    assert counting.reads == after
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_forgotten_iterator_ends_its_threads(driver):
    counting = Counting()
    before = set(threading.enumerate())
    next(
        batches.train_batches(
            a_source(reader=counting), np.arange(23), batch=4, seed=0, driver=driver
        )
    )
    deadline = time.monotonic() + 10
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"rows": np.array([], int)}, "no photographs to train on"),
        ({"rows": np.array([0, 23])}, "reach outside noise of 23"),
        ({"rows": np.array([0.5])}, "expected"),
        ({"batch": 5, "process_count": 2}, "multiple of 2"),
        ({"driver": "grain"}, "data.driver is 'grain', expected one of"),
        ({"workers": 0}, "data.workers is 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused_at_once(kwargs, message):
    settings = {"rows": np.arange(23), "batch": 4, "seed": 0, "driver": "threads"} | kwargs
    with pytest.raises(ValueError, match=message):
        batches.train_batches(a_source(), settings.pop("rows"), **settings)


def test_batches_go_to_jax_unchanged():
    import jax

    (batch,) = first(
        batches.train_batches(a_source(), np.arange(23), batch=4, seed=0, driver="tfdata"), 1
    )
    kept = {name: values.copy() for name, values in batch.items()}
    on_device = {name: jax.device_put(values) for name, values in batch.items()}
    del batch  # the memory belongs to TensorFlow
    for name, values in kept.items():
        np.testing.assert_array_equal(np.asarray(on_device[name]), values)
