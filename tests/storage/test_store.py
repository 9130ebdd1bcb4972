"""Prepared examples: bit for bit, the same files each time, resumable, whole or not there."""

import dataclasses
import hashlib
import io
import os
import pickle
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from input_pipeline import atomic, chunks
from input_pipeline.photo.reader import PhotoError
from input_pipeline.storage import codec, store
from input_pipeline.tables.examples import Source, Table, strings


@dataclasses.dataclass(frozen=True)
class Files:
    """Reads a file's bytes as a picture; files that start with x cannot be read."""

    log: str = ""

    def read(self, item):
        if self.log:
            with open(self.log, "a") as file:
                file.write(f"{item}\n")
        data = Path(item).read_bytes()
        if data.startswith(b"x"):
            raise PhotoError(f"{item}: spoilt")
        rng = np.random.default_rng(list(data))
        return {
            "image": rng.integers(0, 255, (16, 16, 3), np.uint8),
            "fov": rng.integers(0, 2, (16, 16), np.uint8),
        }

    def settings(self):
        return "files"

    def key(self, item):
        return hashlib.sha256(b"files" + Path(item).read_bytes()).hexdigest()

    def stamp(self, item):
        found = os.stat(item)
        return hashlib.sha256(f"{item}{found.st_mtime_ns}{found.st_size}".encode()).hexdigest()

    def fingerprint(self, item):
        return self.key(item)


@pytest.fixture
def source(tmp_path):
    return a_source(tmp_path, 20)


def a_source(folder, n, bad=()):
    names = [f"f{i:02d}" for i in range(n)]
    (folder / "in").mkdir()
    for i, name in enumerate(names):
        (folder / "in" / name).write_text(("x" if i in bad else "") + name)
    ids = strings(names)
    table = Table(ids, ids, strings([""] * n), {}, (), (), (), ids)
    items = strings([str(folder / "in" / name) for name in names])
    return Source("files", table, items, Files(str(folder / "log")))


def contents(folder):
    found = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def reads(folder):
    return (folder / "log").read_text().splitlines() if (folder / "log").exists() else []


EXAMPLES = {
    "fundus": {
        "image": np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8),
        "fov": np.random.default_rng(1).integers(0, 2, (9, 9), np.uint8),
    },
    "slice": {
        "image": np.random.default_rng(0).integers(0, 256, (9, 9, 1), np.uint8),
        "fov": np.ones((9, 9), np.uint8),
    },
    "drawn": {
        "image": np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8),
        "fov": np.ones((9, 9), np.uint8),
        "vessels": np.random.default_rng(2).integers(0, 256, (9, 9, 3), np.uint8),
        "vessels_valid": np.array([1, 0, 0.5], np.float32),
        "quality": np.asarray(2, np.int32),
    },
    "soft field": {"image": np.zeros((4, 4, 3), np.uint8), "fov": np.full((4, 4), 7, np.uint8)},
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_come_back_bit_for_bit(name):
    example = EXAMPLES[name]
    suffix, data = codec.encode(example)
    back = codec.decode(suffix, data)
    assert back.keys() == example.keys()
    for key, array in example.items():
        np.testing.assert_array_equal(back[key], array)
        assert back[key].dtype == array.dtype
    assert suffix == (".png" if name in ("fundus", "slice") else ".npz")
    assert codec.encode({k: example[k] for k in reversed(example)}) == (suffix, data)
    (only,) = codec.decode(suffix, data, ["fov"])
    assert only == "fov"


def test_other_programs_read_the_files():
    _, data = codec.encode(EXAMPLES["fundus"])
    layers = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    np.testing.assert_array_equal(layers[..., :3], EXAMPLES["fundus"]["image"])
    np.testing.assert_array_equal(layers[..., 3], 255 * EXAMPLES["fundus"]["fov"])
    _, data = codec.encode(EXAMPLES["drawn"])
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None


@pytest.mark.parametrize("workers", [1, 2])
def test_a_prepared_source_reads_the_same_from_the_folder(source, tmp_path, workers, monkeypatch):
    monkeypatch.setattr(chunks, "_WORTH", 1)
    ready, failures = store.prepare(source, np.arange(20), tmp_path / "out", workers)
    assert failures == {}
    assert ready.digest == source.digest
    before = len(reads(tmp_path))
    assert before == 20
    for row in range(20):
        got, expected = ready.read(row), Files().read(source.items[row])
        for name in expected:
            np.testing.assert_array_equal(got[name], expected[name])
    assert len(reads(tmp_path)) == before
    assert len(list((tmp_path / "out").rglob("*.png"))) == 20


def test_the_name_is_the_key(source, tmp_path):
    store.prepare(source, np.array([3]), tmp_path / "out", 1)
    key = hashlib.sha256(b"files" + b"f03").hexdigest()
    assert (tmp_path / "out" / key[:2] / f"{key}.png").is_file()


def test_two_runs_leave_the_same_bytes(source, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "_WORTH", 1)
    store.prepare(source, np.arange(20), tmp_path / "one", 1)
    store.prepare(source, np.arange(10), tmp_path / "two", 2)
    store.prepare(source, np.arange(20)[::-1], tmp_path / "two", 2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_second_run_opens_nothing(source, tmp_path):
    store.prepare(source, np.arange(20), tmp_path / "out", 1)
    before = len(reads(tmp_path))
    forbidden = dataclasses.replace(source, reader=NoKey(str(tmp_path / "log")))
    ready, _ = store.prepare(forbidden, np.arange(20), tmp_path / "out", 1)
    ready.read(5)
    assert len(reads(tmp_path)) == before


class NoKey(Files):
    def key(self, item):
        raise AssertionError("the file was opened again")


def test_a_changed_file_is_prepared_again_and_a_copy_is_not(source, tmp_path):
    store.prepare(source, np.arange(20), tmp_path / "out", 1)
    before = len(reads(tmp_path))
    changed, copied = Path(source.items[4]), Path(source.items[5])
    changed.write_text("something else")
    copied.write_bytes(copied.read_bytes())
    os.utime(copied, ns=(1, 1))
    ready, _ = store.prepare(source, np.arange(20), tmp_path / "out", 1)
    assert reads(tmp_path)[before:] == [str(changed)]
    expected = Files().read(changed)
    np.testing.assert_array_equal(ready.read(4)["image"], expected["image"])


def test_what_is_missing_or_half_done_is_made_up_for(source, tmp_path):
    out = tmp_path / "out"
    store.prepare(source, np.arange(20), out, 1)
    whole = contents(out)
    lost = sorted(out.rglob("*.png"))[:3]
    for path in lost:
        path.unlink()
    sorted(out.rglob("*.png"))[0].write_bytes(b"")  # as a power failure may leave it
    (out / store.INDEX).write_text("damaged\n\x00\n")
    store.prepare(source, np.arange(20), out, 1)
    assert contents(out) == whole


def test_a_dead_writers_leavings_are_removed_and_a_live_ones_kept(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        dead = process.pid
    host = socket.gethostname()
    gone = tmp_path / f"a.png.{host}.{dead}.part"
    mine = tmp_path / f"a.png.{host}.{os.getpid()}.part"
    other = tmp_path / "a.png.elsewhere.1.part"
    for path in (gone, mine, other):
        path.touch()
    atomic.clean(tmp_path)
    assert not gone.exists()
    assert mine.exists()
    assert other.exists()


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic.write(tmp_path / "a", b"1")
    assert list(tmp_path.iterdir()) == []


def test_the_first_bad_file_ends_it_with_its_own_message(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "_WORTH", 1)
    source = a_source(tmp_path, 12, bad=(7,))
    with pytest.raises(PhotoError, match=r"f07: spoilt$"):
        store.prepare(source, np.arange(12), tmp_path / "out", 2)


def test_bad_files_are_skipped_and_listed(tmp_path):
    source = a_source(tmp_path, 12, bad=(7, 2))
    ready, failures = store.prepare(source, np.arange(12), tmp_path / "out", 2, on_bad="skip")
    assert {row: reason.rsplit(": ", 1)[1] for row, reason in failures.items()} == {
        2: "spoilt",
        7: "spoilt",
    }
    lines = (tmp_path / "out" / store.FAILED).read_text().splitlines()
    assert lines[0] == "id,path,reason"
    assert [line.split(",")[0] for line in lines[1:]] == ["f02", "f07"]
    with pytest.raises(PhotoError, match="spoilt"):
        ready.read(7)
    ready.read(8)
    for row in (2, 7):
        Path(source.items[row]).write_text("mended")
    _, failures = store.prepare(source, np.arange(12), tmp_path / "out", 2, on_bad="skip")
    assert failures == {}
    assert not (tmp_path / "out" / store.FAILED).exists()


def test_a_damaged_example_is_named(source, tmp_path):
    ready, _ = store.prepare(source, np.arange(20), tmp_path / "out", 1)
    path = next((tmp_path / "out").rglob("*.png"))
    path.write_bytes(path.read_bytes()[:40])
    row = next(i for i in range(20) if ready.fetch.names[ready.items[i]].endswith(path.name))
    with pytest.raises(ValueError, match=rf"{path.name}: damaged .*; delete it and run again"):
        ready.read(row)


def test_a_prepared_source_can_be_sent_to_another_process(source, tmp_path):
    ready, _ = store.prepare(source, np.arange(20), tmp_path / "out", 1)
    sent = pickle.loads(pickle.dumps(ready))
    np.testing.assert_array_equal(sent.read(3)["image"], ready.read(3)["image"])


@pytest.mark.parametrize("failures", [1, 3])
def test_a_failure_of_the_interpreter_is_not_taken_for_a_damaged_file(
    tmp_path, monkeypatch, failures
):
    """CPython's parser of literals, which numpy's headers go through, now and then fails in
    threads; the file is fine, and was once reported as damaged."""
    name = store.put(tmp_path, "ab" * 20, {"map": np.arange(6.0).reshape(2, 3)})
    true, left = np.load, [failures]

    def flaky(*args, **options):
        if left[0]:
            left[0] -= 1
            raise SystemError("AST constructor recursion depth mismatch (before=51, after=47)")
        return true(*args, **options)

    monkeypatch.setattr(np, "load", flaky)
    np.testing.assert_array_equal(
        store.get(tmp_path, name)["map"], np.arange(6.0).reshape(2, 3), strict=True
    )
    assert left == [0]


def test_an_interpreter_that_fails_every_time_is_an_error(tmp_path, monkeypatch):
    name = store.put(tmp_path, "ab" * 20, {"map": np.zeros((2, 3))})

    def broken(*args, **options):
        raise SystemError("AST constructor recursion depth mismatch (before=51, after=47)")

    monkeypatch.setattr(np, "load", broken)
    with pytest.raises(ValueError, match="recursion depth mismatch"):
        store.get(tmp_path, name)
