"""The drills in short: what must never come out does not (see benchmarks/drill.py)."""

import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.whole

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "drill.py"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["arrays", "model", "hostile", "pictures"])
def test_a_drill_in_short(name, tmp_path):
    spec = importlib.util.spec_from_file_location("drill", FILE)
    drill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drill)
    cases = {"pictures": 300, "hostile": 18}.get(name, 60)
    found = drill.DRILLS[name](cases, tmp_path)
    assert not any(found.get(never) for never in drill.NEVER), found
    assert found["refused"] > cases / 3
