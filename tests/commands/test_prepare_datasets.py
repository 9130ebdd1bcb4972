"""The prepare command on public data sets: instructions, whole frames, packing, kills."""

import csv
import re
import shutil
import subprocess
import sys
import time

import dummy_sets
import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from fiqa_jax import defaults
from input_pipeline import prepare
from input_pipeline.sources import opening


def contents(folder):
    found = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def command(name, root, out, *more):
    how = ["--side", "32", "--workers", "1", "--counts", "any"]
    return [name, "--manual_dir", str(root), "--out", str(out), *how, *more]


def frame(path):
    """A photograph that fills its frame: no round field."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(90, 160, (48, 64, 3), np.uint8)).save(path)


def test_help_of_a_set_says_what_to_get_where(capsys):
    with pytest.raises(SystemExit, match="0"):
        prepare.main(["mshf", "--help"])
    shown = capsys.readouterr().out
    assert "21507564" in shown
    assert "mshf/uwf: 500 ultra-widefield" in shown
    assert "CC BY 4.0" in shown
    with pytest.raises(SystemExit, match="0"):
        prepare.main(["--help"])
    assert "eyeq, eyeq_d, deepdrid" in " ".join(capsys.readouterr().out.split())


def test_what_is_prepared_is_what_the_recipe_reads(tmp_path, capsys):
    root = dummy_sets.write("eyeq", tmp_path / "in")
    out = tmp_path / "out"
    assert prepare.main(command("eyeq", root, out)) == 0
    shown = capsys.readouterr().out
    assert "5 of 5 examples" in shown
    assert f"--config.data.source=eyeq --config.data.path={root}" in shown
    before = contents(out)
    data = defaults.base().data.to_dict()
    data |= {"source": "eyeq", "path": str(root), "counts": "any", "side": 32}
    source = opening.make_source(data | {"cache": "disk", "store": str(out)})
    assert contents(out) == before  # nothing was made anew
    for path in root.glob("t*/*.jpeg"):
        path.unlink()
    assert source.read(0)["image"].shape == (32, 32, 3)


def test_photographs_without_a_field_are_listed(tmp_path, capsys):
    root = dummy_sets.write("eyeq", tmp_path / "in")
    frame(root / "train" / "15337_left.jpeg")
    frame(root / "test" / "7_right.jpeg")
    out = tmp_path / "out"
    assert prepare.main(command("eyeq", root, out)) == 0
    assert "2 show no round field and were taken whole" in capsys.readouterr().out
    rows = list(csv.DictReader((out / prepare.NO_FIELD).read_text().splitlines()))
    assert [row["id"] for row in rows] == ["15337_left", "7_right"]
    assert "HzFu/EyeQ issue 2" in rows[0]["known"]
    assert rows[1]["known"] == ""


def test_photographs_without_a_field_are_left_out_if_asked(tmp_path, capsys):
    root = dummy_sets.write("eyeq", tmp_path / "in")
    frame(root / "train" / "15337_left.jpeg")
    out = tmp_path / "out"
    assert prepare.main(command("eyeq", root, out, "--no_field", "error")) == 3
    assert "4 of 5 examples" in capsys.readouterr().out
    (row,) = csv.DictReader((out / "failed.csv").read_text().splitlines())
    assert row["id"] == "15337_left"
    assert "no round field" in row["reason"]
    assert "one of five" in row["reason"]
    strict = command("eyeq", root, out, "--no_field", "error", "--on_bad", "error")
    assert prepare.main(strict) == 1
    assert "no round field" in capsys.readouterr().err


def test_slices_have_no_field_to_miss(tmp_path, capsys):
    root = dummy_sets.write("iqad/DRAC", tmp_path / "in")
    assert prepare.main(command("iqad/DRAC", root, tmp_path / "out")) == 0
    assert "no round field" not in capsys.readouterr().out


def test_missing_photographs_are_listed_or_end_it(tmp_path, capsys):
    root = dummy_sets.write("eyeq_d", tmp_path / "in")
    name = next(iter(sorted((root / "test").glob("*.jpeg"))))
    name.unlink()
    assert prepare.main(command("eyeq_d", root, tmp_path / "out")) == 3
    assert name.stem in (tmp_path / "out" / "failed.csv").read_text()
    assert prepare.main(command("eyeq_d", root, tmp_path / "out", "--on_bad", "error")) == 1
    assert re.search(r"1 of \d+ photographs are not below", capsys.readouterr().err)


def test_a_part_of_eyeq_is_prepared(tmp_path):
    """Copies that hold a part of it are in use, so that it opens even where bad files end a run."""
    root = dummy_sets.write("eyeq", tmp_path / "in")
    (root / "test" / "9_left.jpeg").unlink()
    assert prepare.main(command("eyeq", root, tmp_path / "out", "--on_bad", "error")) == 0


def test_packing_from_the_command_line(tmp_path, capsys):
    tfds.disable_progress_bar()
    root = dummy_sets.write("iqad/EYEQ", tmp_path / "in")
    more = ["--tfds", str(tmp_path / "tfds"), "--lists", "mkcnet"]
    assert prepare.main(command("iqad/EYEQ", root, tmp_path / "out", *more)) == 0
    folder = tmp_path / "tfds" / "iqad" / "EYEQ-mkcnet-32" / "1.0.0"
    assert f"--config.data.source=tfds --config.data.path={folder}" in capsys.readouterr().out
    data = defaults.base().data.to_dict() | {"source": "tfds", "path": str(folder), "side": 32}
    assert len(opening.make_source(data).table) == 5


def test_packing_drawings(tmp_path, capsys):
    tfds.disable_progress_bar()
    what = ["--drawn", "2", "--style", "b", "--seed", "3", "--side", "32", "--workers", "1"]
    where = ["--out", str(tmp_path / "out"), "--tfds", str(tmp_path / "tfds")]
    assert prepare.main([*what, *where]) == 0
    folder = tmp_path / "tfds" / "drawn" / "b-3-2-32" / "1.0.0"
    assert f"--config.data.path={folder}" in capsys.readouterr().out
    data = defaults.base().data.to_dict() | {"source": "tfds", "path": str(folder), "side": 32}
    assert sorted(opening.make_source(data).table.id.tolist()) == ["b3-000000", "b3-000001"]
    folder_of_files = ["--folder", str(tmp_path), "--side", "32", *where]
    assert prepare.main(folder_of_files) == 1
    assert "no photographs in this folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["eyeq", "--side", "3", "--out", "o"], "--manual_dir DIR is missing"),
        (["eyeq", "--csv", "t.csv", "--side", "3", "--out", "o"], "not allowed with"),
    ],
)
def test_arguments_that_do_not_fit(args, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        prepare.main(args)
    assert message in capsys.readouterr().err


def test_a_set_that_is_not_known(tmp_path, capsys):
    assert prepare.main(command("eyepacs", tmp_path, tmp_path / "out")) == 1
    assert "data set 'eyepacs' is not known" in capsys.readouterr().err


def test_killed_again_and_again_it_ends_as_if_it_never_was(tmp_path):
    """Two preparations, one of them killed three times, leave the same bytes."""
    n, root = 300, tmp_path / "in"
    root.mkdir()
    rows = {"train": [], "test": []}
    for i in range(n):
        split = "train" if i % 3 else "test"
        (root / split).mkdir(exist_ok=True)
        rows[split].append((i, f"{i}_left.jpeg", i % 3, 0))
    dummy_sets.photograph(root / "one.jpeg")
    for split, lines in rows.items():
        file = root / f"Label_EyeQ_{split}.csv"
        dummy_sets.table(file, ("", "image", "quality", "DR_grade"), lines)
        for i, name, *_ in lines:
            path = shutil.copy(root / "one.jpeg", root / split / name)
            with open(path, "ab") as photograph:  # other bytes, the same picture: 300 contents
                photograph.write(b"%d" % i)
    (root / "one.jpeg").unlink()
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    counts = []
    for wanted, workers in ((1, "2"), (90, "1"), (180, "2")):
        args = command("eyeq", root, killed)
        args[args.index("--workers") + 1] = workers
        with subprocess.Popen(
            [sys.executable, "-m", "input_pipeline.prepare", *args],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            while process.poll() is None and len(list(killed.rglob("*.png"))) < wanted:
                time.sleep(0.005)
            process.kill()
        counts.append(len(list(killed.rglob("*.png"))))
    assert 0 < counts[0] < n  # stopped on the way, at least the first time
    for folder in (killed, whole):
        assert prepare.main(command("eyeq", root, folder)) == 0
    assert contents(killed) == contents(whole)
    assert len(list(killed.rglob("*.png"))) == n
