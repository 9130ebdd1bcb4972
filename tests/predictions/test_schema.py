"""The prediction file: what is written comes back, and a wrong file gives one clear error."""

import csv
import json

import numpy as np
import pytest

from fiqa_jax.predictions import rows as judge
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.triage import Thresholds

DETAILS, DIAGNOSIS = ("clarity", "contrast"), ("healthy", "glaucoma")
RNG = np.random.default_rng(0)
OUTPUTS = {
    "p_quality": RNG.dirichlet(np.ones(3), 5).astype(np.float32),
    "p_ungradable": RNG.random(5).astype(np.float32),
    "p_details": RNG.random((5, 2)).astype(np.float32),
    "p_diagnosis": RNG.dirichlet(np.ones(2), 5).astype(np.float32),
    "score": RNG.random(5).astype(np.float32),
}
TRUTH = {
    "quality": np.array([0, 1, 2, -1, 0]),
    "ungradable": np.array([0, 0, 1, -1, 0]),
    "details": np.array([[0, 1], [1, -1], [0, 0], [1, 1], [-1, -1]]),
    "diagnosis": np.array([0, 1, -1, 0, 1]),
}


def rows():
    return judge.rows_from_outputs(
        OUTPUTS,
        path=[f"p{i}.png" for i in range(5)],
        id=list("abcde"),
        patient=["1", "1", "2", "3", "3"],
        details=DETAILS,
        diagnosis=DIAGNOSIS,
        thresholds=Thresholds(),
        model="m",
        truth=TRUTH,
    )


def save(path, made):
    if path.suffix == ".jsonl":
        schema.append_jsonl(path, made)
    else:
        schema.write_csv(path, made, list(made[0]))


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl"])
def test_what_is_written_comes_back(tmp_path, name):
    save(tmp_path / name, rows())
    got = schema.load(tmp_path / name)
    assert (got.details, got.diagnosis) == (DETAILS, DIAGNOSIS)
    for key, value in OUTPUTS.items():
        np.testing.assert_array_equal(got.outputs[key].astype(np.float32), value)
    assert "bad_area" not in got.outputs
    for key, value in TRUTH.items():
        np.testing.assert_array_equal(got.truth[key], value)
    assert got.id.tolist() == list("abcde")
    assert got.patient.tolist() == ["1", "1", "2", "3", "3"]
    assert got.left_out == {}


def test_rows_that_failed_are_counted_not_scored(tmp_path):
    made = rows()
    blank = dict.fromkeys(made[0])
    for status in ("error", "out_of_scope", "error"):
        extra = judge.failed_row("x", f"x{len(made)}", status, "why", "m", DETAILS, DIAGNOSIS)
        made.append(blank | extra)
    save(tmp_path / "p.csv", made)
    got = schema.load(tmp_path / "p.csv")
    assert len(got.rows) == 5
    assert got.left_out == {"error": 2, "out_of_scope": 1}


def test_heads_that_do_not_exist_are_absent(tmp_path):
    made = judge.rows_from_outputs(
        {"p_ungradable": np.array([0.2])},
        path=[""],
        id=["a"],
        thresholds=Thresholds(),
        model="m",
    )
    save(tmp_path / "p.csv", made)
    got = schema.load(tmp_path / "p.csv")
    assert set(got.outputs) == {"p_ungradable", "score"}
    assert got.truth == {}


def test_csv_is_plain(tmp_path):
    save(tmp_path / "p.csv", rows())
    with open(tmp_path / "p.csv", encoding="utf-8", newline="") as file:
        table = list(csv.reader(file))
    assert tuple(table[0]) == schema.columns(DETAILS, DIAGNOSIS, truth=True)
    assert table[0][:6] == ["path", "id", "patient", "status", "error", "quality"]
    assert table[4][table[0].index("true_quality")] == ""


def test_torn_last_line_is_cut_off(tmp_path):
    log = tmp_path / "p.jsonl"
    assert list(schema.resume_jsonl(log)) == []
    made = rows()
    schema.append_jsonl(log, made[:2])
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"path": "p2.png", "stat')
    assert [row["id"] for row in schema.resume_jsonl(log)] == ["a", "b"]
    assert log.read_bytes() == whole
    schema.append_jsonl(log, made[2:])
    assert schema.load(log).id.tolist() == list("abcde")


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "p.csv"
    save(path, rows())
    before = path.read_bytes()
    with pytest.raises(ValueError, match="unknown"):
        schema.write_csv(path, [{"unknown": 1}], schema.columns())
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["p.csv"]


def test_detail_named_like_a_grade_is_refused():
    with pytest.raises(ValueError, match=r"p_good.*exist twice"):
        schema.columns(("good",))


def change(made, **values):
    return [made[0] | values, *made[1:]]


@pytest.mark.parametrize(
    ("made", "match"),
    [
        (lambda r: change(r, schema=2), "row 1: schema '2'; this version reads 1"),
        (lambda r: change(r, p_clarity="high"), "id 'a', column p_clarity: 'high' is no number"),
        (lambda r: change(r, true_quality="bad"), r"column true_quality: 'bad' is none of"),
        (lambda r: change(r, id="b"), "id 'b' stands in more than one row"),
        (lambda r: [{"image": "a", "good": 1}], r"no columns \['path', 'id'"),
    ],
)
def test_wrong_file_gives_one_error(tmp_path, made, match):
    save(tmp_path / "p.csv", made(rows()))
    with pytest.raises(schema.PredictionsError, match=match) as error:
        schema.load(tmp_path / "p.csv")
    assert str(tmp_path / "p.csv") in str(error.value)


def test_unreadable_files(tmp_path):
    with pytest.raises(schema.PredictionsError, match="there is no such file"):
        schema.load(tmp_path / "none.csv")
    bad = tmp_path / "p.jsonl"
    bad.write_text(json.dumps(rows()[0]) + "\nnot json\n", encoding="utf-8")
    with pytest.raises(schema.PredictionsError, match=r"line 2: no JSON .*delete that line"):
        schema.load(bad)


def test_a_table_that_excel_saved_with_semicolons_is_the_same(tmp_path):
    save(tmp_path / "p.csv", rows())
    want = schema.load(tmp_path / "p.csv")
    with open(tmp_path / "p.csv", encoding="utf-8", newline="") as file:
        cells = list(csv.reader(file))
    with open(tmp_path / "e.csv", "w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";").writerows(cells)
    got = schema.load(tmp_path / "e.csv")
    assert got.rows == want.rows
    for key, values in want.outputs.items():
        np.testing.assert_array_equal(got.outputs[key], values)
