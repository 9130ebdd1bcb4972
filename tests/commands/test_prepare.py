"""The command that prepares examples, killed at any moment."""

import subprocess
import sys
import time

import fundus_disc
import numpy as np
import pytest
from PIL import Image

from input_pipeline import prepare
from input_pipeline.photo.reader import read_photo


def photographs(folder, n):
    folder.mkdir()
    for i in range(n):
        image = fundus_disc.draw(64, 64, 32, 32, 29, level=0.5 + 0.6 * i / n)
        Image.fromarray(image).save(folder / f"{i:04d}.jpg", quality=95)


def contents(folder):
    found = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def test_a_folder_and_a_csv_share_what_was_prepared(tmp_path, capsys):
    photographs(tmp_path / "in", 6)
    common = ["--side", "32", "--out", str(tmp_path / "out"), "--workers", "1"]
    assert prepare.main(["--folder", str(tmp_path / "in"), *common]) == 0
    before = contents(tmp_path / "out")
    assert len([name for name in before if name.endswith(".png")]) == 6
    assert "6 of 6 examples" in capsys.readouterr().out
    (tmp_path / "t.csv").write_text("file\n" + "".join(f"in/{i:04d}.jpg\n" for i in range(4)))
    assert prepare.main(["--csv", str(tmp_path / "t.csv"), "--column", "file", *common]) == 0
    assert contents(tmp_path / "out") == before
    assert prepare.main(["--folder", str(tmp_path / "in"), *common, "--erase", "0,0,9,9"]) == 0
    assert len(contents(tmp_path / "out")) == len(before) + 6


def test_what_is_prepared_is_what_the_reader_gives(tmp_path):
    photographs(tmp_path / "in", 2)
    out = tmp_path / "out"
    prepare.main(["--folder", str(tmp_path / "in"), "--side", "32", "--out", str(out)])
    pictures = [np.asarray(Image.open(p)) for p in sorted(out.rglob("*.png"))]
    for i in range(2):
        photo = read_photo(tmp_path / "in" / f"{i:04d}.jpg", 32)
        layers = np.dstack([photo.image, 255 * photo.fov])
        assert any(np.array_equal(layers, picture) for picture in pictures)


def test_bad_files_are_listed_and_told_by_the_status(tmp_path, capsys):
    photographs(tmp_path / "in", 3)
    (tmp_path / "in" / "0001.jpg").write_bytes(b"<html>not found</html>")
    args = ["--folder", str(tmp_path / "in"), "--side", "32", "--out", str(tmp_path / "out")]
    assert prepare.main([*args, "--workers", "1"]) == 3
    assert "2 of 3 examples" in capsys.readouterr().out
    assert "0001.jpg" in (tmp_path / "out" / "failed.csv").read_text()
    assert prepare.main([*args, "--workers", "1", "--on_bad", "error"]) == 1
    assert "0001.jpg" in capsys.readouterr().err


def test_drawings(tmp_path):
    out = tmp_path / "out"
    args = ["--drawn", "2", "--side", "32", "--out", str(out), "--workers", "1"]
    assert prepare.main(args) == 0
    assert len(list(out.rglob("*.npz"))) == 2


@pytest.mark.parametrize(
    "args",
    [
        ["--folder", "a", "--csv", "b", "--side", "3", "--out", "o"],
        ["--side", "3", "--out", "o"],
        ["--folder", "a", "--side", "3", "--out", "o", "--erase", "1,2,3"],
    ],
)
def test_arguments_that_do_not_fit(args, capsys):
    with pytest.raises(SystemExit, match="2"):
        prepare.main(args)


def test_an_error_is_one_line(tmp_path, capsys):
    args = ["--folder", str(tmp_path / "none"), "--side", "32", "--out", str(tmp_path / "o")]
    assert prepare.main(args) == 1
    assert "there is no such folder" in capsys.readouterr().err


def test_killed_at_any_moment_it_goes_on_and_ends_the_same(tmp_path):
    n = 150
    photographs(tmp_path / "in", n)
    args = ["--folder", str(tmp_path / "in"), "--side", "24", "--out"]
    out, whole = tmp_path / "killed", tmp_path / "whole"
    counts = []
    for wanted, workers in ((1, "2"), (60, "1")):
        command = [sys.executable, "-m", "input_pipeline.prepare", *args, str(out)]
        with subprocess.Popen(
            [*command, "--workers", workers], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            while process.poll() is None and len(list(out.rglob("*.png"))) < wanted:
                time.sleep(0.005)
            process.kill()
        counts.append(len(list(out.rglob("*.png"))))
    assert 0 < counts[0] < n  # it was stopped on the way, at least the first time
    for folder in (out, whole):
        assert prepare.main([*args, str(folder), "--workers", "1"]) == 0
    assert contents(out) == contents(whole)
    assert len(list(out.rglob("*.png"))) == n
