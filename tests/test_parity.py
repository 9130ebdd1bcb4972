"""`make parity` runs every test that holds this package against PyTorch or scikit-image."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDS = re.compile(r'^ +(?:\w+ = )?pytest\.importorskip\("(?:torch|skimage)', re.MULTILINE)


def test_every_live_comparison_is_run():
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    places = re.search(r"^REFERENCE := (.*)$", makefile, re.MULTILINE)[1].split()
    assert "$(REFERENCE)" in makefile.partition("parity:")[2].partition("\n\n")[0]
    assert all((ROOT / place).exists() for place in places)
    every = [file for file in (ROOT / "tests").rglob("test_*.py") if NEEDS.search(file.read_text())]
    assert len(every) > 10
    run = [file for place in places for file in (ROOT / place, *(ROOT / place).rglob("*.py"))]
    left_out = [file.relative_to(ROOT).as_posix() for file in {*every} - {*run}]
    assert not left_out, f"add to REFERENCE in the Makefile: {sorted(left_out)}"
