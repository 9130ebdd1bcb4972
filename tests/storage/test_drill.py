"""The drills in short: what must never come out does not (see benchmarks/drill.py)."""

import importlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.whole

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
CASES = {"damage": 60, "hostile": 18, "pictures": 300}  # of which many are refused


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_a_drill_in_short(name, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    drill = importlib.import_module("drill")
    found = drill.drill(name, CASES[name], tmp_path, drill.Book(None))
    assert not any(found.get(never) for never in drill.NEVER), found
    assert found["refused"] > CASES[name] / 3


@pytest.mark.filterwarnings("ignore")
def test_the_table_of_a_hostile_folder(tmp_path, monkeypatch):
    """One row each in order, and pandas, our reader and the JSONL say the same."""
    monkeypatch.syspath_prepend(str(FOLDER))
    drill = importlib.import_module("drill")
    found = drill.drill("table", 80, tmp_path, drill.Book(None))
    assert not any(found.get(never) for never in drill.NEVER), found
    assert found["files"] == sum(found.get(k, 0) for k in ("ok", "error", "out_of_scope")) == 80
    assert found["exit status"] == 3
    assert found["cells"] > 80 * 15
