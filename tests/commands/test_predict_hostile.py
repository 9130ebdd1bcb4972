"""One bad file is one row, one bad name is one cell, and a damaged record is named."""

import csv
import os
import resource

import dark_model
import numpy as np
import pytest
from PIL import Image

from fiqa_jax import predict
from fiqa_jax.inference import model_dir, predictor
from fiqa_jax.predictions import schema
from input_pipeline.photo.reader import PhotoError

here = dark_model.here  # the fixture
run, read = dark_model.run, dark_model.read

NAMES = (
    *(b"new\nline", b"comma,x", b'quo"te', b"=cmd|' C calc'!A0", b"+1+1", b"-2+3", b"@SUM(1)"),
    *(b"\ttab", b"\rcr", b"cr\rlf\nx", b"<script>alert(1)<", b'"><img src=x>', b"a&b;&lt;"),
    *(b"x" * 250, "é".encode() * 120, b"\xff\xfe", b"\xff", b"lat\xe9in", b"esc\x1b[31mred"),
    *(b"bell\x07", "\u202egnp".encode(), "\u2028ls".encode(), b" lead", b"trail ", b"%s{0}"),
    *(b"back\\slash", b"$(touch PWN)", b"`id`", b"a;b", b"--output", b"#hash?q=1", b"'quoted"),
    *("\ufeffbom".encode(), "眼底".encode(), "😀".encode(), b"a|b", b"NULL", b"nan", b"1e5"),
)


def test_a_photograph_that_needs_too_much_memory_is_a_row(here, monkeypatch):
    root, _ = here
    plain = dark_model.fake_read

    def hungry(source, side, **how):
        if str(source).endswith("b.png"):
            raise MemoryError
        return plain(source, side, **how)

    monkeypatch.setattr(predictor, "read_photo", hungry)
    assert run(root) == 3
    rows = read(root)
    assert rows["b.png"]["status"] == "error"
    assert "it needs more memory than there is" in rows["b.png"]["error"]
    assert [rows[name]["status"] for name in ("a.png", "c.png")] == ["ok", "ok"]
    monkeypatch.setattr(predictor, "read_photo", plain)
    run(root, "--resume")
    assert read(root)["b.png"]["status"] == "ok"


def test_an_output_that_is_not_finite_is_a_row(here, monkeypatch):
    root, _ = here

    def network(batch):
        out = dark_model.network(batch)
        dark = batch["image"].mean((1, 2, 3)) < 50
        return {**out, "p_quality": np.where(dark[:, None], np.nan, out["p_quality"])}

    loaded = dark_model.Model(dark_model.config(), network)
    monkeypatch.setattr(model_dir, "load", lambda path, **known: loaded)
    assert run(root) == 3
    rows = read(root)
    assert rows["b.png"]["status"] == "error"
    assert "p_quality" in rows["b.png"]["error"]
    assert (rows["b.png"]["decision"], rows["b.png"]["quality"]) == ("review", "")
    assert rows["a.png"]["decision"] == "accept"


@pytest.mark.parametrize("left", [0, 1, 20])
def test_a_record_of_the_run_that_is_cut_off_is_named(here, left, capsys):
    root, _ = here
    run(root)
    os.truncate(root / "out" / "run.json", left)
    assert run(root, "--resume") == 1
    assert f"{root / 'out' / 'run.json'} is damaged" in capsys.readouterr().err


def test_a_damaged_row_is_named_and_its_photograph_is_judged_again(here, capsys):
    root, _ = here
    run(root)
    log = root / "out" / "predictions.jsonl"
    whole = read(root)
    lines = log.read_bytes().split(b"\n")
    log.write_bytes(b"\n".join([lines[0], lines[1][:40], *lines[2:]]))
    assert run(root, "--resume") == 1
    assert f"{log}, line 2: no JSON" in capsys.readouterr().err
    log.write_bytes(b"\n".join([lines[0], *lines[2:]]))  # as the message says
    run(root, "--resume")
    assert read(root) == whole


def test_a_disk_without_room_is_named_and_with_room_the_run_goes_on(here, capsys):
    """A limit of the size of files stands for the disk: the writing fails in the same place."""
    root, _ = here
    run(root, "--maps", out="whole")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    smallest = min(f.stat().st_size for f in (root / "whole").rglob("*.png"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (smallest, hard))
    try:
        assert run(root, "--maps") == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    error = capsys.readouterr().err
    assert f"{root / 'out'}/" in error
    assert "bytes are needed there; make room, then start again to go on" in error
    assert not list((root / "out").rglob("*.part"))
    resumed = ["--resume"] if (root / "out" / "predictions.jsonl").exists() else []
    run(root, "--maps", *resumed)
    assert read(root) == read(root, out="whole")


def test_hostile_names_and_files_in_order(here, monkeypatch):
    """One row each, in the order of the folder, and the CSV says what the JSONL says."""
    root, _ = here

    def reader(source, side, **how):
        try:
            return dark_model.fake_read(source, side, **how)
        except (PhotoError, ValueError) as error:
            raise PhotoError(f"{source}: {error}") from None

    monkeypatch.setattr(predictor, "read_photo", reader)
    folder = os.fsencode(root / "hostile")
    wanted = 0
    for below, data in ((b"", None), (b"bad", b"\x89PNG\r\n\x1a\n"), (b"worse", b"")):
        os.makedirs(os.path.join(folder, below), exist_ok=True)
        for number, name in enumerate(NAMES):
            file = os.path.join(folder, below, name[:250] + b".png")
            with open(file, "wb") as opened:
                if data is None:
                    Image.new("RGB", (32, 32), (number + 20,) * 3).save(opened, "PNG")
                else:
                    opened.write(data)
            wanted += 1
    flags = ["--model", str(root / "model"), "--output", str(root / "out"), "--recursive"]
    assert predict.main([*flags, str(root / "hostile")]) == 3
    log = schema.read_rows(root / "out" / "predictions.jsonl")
    table = schema.read_rows(root / "out" / "predictions.csv")
    assert len(log) == len(table) == wanted
    assert len({row["id"] for row in log}) == wanted
    assert sum(row["status"] == "ok" for row in log) == len(NAMES)
    for one, other in zip(log, table, strict=True):
        for key in ("path", "id", "status", "error", "decision"):
            assert (one[key] or "") == other[key]
    with open(root / "out" / "predictions.csv", encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    for row in cells:
        for value in row.values():
            number = value.replace(".", "").replace("-", "").replace("e", "").isdigit()
            assert number or not value.startswith(("=", "+", "-", "@", "\t", "\r"))
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.read_csv(root / "out" / "predictions.csv", dtype=str, keep_default_na=False)
    assert [*frame["id"]] == [row["id"] for row in cells]
    assert [*frame["path"]] == [row["path"] for row in cells]
