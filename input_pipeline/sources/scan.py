"""Finds the files that cannot be read before training starts, so that the order can leave them out.

Leaving a photograph out in the middle of a run would make the order depend on what was read.
"""

import concurrent.futures
import hashlib
import json
import os
from pathlib import Path

import numpy as np

from input_pipeline import atomic, progress
from input_pipeline.photo.reader import PhotoError
from input_pipeline.tables.examples import Source


def scan(
    source: Source, rows: np.ndarray, workers: int, cache_file: str | os.PathLike = ""
) -> dict[int, str]:
    """Reads every row once.

    Threads, not processes, so that a source that keeps what it read is filled by the way.

    Args:
      source: where the photographs are.
      rows: [n] int, which of them.
      workers: photographs read at a time.
      cache_file: where the result is kept; a scan of the same source and rows is not repeated.

    Returns:
      Row -> reason, for those that cannot be read.
    """
    rows = np.asarray(rows, np.int64)
    scanned = hashlib.sha256(source.digest.encode() + rows.tobytes()).hexdigest()
    known = _load(cache_file, scanned)
    if known is not None:
        return known
    bad = {}
    with concurrent.futures.ThreadPoolExecutor(workers, "scan") as pool:
        reasons = pool.map(lambda row: _reason(source, row), rows.tolist())
        bar = progress.bar(len(rows), "image", f"checking {source.name}", reasons)
        for row, reason in zip(rows.tolist(), bar, strict=True):
            if reason:
                bad[row] = reason
    if cache_file:
        Path(cache_file).parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"scanned": scanned, "bad": bad}, indent=1)
        atomic.write(cache_file, text.encode())
    return bad


def _reason(source: Source, row: int) -> str:
    try:
        source.read(row)
    except PhotoError as error:
        return str(error)
    return ""


def _load(cache_file: str | os.PathLike, scanned: str) -> dict[int, str] | None:
    try:
        content = json.loads(Path(cache_file).read_text()) if cache_file else {}
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if content.get("scanned") != scanned:
        return None
    return {int(row): reason for row, reason in content["bad"].items()}
