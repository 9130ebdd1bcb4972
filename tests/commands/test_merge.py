"""Shares of a run: every photograph once, a killed share resumed, one run of them all."""

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiqa_jax import cli, merge, predict
from fiqa_jax.inference import model_dir, predictor
from fiqa_jax.inference.model_dir import Model
from fiqa_jax.predictions import schema
from input_pipeline.photo.reader import Photo

COUNT = 11
CONFIG = {
    "name": "dark",
    "thresholds": {},
    "temperature": {},
    "data": {"side": 16, "modality": "fundus", "erase": [], "detail_names": []}
    | {"quality_names": ["good", "usable", "reject"], "diagnosis_names": []},
}
# A share of its own process that kills itself behind its first batch.
KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
import test_merge
from fiqa_jax import predict
from fiqa_jax.inference import model_dir, predictor
from fiqa_jax.predictions import schema
model_dir.load = lambda path, **known: test_merge.MODEL
predictor.read_photo = test_merge.reader
append = schema.append_jsonl
def once(path, rows):
    append(path, rows)
    os.kill(os.getpid(), signal.SIGKILL)
schema.append_jsonl = once
predict.main(sys.argv[1:])
"""


def judged(batch):
    bad = (1 - batch["image"].mean((1, 2, 3)) / 255).astype(np.float32)
    cells = np.broadcast_to(bad[:, None, None], (len(bad), 4, 4))
    return {"p_quality": np.stack([1 - bad, 0 * bad, bad], -1), "map": cells}


MODEL = Model(CONFIG, {}, judged, judged)


def reader(source, side, **how):
    try:
        image = Image.open(source).convert("RGB")
    except OSError:
        raise predictor.PhotoError(f"{source}: no photograph") from None
    fov = np.ones((side, side), np.uint8)
    pixels = np.asarray(image.resize((side, side)))
    return Photo(pixels, fov, (0, 0, 900, 900), (900, 900), "circle", {})


@pytest.fixture
def here(tmp_path, monkeypatch):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(CONFIG))
    (model / "model.safetensors").write_bytes(b"weights")
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(COUNT):
        Image.new("RGB", (32, 32), (20 * i + 10,) * 3).save(photos / f"{i:02d}.png")
    (photos / "broken.jpg").write_bytes(b"not a photograph")
    (photos / "notes.txt").write_text("a file of the folder that is no photograph")
    monkeypatch.setattr(model_dir, "load", lambda path, **known: MODEL)
    monkeypatch.setattr(predictor, "read_photo", reader)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def arguments(output, *more):
    return ["photos", "--model", "model", "--batch", "2", "--output", output, *more]


def rows(folder):
    with open(Path(folder) / "predictions.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_shares_make_the_run_that_one_machine_makes(here, capsys):
    assert predict.main(arguments("whole")) == 3
    for i in (2, 3, 1):
        predict.main(arguments("parts", "--maps", "--shard", f"{i}/3"))
    assert merge.main(["parts"]) == 3
    text = capsys.readouterr().out
    assert "12 photographs of 3 shards, 1 of them could not be read" in text
    for one, other in zip(rows("whole"), rows("parts"), strict=True):
        assert {**one, "map": ""} == {**other, "map": ""}
    assert len(list(Path("parts/maps").glob("*.npy"))) == COUNT
    assert len(list(Path("parts/report_files").glob("*.jpg"))) == COUNT
    assert (Path("parts") / "report.html").is_file()
    # The merged folder is one that predict goes on with, and finds nothing to do in.
    (here / "photos" / "broken.jpg").unlink()
    capsys.readouterr()
    predict.main(arguments("parts", "--maps", "--resume"))
    assert "parts: 11 of 11 are judged" in capsys.readouterr().out


def test_a_killed_share_goes_on_and_no_photograph_comes_twice(here, capsys):
    code = KILLED.format(tests=str(Path(__file__).parent))
    given = [sys.executable, "-c", code, *arguments("parts", "--shard", "1/2")]
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(given, env={**os.environ, "PYTHONPATH": path}, check=False)
    assert done.returncode == -signal.SIGKILL
    predict.main(arguments("parts", "--shard", "2/2"))
    capsys.readouterr()
    assert merge.main(["parts"]) == 1
    told = capsys.readouterr().err
    assert "2 of 6 photographs are judged" in told
    assert "start --shard 1/2 again" in told
    assert not (Path("parts") / "predictions.csv").exists()
    predict.main(arguments("parts", "--shard", "1/2"))
    assert "2 of 6 are judged, going on" in capsys.readouterr().out
    assert merge.main(["parts"]) == 3
    ids = [row["id"] for row in rows("parts")]
    assert sorted(ids) == sorted({*ids})
    assert len(ids) == COUNT + 2


def test_shares_of_other_runs_are_not_joined(here, capsys):
    predict.main(arguments("parts", "--shard", "1/2"))
    assert merge.main(["parts"]) == 1
    assert "shards 2/2 have not begun" in capsys.readouterr().err
    Image.new("RGB", (32, 32)).save("photos/new.png")
    predict.main(arguments("parts", "--shard", "2/2"))
    capsys.readouterr()
    assert merge.main(["parts"]) == 1
    assert "photographs, ids_sha256 differ" in capsys.readouterr().err
    assert merge.main(["photos"]) == 1
    assert re.search("expected the shards of one run, found nothing", capsys.readouterr().err)


@pytest.mark.parametrize("wrong", ["0/2", "3/2", "2", "a/b"])
def test_a_share_that_is_none(here, wrong, capsys):
    with pytest.raises(SystemExit):
        predict.main(arguments("parts", "--shard", wrong))
    assert "expected I/N with I from 1 to N" in capsys.readouterr().err


def test_more_shares_than_photographs(here, capsys):
    assert predict.main(arguments("parts", "--shard", "1/99")) == 1
    assert "12 photographs are fewer than 99 shards" in capsys.readouterr().err


def test_the_page_shows_what_merging_prints(here, capsys):
    page = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
    text = page.read_text()
    lines = re.findall(r"^    fiqa (predict .*--shard (\d)/\d|merge .*)$", text, re.MULTILINE)
    assert len(lines) == 2
    for i in (1, 2, 3):
        given = re.sub(r"--shard \S+", f"--shard {i}/3", lines[0][0])
        cli.main([*shlex.split(given), "--model", "model"])
    capsys.readouterr()
    cli.main(shlex.split(lines[1][0]))
    shown = text[text.index("    12 photographs of 3") :].split("\n\nWhere")[0]
    assert re.sub(r"^    ", "", shown, flags=re.MULTILINE) == capsys.readouterr().out.rstrip()


def test_the_parquet_of_shares_is_that_of_one_machine(here, capsys):
    predict.main(arguments("whole", "--parquet"))
    for i in (1, 2):
        predict.main(arguments("parts", "--shard", f"{i}/2"))
    assert merge.main(["parts", "--parquet"]) == 3
    typed = schema.read_rows("parts/predictions.parquet")
    assert typed == schema.read_rows("whole/predictions.parquet")
    text = [{k: "" if v is None else str(v) for k, v in row.items()} for row in typed]
    assert text == schema.read_rows("whole/predictions.csv")
    # A table that is there stays that of the run, whether it is asked for again or not.
    (here / "photos" / "broken.jpg").unlink()
    predict.main(arguments("whole", "--resume"))
    assert len(schema.read_rows("whole/predictions.parquet")) == len(rows("whole"))
