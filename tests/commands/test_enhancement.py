"""fiqa enhancement on tables as predict writes them; its page shows what it prints."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from fiqa_jax import enhancement
from fiqa_jax.predictions import rows as judge
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.triage import Thresholds

PAGE = Path(__file__).resolve().parents[2] / "docs" / "enhancement.md"
BEFORE, AFTER = "rrrruggg", "gguruggu"  # grades of the page's photographs, ten of each


def table(folder, grades, suffix=".jpg", model="fundus@a6b51282", failed=()):
    names = [f"{i:03d}_left{suffix}" for i in range(len(grades))]
    p = np.eye(3)[["gur".index(g) for g in grades]] if grades else np.zeros((0, 3))
    rows = judge.rows_from_outputs(
        {"p_quality": p},
        path=names,
        id=names,
        patient=[f"{i:03d}" for i in range(len(grades))],
        thresholds=Thresholds(),
        model=model,
    )
    for i in failed:
        status = ("out_of_scope", "no photograph of the inside of one eye")
        rows[i] = judge.failed_row(names[i], names[i], *status, model)
    folder.mkdir(exist_ok=True)
    schema.write_csv(folder / "predictions.csv", rows, schema.columns())
    return str(folder)


def test_the_page_shows_what_the_command_prints(tmp_path, capsys):
    text = PAGE.read_text()
    shown = text[text.index("    80 pairs of") :].split("\n\n")[0]
    before = table(tmp_path / "b", BEFORE * 10)
    after = table(tmp_path / "a", AFTER * 10, ".png")
    assert enhancement.main([before, after]) == 0
    printed = capsys.readouterr().out.rstrip()
    assert re.sub(r"^    ", "", shown, flags=re.MULTILINE).rstrip() == printed


def test_lost_and_lonely_photographs_are_counted_and_written(tmp_path, capsys):
    before = table(tmp_path / "b", "grrg", failed=[3])
    after = table(tmp_path / "a", "gggrr", failed=[0])
    out = tmp_path / "scores.csv"
    assert enhancement.main([before, after, "--output", str(out)]) == 0
    text = capsys.readouterr().out
    assert "3 pairs of 3 patients" in text
    assert "1 photographs without a partner, left out" in text
    assert "1 pairs could not be judged before, left out" in text
    assert "1 could not be judged after: counted as rejects" in text
    with out.open(newline="") as file:
        rows = {(r["score"], r["when"]): r for r in csv.DictReader(file)}
    assert float(rows["spoilt", "after"]["value"]) == 1
    assert float(rows["conversion_rate", "after"]["value"]) == 1
    assert rows["conversion_rate", "after"]["photographs"] == "2"
    assert float(rows["fiqa", "before"]["value"]) == pytest.approx(1 / 3)


def test_what_makes_no_pairs_is_refused(tmp_path, capsys):
    one = table(tmp_path / "b", "gr")
    for other, says in (
        (table(tmp_path / "m", "gr", model="other@1"), "judged by different models"),
        (table(tmp_path / "n", "", ".png"), "no photograph of"),
    ):
        assert enhancement.main([one, other]) == 1
        assert says in capsys.readouterr().err
    assert enhancement.main([one, one, "--usable", "2"]) == 1
    rows = [{**row, "quality": ""} for row in schema.read_rows(tmp_path / "b" / "predictions.csv")]
    schema.write_csv(tmp_path / "b" / "predictions.csv", rows, schema.columns())
    assert enhancement.main([one, one]) == 1
    assert "fiqa predict --model fundus" in capsys.readouterr().err
