"""Model directories and PyTorch files that mean harm: none is run, each gives one sentence.

The digests of every hostile model are made to fit, so that it reaches the check it is meant for.
"""

import json
import os
import pickle
import random
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from drills.outcomes import Counts, say
from fiqa_jax.inference import model_dir
from fiqa_jax.pretrained import shipped, torch_file
from input_pipeline import sums

SOURCE = shipped.FOLDER / shipped.DEFAULT
VALUES = (None, [], {}, "../../x", "=1", -1, 10**9, 1e308, True, "evil", "a\x1b", ["x"] * 999)
FIELDS = ("method", "name", "data", "encoder", "thresholds", "temperature", "model", "settings")


def run(cases: int, root: Path, note: Callable[[Counts], None]) -> Counts:
    """A third each: values of config.json, weights, PyTorch files; every sixth names code."""
    out: Counts = Counts()
    mark = root / "EXECUTED"
    for case in range(cases):
        rng = random.Random(f"hostile {case}")
        attack = (_config, _weights, _pickle)[case % 3]
        try:
            attack(case, rng, root, mark)
            out["harmless"] += 1
        except (ValueError, OSError) as error:
            out["refused" if str(error) and "\n" not in str(error) else "uncaught"] += 1
        except Exception as error:
            out["uncaught"] += 1
            say(f"uncaught: {attack.__name__} {case}: {error!r}")
        out["executed"] += mark.exists()
        out["models"] += 1
    note(out)
    return out


def _config(case: int, rng: random.Random, root: Path, mark: Path) -> None:
    """A method beside the model, or a value that cannot be."""
    config = json.loads((SOURCE / model_dir.CONFIG).read_text())
    name = f"m{case}"
    if case % 6 == 0:
        config["method"] = f"{name}.evil"
    else:
        ways = [(field,) for field in FIELDS] + [("data", field) for field in config["data"]]
        *before, field = rng.choice(ways)
        here = config
        for one in before:
            here = here[one]
        here[field] = rng.choice(VALUES)
    target = _directory(root / name, json.dumps(config).encode(), None)
    (target / "evil.py").write_text(f"open({str(mark)!r}, 'w').write('x')\n")
    trusted = (f"{name}.evil",) if case % 12 == 0 else ()
    old = os.getcwd()
    os.chdir(root)  # where a module named so would be found by `python -m`
    try:
        model_dir.load(target, trust=trusted)
    finally:
        os.chdir(old)


def _weights(case: int, rng: random.Random, root: Path, mark: Path) -> None:
    """safetensors whose header lies, that are cut off, or that hold what is no number."""
    del mark
    whole = (SOURCE / model_dir.WEIGHTS).read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    head, body = json.loads(whole[8 : 8 + length]), whole[8 + length :]
    names = [name for name in head if name != "__metadata__"]
    one = rng.choice(names)
    lies: dict[str, Any] = {
        "beyond": {"data_offsets": [0, 1 << 40]},
        "reversed": {"data_offsets": [400, 8]},
        "shape": {"shape": [1 << 20, 1 << 20]},
        "negative": {"shape": [-1]},
        "kind": {"dtype": "F99"},
    }
    ways = (*lies, "length", "cut", "empty", "metadata", "not finite")
    way = ways[(case // 3) % len(ways)]
    if way in lies:
        head[one] |= lies[way]
        data = _packed(head, body)
    elif way == "metadata":
        head["__metadata__"] = dict.fromkeys(head.get("__metadata__", {"x": ""}), "{{{")
        data = _packed(head, body)
    elif way == "not finite":
        tensors = {k: np.array(v) for k, v in safetensors.numpy.load(whole).items()}
        tensors[one] = np.full_like(tensors[one], np.nan)
        data = safetensors.numpy.save(tensors, head.get("__metadata__"))
    else:
        data = {"length": struct.pack("<Q", 1 << 62) + b"{}", "cut": whole[:5000], "empty": b""}[
            way
        ]
    config = (SOURCE / model_dir.CONFIG).read_bytes()
    model_dir.load(_directory(root / f"m{case}", config, data))


def _pickle(case: int, rng: random.Random, root: Path, mark: Path) -> None:
    """PyTorch files whose pickle calls, names or nests what no state dict does."""
    names = (
        ("os", "system", f"touch {mark}"),
        ("builtins", "eval", f"open({str(mark)!r}, 'w')"),
        ("builtins", "exec", f"open({str(mark)!r}, 'w')"),
        ("subprocess", "getoutput", f"touch {mark}"),
    )
    module, attribute, argument = rng.choice(names)
    call = b"\x80\x02c" + f"{module}\n{attribute}\n".encode()
    call += pickle.dumps((argument,), 2)[2:-1] + b"R."
    deep = b"\x80\x02" + b"(" * 300_000 + b"t" * 300_000 + b"."
    laughs = b"\x80\x02]q\x00" + b"".join(
        b"]q" + bytes([i + 1]) + b"(h" + bytes([i]) + b"h" + bytes([i]) + b"e" for i in range(60)
    )
    ways = (
        call,
        call[:2] + b"}" + pickle.dumps("w", 2)[2:-1] + call[2:-1] + b"s.",
        b"\x80\x04\x8c\x0bcollections\x8c\x23OrderedDict.__init__.__globals__\x93.",
        b"\x80\x04cbuiltins\ngetattr\n.",
        b"(Vx\nios\nsystem\n.",
        deep,
        laughs + b".",
        b"\x80\x02Nr\xff\xff\xff\x7f.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"I" + b"9" * 300_000 + b"\n.",
    )
    data = ways[(case // 3) % len(ways)]
    file = root / f"w{case}.pth"
    if case % 2:
        file.write_bytes(data)
    else:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", data)
            archive.writestr("archive/byteorder", "little")
    torch_file.read(str(file))


def _packed(head: dict[str, Any], body: bytes) -> bytes:
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + body


def _directory(target: Path, config: bytes, weights: bytes | None) -> Path:
    """A copy of a sound model with another config, other weights, and digests that fit."""
    shutil.copytree(SOURCE, target)
    if weights is not None:
        (target / model_dir.WEIGHTS).write_bytes(weights)
        found = json.loads(config)
        found["files"] = {model_dir.WEIGHTS: sums.digest(target / model_dir.WEIGHTS)}
        config = json.dumps(found).encode()
    (target / model_dir.CONFIG).write_bytes(config)
    sums.write(target, [model_dir.CONFIG, model_dir.WEIGHTS])
    return target
