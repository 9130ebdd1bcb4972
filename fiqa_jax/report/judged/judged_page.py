"""report.html of a judged folder.

One page without network or server: script, style and data are in it; thumbnails too where they are
few, else in the folder beside it. Whatever a file is called, its name is data: the page puts text
in place as text, and its content security policy lets nothing run but its own script.
"""

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from fiqa_jax.predictions import schema
from fiqa_jax.predictions.schema import Row
from fiqa_jax.report.judged import thumbnails
from fiqa_jax.report.judged.entries import entries
from input_pipeline import atomic, progress, records
from input_pipeline.photo.errors import PhotoError
from input_pipeline.photo.reader import read_photo
from input_pipeline.tables import folders

PAGE, RUN, TABLE = "report.html", folders.RUN, folders.TABLE
SCRIPT = ("rows", "list", "histogram", "detail", "decisions", "start")  # one after the other


def write(out: Path, rows: Iterable[Row] | None = None) -> Path:
    """Writes OUT/report.html from run.json, the thumbnails and the rows; returns its path.

    Args:
      out: the judged folder.
      rows: of the run, looked at once; None: those of predictions.csv.

    Raises:
      PredictionsError: no table there, or a damaged one.
    """
    run = _run(out)
    began_in = str(run.get("began_in") or os.getcwd())
    shown = entries(out, schema.each_row(out / TABLE) if rows is None else rows, began_in)
    shown["run"] = {
        "title": _title(out, run),
        "model": shown.pop("model") or str(run.get("model", "")),
        "folder": thumbnails.FOLDER,
    }
    page = out / PAGE
    atomic.write(page, render(shown).encode())
    return page


def again(out: Path) -> Path:
    """`write`, after making thumbnails that are not there from the photographs; returns the path.

    Raises:
      PredictionsError: see `write`.
    """
    began_in = str(_run(out).get("began_in") or os.getcwd())
    lacking = [
        row
        for row in schema.read_rows(out / TABLE)
        if row["status"] not in ("error", "skipped")
        and row["path"]
        and not (out / thumbnails.FOLDER / f"{thumbnails.stem(row['id'])}.jpg").is_file()
    ]
    with progress.bar(len(lacking), "photo", "thumbnails") as bar:
        for row in lacking:
            try:
                photo = read_photo(os.path.join(began_in, row["path"]), thumbnails.SIDE)
                thumbnails.save(out, row["id"], photo, None)
            except PhotoError:
                pass  # moved or gone: the page shows the row without a picture
            bar.update(1)
    return write(out)


def render(shown: dict[str, Any]) -> str:
    """The page as text.

    Args:
      shown: see `entries`, with `run`: title, model and folder of the thumbnails.
    """
    script, style = "".join(_part(f"script/{name}.js") for name in SCRIPT), _part("page.css")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src 'self' data: file:; base-uri 'none'; form-action 'none'"
    )
    # In a script element only '<' could end the data; JSON may write it in another way.
    data = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "POLICY": html.escape(policy, quote=True),
        "TITLE": html.escape(shown["run"]["title"]),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": data,
    }
    return re.sub("@([A-Z]+)@", lambda judged: parts[judged[1]], _part("page.html"))


def _part(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _run(out: Path) -> dict[str, Any]:
    return records.read_if_there(out / RUN, "judge the photographs again", schema.PredictionsError)


def _title(out: Path, run: dict[str, Any]) -> str:
    """Name of what was judged."""
    given = [Path(str(place)).name for place in run.get("inputs", [])]
    more = f" and {len(given) - 1} more" if len(given) > 1 else ""
    return f"{given[0]}{more}" if given else out.resolve().name
