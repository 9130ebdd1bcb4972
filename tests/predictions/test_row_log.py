"""Rows of a run kept as lines: what is in memory is what is on disk."""

import tracemalloc

import pytest

from fiqa_jax.predictions import schema
from fiqa_jax.predictions.row_log import RowLog


def row(name, **values):
    made = dict.fromkeys(schema.columns(("clarity",)))
    return made | {"id": name, "path": f"{name}.jpg", "status": "ok", "schema": 1} | values


def names(log, tmp_path):
    """Ids in memory and in the file."""
    return list(log), [one["id"] for one in schema.read_rows(tmp_path / "log.jsonl")]


def test_a_log_keeps_its_rows(tmp_path):
    log = RowLog(tmp_path / "log.jsonl")
    assert len(log) == 0
    log.append([row("a", score=0.1234567891234), row("b", error="line\u2028end, \ud800")])
    log.append([row("c")])
    assert log["a"]["score"] == 0.123456789  # nine digits, as every file has them
    assert log["b"]["error"] == "line\u2028end, \ud800"
    assert log["c"] == row("c")
    again = RowLog(tmp_path / "log.jsonl")
    assert dict(again) == dict(log)
    assert names(again, tmp_path) == (["a", "b", "c"], ["a", "b", "c"])


def test_rows_go_and_change(tmp_path):
    log = RowLog(tmp_path / "log.jsonl")
    log.append([row(name) for name in "abcd"])
    log.forget(["b", "not there"])
    assert names(log, tmp_path) == (["a", "c", "d"], ["a", "c", "d"])
    log.replace([row("c", status="error")])
    assert names(log, tmp_path) == (["a", "c", "d"], ["a", "c", "d"])
    assert schema.read_rows(tmp_path / "log.jsonl")[1]["status"] == "error"


def test_another_order_leaves_the_file_alone(tmp_path):
    log = RowLog(tmp_path / "log.jsonl")
    log.append([row(name) for name in "abcd"])
    log.order(["c", "a"])
    assert names(log, tmp_path) == (["c", "a", "b", "d"], ["a", "b", "c", "d"])
    assert [one["id"] for one in log.values()] == ["c", "a", "b", "d"]
    with pytest.raises(KeyError):
        log.order(["e"])


def test_what_is_torn_or_damaged(tmp_path):
    file = tmp_path / "log.jsonl"
    RowLog(file).append([row("a"), row("b")])
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"id": "c"')
    assert list(RowLog(file)) == ["a", "b"]
    assert file.read_bytes() == whole
    file.write_bytes(b"{no JSON\n" + whole)
    with pytest.raises(schema.PredictionsError, match=r"log\.jsonl, line 1: no JSON"):
        RowLog(file)


def test_a_row_takes_less_than_twice_its_line(tmp_path):
    rows = [row(f"photograph{k:06d}", score=k / 7, p_good=k / 9) for k in range(3000)]
    size = sum(len(schema.json_line(one)) for one in rows)
    schema.write_jsonl(tmp_path / "log.jsonl", rows)
    del rows
    tracemalloc.start()
    log = RowLog(tmp_path / "log.jsonl")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(log) == 3000
    assert held < 2 * size
