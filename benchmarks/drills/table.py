"""predict over a folder of which some files mean harm: one row each, in order, the same in CSV."""

import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas

from drills import mutation, seeds, untrained
from drills.outcomes import Counts, say
from fiqa_jax import defaults
from fiqa_jax import predict as command
from fiqa_jax.predictions import schema
from fiqa_jax.training.method import DataSpec
from input_pipeline import plain_text

# Names that a table, a terminal, a page or a shell may take for something else.
NAMES = (
    *(b"new\nline", b"comma,x", b'quo"te', b"single'q", b"=cmd|' C calc'!A0", b"+1+1", b"-2+3"),
    *(b"@SUM(1)", b"\ttab", b"\rcr", b"cr\rlf\nx", b"<script>alert(1)<", b'"><img src=x>', b"a|b"),
    *(b"a&b;&lt;", b"x" * 250, "é".encode() * 120, b"\xff\xfe", b"\xff", b"lat\xe9in", b"NULL"),
    *(b"esc\x1b[31mred", b"bell\x07", "\u202egnp".encode(), "\u2028ls".encode(), b" lead", b"nan"),
    *(b"trail ", b"%s{0}", b"back\\slash", b"$(touch PWN)", b"`id`", b"a;b", b"--output", b"1e5"),
    *(b"#hash?q=1", b"'quoted", "\ufeffbom".encode(), "眼底".encode(), "😀".encode(), b"~nobody"),
)
SIDE = 96  # pixels
DISTINCT = 40  # photographs that are drawn
HOSTILE = 20  # every so many files is one with mutated bytes


def run(cases: int, root: Path, note: Callable[[Counts], None]) -> Counts:
    """Judges `cases` files, of which every name of NAMES is one and every twentieth is mutated."""
    folder, out = root / "photographs", Counts()
    wanted = _written(folder, cases)
    model = _model(root / "model")
    flags = ["--model", str(model), "--output", str(root / "out"), "--batch", "32"]
    status = command.main([*flags, str(folder)])
    log = schema.read_rows(root / "out" / command.LOG)
    ours = schema.read_rows(root / "out" / command.TABLE)
    frame = pandas.read_csv(root / "out" / command.TABLE, dtype=str, keep_default_na=False)
    theirs = frame.to_dict("records")
    out["files"], out["exit status"] = len(wanted), status
    for row in log:
        out[str(row["status"])] += 1
    ids = [str(row["id"]) for row in log]
    out["doubled"] = len(ids) - len(set(ids))
    paths = [str(row["path"]) for row in log]
    out["lost"] = sum(one not in paths for one in wanted)
    out["out of order"] = int(paths != wanted)
    for rows in (ours, theirs):
        out["differs"] += abs(len(rows) - len(log))
    for row, mine, pandas_row in zip(log, ours, theirs, strict=False):
        out["cells"] += len(row)
        for name, value in row.items():
            fine = _same(value, mine, name, str) and _same(value, pandas_row, name, plain_text.cell)
            if not fine:
                out["differs"] += 1
                say(f"differs: {name} of {row['id']!r}: {value!r}")
    note(out)
    return out


def _model(folder: Path) -> Path:
    """A small network with initial weights: rows and tables are drilled here, not judgements."""
    config = defaults.base()
    config.method.update(defaults.METHODS["multitask"])
    config.model.name = "tiny"
    config.data.side = 32
    names = ("good", "usable", "reject")
    data = DataSpec(32, 3, names, ("clarity",), (), {}, config.data.mean, config.data.std)
    return untrained.save(folder, "multitask", config, data)


def _same(value: Any, row: Mapping[str, Any], name: str, written: Callable[[str], str]) -> bool:
    """Whether a cell says what the JSONL says; `written` is how the CSV writes text."""
    found = row.get(name)
    if isinstance(value, str):
        return found == written(value)
    if value is None:
        return found == ""
    try:
        return float(str(found)) == float(value)
    except ValueError:
        return False


def _written(folder: Path, cases: int) -> list[str]:
    """Writes the files; the paths as tables have them, in the order of names."""
    folder.mkdir()
    files = seeds.formats()
    good = [
        seeds.encoded(seeds.photograph(k, SIDE), "JPEG", quality=90)
        for k in range(min(DISTINCT, cases))
    ]
    for k in range(cases):
        name = NAMES[k][:250] if k < len(NAMES) else b"p%05d" % k
        data = good[k % len(good)]
        if k % HOSTILE == 0:
            kind = [*files][k // HOSTILE % len(files)]
            data = mutation.mutated(random.Random(f"table {k}"), files[kind], files)
        with open(os.path.join(os.fsencode(folder), name + b".jpg"), "wb") as file:
            file.write(data)
    found = sorted(os.listdir(folder))
    return [plain_text.as_text(os.path.join(folder, name)) for name in found]
