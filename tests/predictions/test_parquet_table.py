"""Predictions as Parquet: the same values as in the other files, each column with its type."""

import sys

import numpy as np
import pyarrow
import pyarrow.parquet as pq
import pytest

from fiqa_jax import evaluate
from fiqa_jax.inference import inputs
from fiqa_jax.predictions import parquet_table, schema
from input_pipeline.tables import columns
from input_pipeline.tables.table_error import TableError

NAMES = schema.columns(("clarity",), ("healthy", "glaucoma"), truth=True)
THIRD = float(np.float32(1 / 3))


def row(name, **known):
    made = dict.fromkeys(NAMES) | {"path": f"{name}.png", "id": name, "patient": "p"}
    made |= {"status": "ok", "error": "", "reasons": "", "map": "", "model": "m", "schema": 1}
    return made | known


ROWS = [
    row("a", quality="good", p_good=THIRD, score=0.25, true_clarity=1, true_ungradable=0),
    row("=b", path="./=b.png", reasons='clarity: "dim"\nthen not', true_quality="usable"),
    row("c", p_good=1.0, bad_area=float("nan"), diagnosis="healthy", p_diagnosis_healthy=0.75),
]


def test_each_column_has_the_type_that_is_documented(tmp_path):
    parquet_table.write(tmp_path / "p.parquet", ROWS, NAMES)
    table = pq.read_table(tmp_path / "p.parquet")
    assert tuple(table.column_names) == NAMES
    assert table.schema.metadata[b"fiqa_schema"] == b"1"
    want = dict.fromkeys(NAMES, pyarrow.string()) | {"schema": pyarrow.int32()}
    want |= dict.fromkeys(("true_clarity", "true_ungradable"), pyarrow.int8())
    numbers = ("p_good", "p_usable", "p_reject", "p_ungradable", "p_clarity", "score", "bad_area")
    numbers += ("p_diagnosis_healthy", "p_diagnosis_glaucoma")
    want |= dict.fromkeys(numbers, pyarrow.float64())
    assert dict(zip(NAMES, table.schema.types, strict=True)) == want


def test_values_are_those_of_the_other_files(tmp_path):
    for name in ("p.parquet", "p.jsonl", "p.csv"):
        if name.endswith("jsonl"):
            schema.write_jsonl(tmp_path / name, ROWS)
        else:
            write = parquet_table.write if name.endswith("parquet") else schema.write_csv
            write(tmp_path / name, ROWS, NAMES)
    typed = schema.read_rows(tmp_path / "p.parquet")
    assert typed == schema.read_rows(tmp_path / "p.jsonl")
    assert typed[0]["p_good"] == 0.333333343  # nine digits
    assert typed[1]["id"] == "=b"
    assert typed[2]["bad_area"] is None
    text = schema.read_rows(tmp_path / "p.csv")
    for one, other in zip(typed, text, strict=True):
        assert {k: "" if v is None else str(v) for k, v in one.items()} == other
    assert schema.load(tmp_path / "p.parquet").outputs["score"][0] == 0.25


def test_a_column_that_is_not_known_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"row 'a' has unknown columns \['more'\]"):
        parquet_table.write(tmp_path / "p.parquet", [row("a", more=1)], NAMES)
    assert not list(tmp_path.iterdir())


def test_what_is_no_parquet_is_said(tmp_path):
    (tmp_path / "p.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(schema.PredictionsError, match="no whole Parquet file"):
        schema.read_rows(tmp_path / "p.parquet")
    with pytest.raises(schema.PredictionsError, match="there is no such file"):
        schema.read_rows(tmp_path / "none.parquet")
    double = pyarrow.table([[1], [2]], names=["id", "id"])
    pq.write_table(double, tmp_path / "p.parquet")
    with pytest.raises(TableError, match=r"columns \['id'\] stand more than once"):
        columns.read_sheet(tmp_path / "p.parquet")


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(TableError, match=r"pip install 'fiqa-jax\[cluster\]'"):
        parquet_table.write(tmp_path / "p.parquet", ROWS, NAMES)
    with pytest.raises(schema.PredictionsError, match=r"pip install 'fiqa-jax\[cluster\]'"):
        schema.read_rows(tmp_path / "p.parquet")


def test_tables_of_others_are_read_too(tmp_path, capsys):
    """Labels and manifests, by the one reader of tables."""
    files = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    labels = {"path": files, "quality": ["good", "reject", "good", None], "size": [1, 2, None, 4]}
    pq.write_table(pyarrow.table(labels), tmp_path / "labels.parquet")
    sheet = columns.read_sheet(tmp_path / "labels.parquet")
    assert sheet.columns["quality"] == ["good", "reject", "good", ""]
    assert sheet.columns["size"] == ["1", "2", "", "4"]
    found = inputs.collect([tmp_path / "labels.parquet"], recursive=False)
    assert [item.path for item in found] == [str(tmp_path / name) for name in files]
    scores = (0.1, 0.9, 0.2, 0.4)
    rows = [row(name, score=score) for name, score in zip(files, scores, strict=True)]
    parquet_table.write(tmp_path / "p.parquet", rows, NAMES)
    given = ["--predictions", str(tmp_path / "p.parquet")]
    given += ["--labels", str(tmp_path / "labels.parquet"), "--draws", "0"]
    assert evaluate.main(given) == 0
    assert "4 predictions" in capsys.readouterr().out
