"""The drills in short: what must never come out does not (see benchmarks/drill.py)."""

import importlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.whole

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
CASES = {"damage": 60, "hostile": 18, "pictures": 300}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_a_drill_in_short(name, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    drill = importlib.import_module("drill")
    found = drill.drill(name, CASES[name], tmp_path, drill.Book(None))
    assert not any(found.get(never) for never in drill.NEVER), found
    assert found["refused"] > CASES[name] / 3
