"""The predict command with a stand-in for the network: tables, resuming, names of files."""

import subprocess
import sys

import dark_model
import pytest
from dark_model import SIDE, read, run
from PIL import Image

from fiqa_jax import predict
from fiqa_jax.inference import run_record
from fiqa_jax.predictions import run_summary, schema
from input_pipeline.tables import folders

here = dark_model.here  # the fixture


def test_a_folder_becomes_a_table(here, capsys):
    root, seen = here
    assert run(root, "--recursive", "--batch", "4") == 3
    rows = read(root)
    order = [row["path"] for row in schema.read_rows(root / "out" / "predictions.csv")]
    assert order == sorted(order[:-1]) + order[-1:]  # the folder's own files, then those below
    assert list(rows) == ["a.png", "b.png", "broken.jpg", "c.png", "frame.png", "d.png"]
    assert (rows["a.png"]["quality"], rows["a.png"]["decision"]) == ("good", "accept")
    assert (rows["b.png"]["quality"], rows["b.png"]["decision"]) == ("reject", "recapture")
    assert rows["b.png"]["reasons"].startswith("illumination: ")
    assert "retake" in rows["b.png"]["advice"]
    assert float(rows["b.png"]["p_illumination"]) == pytest.approx(1 - 10 / 255)
    assert float(rows["b.png"]["bad_area"]) == 1
    assert rows["broken.jpg"]["status"] == "error"
    assert "no photograph (" in rows["broken.jpg"]["error"]  # on one line
    assert rows["frame.png"]["status"] == "out_of_scope"
    assert rows["frame.png"]["error"] == "no eye: a page of print"
    assert rows["frame.png"]["quality"] == ""
    # Three photographs of four were fit for the first batch, one of two for the second.
    assert set(seen) == {(3, SIDE, SIDE, 3), (1, SIDE, SIDE, 3)}
    text = capsys.readouterr().out
    assert "6 files (6 new, " in text
    assert "     2  good enough to read\n" in text
    assert "     2  to be taken again: illumination 2, a part cannot be seen 2\n" in text
    assert "     1  not judged: no photograph of the inside of one eye" in text
    assert "     1  could not be read\n" in text
    assert "broken.jpg: no photograph" in text
    assert text.index("report ") < text.index(str(root / "out" / "report.html"))
    log = schema.read_rows(root / "out" / "predictions.jsonl")
    assert [row["path"] for row in log] == order
    assert [row["id"] for row in log] == [p[len(str(root / "photos")) + 1 :] for p in order]
    assert rows["a.png"]["model"] == log[0]["model"]
    assert log[0]["model"].startswith("dark@")


def test_batch_size_and_order_of_work_change_nothing(here):
    root, _ = here
    tables = []
    for out, extra in (("one", ("--batch", "1")), ("many", ("--batch", "99", "--workers", "3"))):
        assert run(root, *extra, out=out) == 3
        tables.append((root / out / "predictions.csv").read_text())
    assert tables[0] == tables[1]


def test_resume_after_a_kill(here, capsys):
    root, seen = here
    assert run(root, "--recursive", "--batch", "2") == 3
    whole = (root / "out" / "predictions.csv").read_bytes()
    assert run(root, "--recursive") == 1
    assert "go on with --resume" in capsys.readouterr().err
    log = root / "out" / "predictions.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:3]) + lines[3][:20])  # torn in the middle of a row
    (root / "out" / "predictions.csv").unlink()
    seen.clear()
    assert run(root, "--recursive", "--batch", "2", "--resume") == 3
    assert (root / "out" / "predictions.csv").read_bytes() == whole
    # a and b were known; c and d are new; broken is tried again; frame is out of scope.
    assert len(seen) == 2
    assert "6 files (4 new" in capsys.readouterr().out


def test_without_output_a_folder_is_named_after_the_input(here, monkeypatch, capsys):
    root, seen = here
    (root / "work").mkdir()
    monkeypatch.chdir(root / "work")
    command = ["../photos", "--model", str(root / "model"), "--batch", "2"]
    assert predict.main(command) == 3
    out = root / "work" / "photos-judged"
    assert {"predictions.csv", "predictions.jsonl", "report.html", "run.json"} <= {
        file.name for file in out.iterdir()
    }
    whole = (out / "predictions.csv").read_bytes()
    assert "5 photographs to judge with dark@" in capsys.readouterr().out
    # The same again goes on, and has only the broken file to try.
    seen.clear()
    assert predict.main(command) == 3
    assert (out / "predictions.csv").read_bytes() == whole
    assert seen == []
    assert "photos-judged: 4 of 5 are judged, going on" in capsys.readouterr().out
    # Another folder of the same name is not mixed in.
    other = root / "elsewhere" / "photos"
    other.mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(other / "x.png")
    assert predict.main([str(other), *command[1:]]) == 1
    error = capsys.readouterr().err
    assert "photos-judged holds another run (inputs was" in error
    assert "--output" in error


def test_the_output_of_a_run_is_never_judged(here, monkeypatch):
    root, _ = here
    monkeypatch.chdir(root / "photos")
    command = [".", "--model", str(root / "model"), "--recursive", "--maps"]
    assert predict.main(command) == 3
    first = schema.read_rows(root / "photos" / "photos-judged" / "predictions.csv")
    assert predict.main([*command, "--output", str(root / "again")]) == 3
    assert len(schema.read_rows(root / "again" / "predictions.csv")) == len(first) == 6


def test_several_inputs_name_one_folder():
    assert run_record.default_output(["a/photos/"]) == "photos-judged"
    assert run_record.default_output(["eye.jpg", "b.jpg"]) == "eye-and-1-more-judged"


def test_a_mended_file_is_read_on_resume(here):
    root, _ = here
    assert run(root) == 3
    assert read(root)["broken.jpg"]["status"] == "error"
    Image.new("RGB", (32, 32), (250,) * 3).save(root / "photos" / "broken.jpg")
    assert run(root, "--resume") == 0
    assert read(root)["broken.jpg"]["status"] == "ok"
    log = schema.read_rows(root / "out" / "predictions.jsonl")
    assert len({row["id"] for row in log}) == len(log) == 5


def test_another_model_does_not_continue_a_run(here, capsys):
    root, _ = here
    assert run(root) == 3
    (root / "model" / "model.safetensors").write_bytes(b"other weights")
    assert run(root, "--resume") == 1
    assert "holds another run: model was 'dark@" in capsys.readouterr().err


def test_frames_are_judged_when_asked_to(here):
    root, _ = here
    assert run(root, "--allow-frame") == 3
    assert read(root)["frame.png"]["status"] == "ok"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (["--batch", "0"], "expected 1 or more"),
        (["--model", "nowhere"], "nowhere is no model directory"),
        (["nothing.png"], "nothing.png: there is no such file"),
    ],
)
def test_what_cannot_start_says_why_and_writes_nothing(here, capsys, change, match):
    root, _ = here
    assert run(root, *change) == 1
    error = capsys.readouterr().err
    assert match in error
    assert error.count("\n") == 1
    assert not (root / "out").exists()


def test_help_loads_no_framework():
    code = (
        "import sys\n"
        "from fiqa_jax import predict\n"
        "try: predict.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'jax', 'tensorflow', 'sklearn', 'matplotlib', 'dask', 'distributed', 'pyarrow'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--allow-frame" in done.stdout


def test_every_file_of_a_folder_has_its_row(here, capsys):
    """What is no photograph is skipped by name; folders that are not gone into are said."""
    photos = here[0] / "photos"
    (photos / "letter.pdf").write_bytes(b"%PDF-1.7\n")
    (photos / "notes.txt").write_text("hello\n")
    arguments = ["--model", str(here[0] / "model"), "--output", str(here[0] / "out"), str(photos)]
    assert predict.main(arguments) == 3  # broken.jpg
    rows = {row["id"]: row for row in schema.read_rows(here[0] / "out" / "predictions.csv")}
    assert {*rows} == {p.name for p in photos.iterdir() if p.is_file()}
    assert (rows["letter.pdf"]["status"], rows["letter.pdf"]["error"]) == (
        "skipped",
        "a PDF document",
    )
    assert rows["notes.txt"]["decision"] == ""
    text = capsys.readouterr().out
    assert "2  passed over, no photographs" in text
    assert f"{photos / 'notes.txt'}: a text file" in text
    assert f"{photos / 'below'}: 1 file not looked at" in text
    assert predict.main([*arguments, "--resume"]) == 3
    log = schema.read_rows(here[0] / "out" / "predictions.jsonl")
    assert len(log) == len(rows)
    assert {row["id"] for row in log} == {*rows}


def test_results_are_not_promised_to_recursive(tmp_path):
    ours = folders.Other(tmp_path / "judged", folders.RESULTS_SAYS)
    other = folders.Other(tmp_path / "below", "1 file not looked at")
    assert "--recursive" not in run_summary.summary([], 0, 1.0, [ours])
    assert "--recursive takes them" in run_summary.summary([], 0, 1.0, [ours, other])


@pytest.mark.parametrize("letter", ["a", "é", "目"])
def test_a_long_name_gives_an_output_folder_and_a_map(here, letter, monkeypatch):
    """Names of 255 bytes are as long as a file system takes them."""
    root, _ = here
    monkeypatch.chdir(root)
    folder = root / (letter * (255 // len(letter.encode())))
    folder.mkdir()
    photo = letter * (250 // len(letter.encode())) + ".png"
    Image.new("RGB", (32, 32), (200,) * 3).save(folder / photo)
    Image.new("RGB", (32, 32), (10,) * 3).save(folder / ("x" + photo[1:]))  # the same end
    assert predict.main(["--model", str(root / "model"), "--maps", str(folder)]) == 0
    out = root / run_record.default_output([str(folder)])
    rows = schema.read_rows(out / "predictions.csv")
    assert sorted(row["status"] for row in rows) == ["ok", "ok"]
    assert all((out / row["map"]).is_file() for row in rows)


def test_a_file_called_like_a_home_folder(here, monkeypatch):
    root, _ = here
    monkeypatch.chdir(root)
    Image.new("RGB", (32, 32), (200,) * 3).save(root / "~nobody.png")
    assert predict.main(["--model", str(root / "model"), "~nobody.png"]) == 0
    assert (root / "~nobody-judged" / "report.html").is_file()
