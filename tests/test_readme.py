"""What the README shows works as it stands there."""

import ast
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from recipes import LOADS, run_main

from fiqa_jax.predictions import schema
from fiqa_jax.recipe import command_line

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
SMALL = ("count=40", "side=48", "driver=threads")


def blocks(language: str) -> list[str]:
    """Fenced blocks of the README in one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@LOADS
def test_the_method_of_ones_own(tmp_path, monkeypatch):
    code, config = blocks("python")
    assert 40 <= len(code.splitlines()) <= 60
    (tmp_path / "ordinal.py").write_text(code)
    (tmp_path / "ordinal_config.py").write_text(config)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
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


def test_every_command_names_what_is_there():
    """Modules, configs and linked files of the README exist."""
    for module in set(re.findall(r"python -m ([a-z_.]+)", README)):
        place = ROOT / module.replace(".", "/")
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), module
    for words in re.findall(r"--config (\S+)", README):
        if not words.startswith("ordinal"):
            command_line.find_config(shlex.split(words)[0])
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


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
