"""How Sphinx makes a site of these pages: `make site`. Nothing is fetched from the network."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import fiqa_jax

project = "fiqa_jax"
author = "the authors of fiqa_jax"
version = release = fiqa_jax.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "index"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"fiqa_jax {version}"
html_show_sphinx = False
# Docstrings give shapes and units in prose; types come from the signatures.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_numpy_docstring = False


def _own_results(app: Any, name: str, source: list[str]) -> None:
    """Links to the repository's RESULTS.md lead to its page of the site."""
    source[0] = source[0].replace("../RESULTS.md", "results.md")


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _own_results)
