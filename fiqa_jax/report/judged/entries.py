"""The rows of a judged folder as the page's script takes them."""

import base64
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fiqa_jax.predictions.schema import Row
from fiqa_jax.report.judged import thumbnails
from input_pipeline.tables import eyes

EMBEDDED = 250  # photographs up to which the page holds its pictures itself
NAMES = (
    *("id", "name", "patient", "eye", "status", "decision", "quality", "score", "area"),
    *("reasons", "advice", "error", "picture", "veil", "file"),
)
_SHARED = ("reasons", "advice", "error")  # texts that come again and again


def entries(out: Path, rows: Iterable[Row], began_in: str) -> dict[str, Any]:
    """What the page shows, as JSON values.

    Args:
      out: folder of the run, with its thumbnails.
      rows: of the run, looked at once.
      began_in: working directory of the run; relative paths start there.

    Returns:
      `names`: of an entry's values; `rows`: entries, a list of values each; `texts`: what the
      numbers under reasons, advice and error stand for; `pictures`: name -> data URI where the
      page holds its pictures itself, else {}; `model`: of the first row, '' where there is none.
    """
    folder = out / thumbnails.FOLDER
    there = {file.name for file in os.scandir(folder)} if folder.is_dir() else set()
    texts: dict[str, int] = {}
    made, model = [], ""
    wanted = set()  # stems of pictures that the page is to hold itself
    for row in rows:
        model = model or str(row["model"])
        stem = thumbnails.stem(str(row["id"]))
        name = Path(str(row["path"]).replace("\\", "/")).name or str(row["id"])
        whose = str(row["patient"] or "")
        if whose == str(row["id"]):  # not known: what the name tells
            whose = eyes.patient(Path(name).stem)
        entry = {
            "id": str(row["id"]),
            "name": name,
            "patient": whose,
            "eye": eyes.eye(Path(name).stem),
            "status": row["status"],
            "decision": row["decision"],
            "quality": row["quality"] or "",
            "score": _number(row.get("score"), 4),
            "area": _number(row.get("bad_area"), 3),
            "reasons": row["reasons"] or "",
            "advice": row["advice"] or "",
            "error": row["error"] or "",
            "picture": stem if f"{stem}.jpg" in there else "",
            "veil": int(f"{stem}.png" in there),
            "file": _link(out, str(row["path"]), began_in),
        }
        for key in _SHARED:
            entry[key] = texts.setdefault(entry[key], len(texts))
        made.append([entry[key] for key in NAMES])
        if len(made) <= EMBEDDED:
            wanted.add(stem)
    pictures = {}
    if len(made) <= EMBEDDED:
        for name in sorted(there):
            if name.split(".")[0] in wanted and name.endswith((".jpg", ".png")):
                pictures[name] = _data(folder / name)
    told = {"names": NAMES, "rows": made, "texts": list(texts), "pictures": pictures}
    return {**told, "model": model}


def _number(cell: Any, digits: int) -> float | None:
    """A finite number rounded, or None."""
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return None
    return round(value, digits) if math.isfinite(value) else None


def _link(out: Path, path: str, began_in: str) -> str:
    """The photograph as a link from the page; '' for one without a file."""
    if not path:
        return ""
    whole = os.path.abspath(os.path.join(began_in, path))
    try:
        relative = os.path.relpath(whole, out.resolve())
    except ValueError:  # another drive
        return Path(whole).as_uri()
    return quote(relative.replace(os.sep, "/"))


def _data(file: Path) -> str:
    kind = {".jpg": "jpeg", ".png": "png"}[file.suffix]
    return f"data:image/{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
