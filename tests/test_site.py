"""The documents build as a site, with every warning an error and without a network."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BUILD = """
import socket, sys
def refused(*given):
    raise AssertionError(f"the site asked for the network: {given[1:]}")
socket.socket.connect = refused
from sphinx.cmd.build import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.whole
def test_the_site_builds(tmp_path):
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    given = ["-q", "-W", "--keep-going", "-d", str(tmp_path / "trees"), str(ROOT / "docs")]
    out = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-c", BUILD, *given, str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")}
    assert pages <= {page.stem for page in out.glob("*.html")}
    assert "Judges photographs" in (out / "api.html").read_text()
