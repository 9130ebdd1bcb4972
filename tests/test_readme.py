"""What the README shows works as it stands there."""

import ast
import importlib
import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from recipes import LOADS, run_main

from fiqa_jax import cli
from fiqa_jax.predictions import run_summary, schema
from fiqa_jax.recipe import command_line
from input_pipeline import synthetic

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PAGES = {page: page.read_text() for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]}
HAVE_PARSERS = ("predict", "calibrate", "report", "explain", "aggregate")
HAVE_PARSERS += ("enhancement", "export", "merge", "serve")
SMALL = ("count=40", "side=48", "driver=threads")


def blocks(language: str, page: str) -> list[str]:
    """Fenced blocks of a page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGES[ROOT / page], re.DOTALL)


@LOADS
def test_the_method_of_ones_own(tmp_path, monkeypatch):
    code, config = blocks("python", "docs/own_method.md")
    assert 40 <= len(code.splitlines()) <= 60
    (tmp_path / "ordinal.py").write_text(code)
    (tmp_path / "ordinal_config.py").write_text(config)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # the config's folder is put there
    flags = [*(f"--config.data.{s}" for s in SMALL), "--config.model.name=tiny"]
    flags += ["--config.model.width=1.0", "--config.train.epochs=0", "--config.train.steps=4"]
    assert not run_main([f"--config={tmp_path / 'ordinal_config.py'}", *flags], monkeypatch)
    run = tmp_path / "runs" / "ordinal_config"
    found = schema.load(run / "ordinal" / "predictions_test.csv")
    p = found.outputs["p_quality"]
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    assert (p >= 0).all()
    assert (run / "report.html").is_file()
    config = json.loads((run / "model" / "config.json").read_text())
    assert config["method"] == "ordinal"


def test_a_method_that_is_nowhere():
    from fiqa_jax import methods

    with pytest.raises(ValueError, match=r"no method 'nowhere'; there are .*'multitask'"):
        methods.build("nowhere", None, None, None, trust=("nowhere",))


def commands(text: str) -> list[list[str]]:
    """Every `fiqa ...` and `python -m ...` of indented blocks, continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", text)
    found = re.findall(r"^    ((?:fiqa|python -m) .*)$", joined, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_names_what_is_there(page):
    """Commands, modules, flags, configs and linked files of the documents exist."""
    for words in commands(PAGES[page]):
        if words[0] == "fiqa":
            assert words[1] in cli.COMMANDS, words
            module = cli.COMMANDS[words[1]][0]
            flags = [word.split("=")[0] for word in words[2:] if word.startswith("--")]
            if words[1] in HAVE_PARSERS:
                known = importlib.import_module(module).parser().format_help()
                assert [flag for flag in flags if flag not in known] == [], words
        else:
            module = words[2].replace(".", "/")
            place = ROOT / module
            assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), words
    for words in re.findall(r"--config (\S+)", PAGES[page]):
        if not words.startswith("ordinal"):
            command_line.find_config(shlex.split(words)[0])
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGES[page]):
        assert (page.parent / target).exists(), target


def test_links_to_headings_have_them():
    linked = re.findall(r"\(([\w/]+\.md)#([^)]*)\)", README)
    assert {page for page, _ in linked} == {"RESULTS.md", "docs/graded_photographs.md"}
    for page, anchor in linked:
        titles = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
        assert anchor in anchors, page


def test_what_predict_is_shown_to_print_is_what_it_prints():
    """The README's block, numbers masked, beside the summary of such rows."""
    row = {"status": "ok", "decision": "accept", "reasons": "", "error": ""}
    part = {"reasons": "map: 80% of the field bad, all over"}
    look = {**row, "decision": "review", **part}
    again = [
        {**row, "decision": "recapture", "reasons": f"{name}: seen; {part['reasons']}"}
        for name in ("clarity", "illumination", "artefact")
    ]
    broken = {**row, "status": "error", "error": "photos/P113_left.jpg: an unknown format"}
    out = {**row, "status": "out_of_scope", "decision": "review"}
    text = run_summary.summary([row] * 14 + [look] + again * 3 + [out, broken], 26, 2.8)
    shown = README[README.index("    26 files (") : README.index("    report  photos")]
    shown = re.sub(r"^    ", "", shown.rstrip(), flags=re.MULTILINE)
    mask = re.compile(r"[\d.]+ a second")
    expected, seen = (mask.sub("N a second", one) for one in (text, shown))
    assert seen.startswith(expected)


def eyes(folder: Path) -> list[str]:
    """19 eyes, sharp and blurred, a broken file, a page of print and a PDF; a decision each."""
    folder.mkdir()
    lines = ["id,patient,decision,gradable"]
    for seed in range(19):
        drawn = Image.fromarray(synthetic.draw(seed, 128, "abc"[seed % 3]).image)
        for side, image in (
            ("left", drawn),
            ("right", drawn.filter(ImageFilter.GaussianBlur(4)).point(lambda v: v // 2)),
        ):
            image.save(folder / f"{seed}_{side}.png")
            lines.append(f"{seed}_{side}.png,{seed}," + ("retake,0", "good,1")[side == "left"])
    page = np.full((200, 240, 3), 250, np.uint8)
    page[10:190:8, 10:230] = 0
    Image.fromarray(page).save(folder / "page.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff and no more")
    (folder / "letter.pdf").write_bytes(b"%PDF-1.7\n")
    return [*lines, "page.png,,retake,0", "broken.jpg,,unsure,", "letter.pdf,,retake,0"]


def test_the_commands_of_the_readme_one_after_the_other(tmp_path, monkeypatch, capsys):
    """Judge, calibrate, evaluate, judge with the limits; then each command on another's files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "decisions.csv").write_text("\n".join(eyes(tmp_path / "photos")) + "\n")
    shown = [words[1:] for words in commands(README) if words[0] == "fiqa"]
    todo = shown[: 1 + next(i for i, words in enumerate(shown) if "--calibration" in words)]
    assert [words[0] for words in todo] == ["predict", "calibrate", "evaluate", "predict"]
    more = tmp_path / "more"
    more.mkdir()
    for name in ("0_left.png", "0_right.png"):
        (more / name).write_bytes((tmp_path / "photos" / name).read_bytes())
    status = [cli.main(words) for words in todo]
    assert status == [3, 0, 0, 0]  # a file could not be read
    text = capsys.readouterr().out
    assert "19 bad and 19 other photographs" in text
    assert "left out: 3 labels of files that were not judged" in text
    rows = schema.read_rows(tmp_path / "photos-judged" / "predictions.csv")
    assert {row["id"]: row["status"] for row in rows if row["status"] != "ok"} == {
        "page.png": "out_of_scope",
        "broken.jpg": "error",
        "letter.pdf": "skipped",
    }
    made = {
        row["id"]: row for row in schema.read_rows(tmp_path / "more-judged" / "predictions.csv")
    }
    before = {row["id"]: row for row in rows}
    for name, row in made.items():  # of another batch: equal but for rounding
        assert float(row["score"]) == pytest.approx(float(before[name]["score"]), abs=1e-5)
    assert all("+" in row["model"] and row["p_ungradable"] for row in made.values())
    # The table of one run is the list of another; its paths start where that one ran.
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    again = ["predict", "../more-judged/predictions.csv", "--output", "out"]
    assert cli.main(again) == 0
    assert cli.main(["aggregate", "out"]) == 0
    assert cli.main(["report", "out"]) == 0
    assert cli.main(["explain", "--model", "efiqa", "--head", "x", "--output", "why", ".."]) == 1
    assert "predict --maps" in capsys.readouterr().err
    assert not (tmp_path / "below" / "why").exists()


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 200


def test_the_table_of_configs_has_every_file_and_argument():
    """Arguments are the keywords of the one call of `parse_arg` in each file."""
    table = (ROOT / "configs" / "README.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)\.py` \| (.*?) \|", table, re.MULTILINE))
    files = sorted((ROOT / "configs").glob("*.py"))
    assert sorted(rows) == [file.stem for file in files]
    for file in files:
        calls = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)]
        (call,) = [c for c in calls if ast.unparse(c.func) == "defaults.parse_arg"]
        named = {
            re.split("[:=]", argument)[0] for argument in re.findall("`(.*?)`", rows[file.stem])
        }
        assert named == {keyword.arg for keyword in call.keywords}, file.name
