"""A row is of the file as it is: what changes while or after it is read is said, and read again."""

import hashlib
import os

import dark_model
import numpy as np
import pytest
from PIL import Image

from fiqa_jax import merge, predict
from fiqa_jax.inference import file_states, predictor
from fiqa_jax.predictions import schema

here = dark_model.here  # the fixture
run, read = dark_model.run, dark_model.read


def states(root, out="out"):
    return file_states.FileStates(root / out)._known


def repaint(path, grey):
    """The file with other pixels, at another time."""
    then = os.stat(path).st_mtime_ns
    Image.new("RGB", (32, 32), (grey,) * 3).save(path)
    os.utime(path, ns=(then + 10**9, then + 10**9))


def test_every_file_that_was_read_has_its_digest(here):
    root, _ = here
    run(root)
    known = states(root)
    assert set(known) == {"a.png", "b.png", "c.png", "frame.png"}  # broken.jpg was not read
    file = root / "photos" / "a.png"
    assert known["a.png"].size == file.stat().st_size
    assert known["a.png"].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_file_that_changes_while_it_is_read_is_a_row(here, monkeypatch):
    root, _ = here

    def meanwhile(source, side, **how):
        photo = dark_model.fake_read(source, side, **how)
        if str(source).endswith("a.png"):
            repaint(source, 10)
        return photo

    monkeypatch.setattr(predictor, "read_photo", meanwhile)
    assert run(root) == 3
    row = read(root)["a.png"]
    assert row["status"] == "error"
    assert "it changed while it was read" in row["error"]
    assert row["decision"] == "review"
    assert "a.png" not in states(root)
    monkeypatch.setattr(predictor, "read_photo", dark_model.fake_read)
    run(root, "--resume")
    assert read(root)["a.png"]["quality"] == "reject"  # as it is now


def test_a_file_that_changes_before_the_run_ends_is_a_row(here, monkeypatch):
    root, _ = here

    def later(source, side, **how):
        if str(source).endswith("c.png"):  # a.png was judged in a batch before
            repaint(root / "photos" / "a.png", 10)
        return dark_model.fake_read(source, side, **how)

    monkeypatch.setattr(predictor, "read_photo", later)
    assert run(root, "--batch", "1", "--workers", "1") == 3
    log = {row["id"]: row for row in schema.read_rows(root / "out" / "predictions.jsonl")}
    assert "it changed after it was judged" in log["a.png"]["error"]
    assert read(root)["a.png"]["status"] == "error"
    monkeypatch.setattr(predictor, "read_photo", dark_model.fake_read)
    run(root, "--resume")
    assert read(root)["a.png"]["quality"] == "reject"


def test_going_on_judges_what_has_changed_again_and_says_so(here, capsys):
    root, seen = here
    run(root)
    assert read(root)["a.png"]["quality"] == "good"
    before = (root / "out" / "predictions.csv").read_bytes()
    seen.clear()
    os.utime(root / "photos" / "b.png", ns=(1, 1))  # another time, the same photograph
    run(root, "--resume")
    assert (root / "out" / "predictions.csv").read_bytes() == before
    assert not seen  # broken.jpg alone was tried
    assert "changed" not in capsys.readouterr().out
    repaint(root / "photos" / "a.png", 10)
    run(root, "--resume")
    told = capsys.readouterr().out
    assert "1 changed since they were judged, judged again: " in told
    assert str(root / "photos" / "a.png") in told
    rows = schema.read_rows(root / "out" / "predictions.jsonl")
    assert [row["id"] for row in rows].count("a.png") == 1
    assert read(root)["a.png"]["quality"] == "reject"
    run(root, "--resume")
    assert "changed" not in capsys.readouterr().out


def test_nothing_is_said_of_files_that_are_gone_or_of_which_nothing_is_known(here, capsys):
    root, seen = here
    run(root)
    (root / "photos" / "a.png").unlink()
    run(root, "--resume")
    assert [row["id"] for row in schema.read_rows(root / "out" / "predictions.csv")][-1] == "a.png"
    list_ = root / "out" / file_states.FILE
    lines = list_.read_bytes().splitlines(keepends=True)
    assert b"frame.png" in lines[2]
    list_.write_bytes(lines[0] + b"\0" * 9 + b"\n" + lines[2][:40])  # after a loss of power
    repaint(root / "photos" / "frame.png", 20)
    seen.clear()
    run(root, "--resume")
    assert "changed" not in capsys.readouterr().out
    assert not seen


def test_shares_of_a_run_bring_their_digests(here):
    root, _ = here
    (root / "photos" / "broken.jpg").unlink()
    for share in ("1/2", "2/2"):
        assert run(root, "--shard", share) == 0
    assert merge.main([str(root / "out")]) == 0
    assert list(states(root)) == ["a.png", "b.png", "c.png", "frame.png"]
    repaint(root / "photos" / "a.png", 10)
    run(root, "--resume")
    assert read(root)["a.png"]["quality"] == "reject"


def test_a_file_whose_copy_ends_between_reading_and_digest(tmp_path, monkeypatch):
    """A file that vanishes after it was decoded has no digest: an error, not a judgement."""

    class Reads:
        def read(self, path, keep=False):
            photo = dark_model.fake_read(path, dark_model.SIDE, modality="fundus", erase=())
            os.unlink(path)
            return photo

    Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(tmp_path / "x.png")
    photo, state = file_states.read(Reads(), str(tmp_path / "x.png"))
    assert state is None
    with pytest.raises(ValueError, match="could be read once only"):
        raise photo


def test_what_is_no_file_keeps_its_own_error(here):
    root, _ = here
    (root / "list.csv").write_text("path\nphotos/a.png\nphotos/nowhere.png\n")
    flags = ["--model", str(root / "model"), "--output", str(root / "out")]
    assert predict.main([*flags, str(root / "list.csv")]) == 3
    rows = schema.read_rows(root / "out" / "predictions.csv")
    assert [row["status"] for row in rows] == ["ok", "error"]
    assert "changed" not in rows[1]["error"]


def test_a_run_that_was_killed_ends_with_the_list_of_one_that_was_not(here):
    """Killed after the states of a batch were written and before its rows were."""
    root, _ = here
    assert run(root, "--recursive", "--batch", "2") == 3
    whole = (root / "out" / file_states.FILE).read_bytes()
    log = root / "out" / "predictions.jsonl"
    rows = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(rows[:2]) + rows[2][:9])
    lines = whole.splitlines(keepends=True)
    (root / "out" / file_states.FILE).write_bytes(b"".join(lines[:4]) + lines[4][:30])
    assert run(root, "--recursive", "--batch", "2", "--resume") == 3
    assert (root / "out" / file_states.FILE).read_bytes() == whole


def test_another_photograph_never_takes_the_place_of_one(here, capsys):
    """Both days have an IMG_1: gone on with the second alone, the first would be lost."""
    root, _ = here
    for day, grey in (("day1", 200), ("day2", 20)):
        (root / day).mkdir()
        Image.new("RGB", (32, 32), (grey,) * 3).save(root / day / "IMG_1.png")
    one, two = str(root / "day1" / "IMG_1.png"), str(root / "day2" / "IMG_1.png")
    main = ["--model", str(root / "model"), "--output", str(root / "days")]
    assert predict.main([one, *main]) == 0
    before = {file.name: file.read_bytes() for file in (root / "days").iterdir() if file.is_file()}
    assert predict.main([two, *main, "--resume"]) == 1
    said = capsys.readouterr().err
    assert f"holds 'IMG_1.png' for {one}, and these inputs give {two} the same id" in said
    assert predict.main([one, two, *main, "--resume"]) == 1
    assert f"holds {one} as 'IMG_1.png', these inputs make it 'day1/IMG_1.png'" in (
        capsys.readouterr().err
    )
    after = {file.name: file.read_bytes() for file in (root / "days").iterdir() if file.is_file()}
    assert after == before
    (root / "day2" / "IMG_1.png").write_bytes((root / "day1" / "IMG_1.png").read_bytes())
    assert predict.main([two, *main, "--resume"]) == 0  # a copy, of the same bytes
