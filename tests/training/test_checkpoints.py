"""Checkpoints: damage falls back to the one before; the record of a run that was killed late."""

import os
import resource
import shutil
import signal
from pathlib import Path

import jax
import numpy as np
import pytest
from linear import batches, method

from fiqa_jax import command, defaults
from fiqa_jax.training import checkpoints, devices, loop, state
from input_pipeline import sums


def run(directory, steps=8, feed=batches, **changes):
    c = defaults.base().train
    c.update({"eval_every": 0.25, "save_every": 0.25, "log_every": 1, "batch": 8, **changes})
    place = devices.make("jit", jax.devices()[:1])
    evaluate = lambda state: {"loss": float(np.sum(state.params["w"]))}  # noqa: E731
    return loop.run(method(), feed, evaluate, place, c, steps, 0, directory)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole")
    return directory, run(directory)


def largest(folder: Path) -> Path:
    return max((f for f in folder.rglob("*") if f.is_file()), key=lambda f: f.stat().st_size)


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


WAYS = {
    "flip": lambda step: flip(largest(step)),
    "cut": lambda step: os.truncate(largest(step), 10),
    "metadata": lambda step: (step / "state" / "_METADATA").write_bytes(b"{"),
    "gone": lambda step: shutil.rmtree(step / "state"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_checkpoint_is_put_aside(whole, tmp_path, caplog, way):
    """The run goes on from the one before, says so, and ends as the undisturbed one."""
    source, result = whole
    shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    sums.check_folder(tmp_path / "checkpoints")
    WAYS[way](tmp_path / "checkpoints" / "8")
    again = run(tmp_path)
    np.testing.assert_array_equal(again.state.params["w"], result.state.params["w"])
    assert "the checkpoint of step 8 in" in caplog.text
    assert (tmp_path / checkpoints.ASIDE / "8").is_dir()
    assert (tmp_path / "metrics.jsonl").read_bytes() == (source / "metrics.jsonl").read_bytes()
    sums.check_folder(tmp_path / "checkpoints")


def test_damage_that_no_list_tells_falls_back_too(whole, tmp_path, caplog):
    source, result = whole
    shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    sums.forget(tmp_path / "checkpoints")
    os.truncate(largest(tmp_path / "checkpoints" / "8" / "state"), 10)
    again = run(tmp_path)
    np.testing.assert_array_equal(again.state.params["w"], result.state.params["w"])
    assert "the checkpoint of step 8 in" in caplog.text


def test_without_another_one_it_says_what_to_do(whole, tmp_path):
    source, _ = whole
    shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    for step in (tmp_path / "checkpoints").glob("[0-9]*"):
        flip(largest(step))
    with pytest.raises(ValueError, match="start over with --redo="):
        run(tmp_path)


def test_a_run_killed_behind_its_last_save_ends_with_the_same_record(whole, tmp_path):
    source, _ = whole
    shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    run(tmp_path)  # as after a kill between the last save and the mark of a finished stage
    assert (tmp_path / "metrics.jsonl").read_bytes() == (source / "metrics.jsonl").read_bytes()


def test_sigterm_saves_the_step_and_the_run_ends_the_same(whole, tmp_path):
    source, result = whole

    def feed(start):
        for batch in batches(start):
            if int(batch["step"][0]) == 5 and start == 0:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    status = command.run("train", lambda: run(tmp_path, feed=feed) and None)
    assert status == command.TERMINATED
    assert (tmp_path / "checkpoints" / "6").is_dir()
    again = run(tmp_path)
    np.testing.assert_array_equal(again.state.params["w"], result.state.params["w"])
    assert (tmp_path / "metrics.jsonl").read_bytes() == (source / "metrics.jsonl").read_bytes()


def test_a_full_disk_is_told_by_checkpoint_and_bytes(tmp_path):
    """A limit on the size of a file stands for the disk; the step before stays, room heals it."""
    place = devices.make("jit", jax.devices()[:1])

    def saved(step):
        rng = np.random.default_rng(step)  # noise: what is constant would be stored small
        made = state.create({"w": rng.random((1000, 1000), np.float32)}, {}, {}, ema=False)
        return place.place(made)

    directory = tmp_path / "checkpoints"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    first = checkpoints.Checkpoints(directory, 3, place)
    first.save(1, saved(1), None)
    first.wait()

    def second():
        first.save(2, saved(2), None)
        first.wait()

    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(OSError, match="4,000,004 bytes are needed there; make room") as caught:
            second()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.filename == str(directory / "2")
    again = checkpoints.Checkpoints(directory, 3, place)
    assert again.latest() == 1
    again.save(2, saved(2), None)
    again.close()
    step, found = checkpoints.Checkpoints(directory, 3, place).newest(lambda: saved(0))
    assert step == 2
    np.testing.assert_array_equal(found.params["w"], saved(2).params["w"])


def test_a_damaged_record_is_named(whole, tmp_path):
    source, _ = whole
    shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    lines = (tmp_path / "metrics.jsonl").read_bytes().split(b"\n")
    lines[2] = lines[2][:9]
    (tmp_path / "metrics.jsonl").write_bytes(b"\n".join(lines))
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 3 is damaged"):
        run(tmp_path)
