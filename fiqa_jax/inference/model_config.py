"""config.json of a model directory: read as data, checked in whole, before anything is built of it.

Schema 2 has `files`, the SHA-256 of every file of weights; schema 1, of earlier versions, has none.
Digests guard against damage. Against somebody who means harm stands that nothing here is run: a
method is one of the package's own, or a module that the user named.
"""

import json
import re
from pathlib import Path
from typing import Any

from fiqa_jax.defaults import METHODS, base
from fiqa_jax.inference import config_values as v
from fiqa_jax.inference.config_values import ConfigError

SCHEMA = 2
SCHEMAS = (1, SCHEMA)
LARGEST = 4 << 20  # bytes
DEEPEST = 24  # objects and lists inside each other
SIDES = (1, 8192)  # pixels
PACKAGED = re.compile(r"shipped|pixels|random:\w+")  # encoders that need no file
HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")

# No controls, nothing that a spreadsheet takes for a formula, nothing that leaves a folder.
_SHOWN = r"(?!.*\.\.)[^\x00-\x20\x7f-\x9f\\/=+@'-][^\x00-\x1f\x7f-\x9f\\]*"
_NAME = v.text(_SHOWN, "a name without control characters, '..' or a leading / = + - @")
_MODULE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
# Whole numbers that decide how many layers are built; others are widths and counts of pixels.
_LIMITS = {
    **dict.fromkeys(("depth", "decoder_depth", "levels", "iterations", "blocks"), 64),
    **dict.fromkeys(("heads", "decoder_heads", "neighbours", "psi", "ratio"), 1024),
    **dict.fromkeys(("dim", "decoder_dim", "base", "width", "stem"), 16384),
    **dict.fromkeys(("side", "patch", "grid", "reach", "flatten"), SIDES[1]),
}
_DIGEST = v.text(r"[0-9a-f]{64}", "a SHA-256 of 64 hexadecimal digits")
_FINITE = v.number(-1e300, 1e300)


def parse(data: bytes, where: str) -> dict[str, Any]:
    """The contents of a config.json, checked.

    Args:
      data: of the file; `where`: what messages call it.

    Raises:
      ConfigError: not JSON, too large or too deep, a number that is not finite, a field that is
        missing, of another type or out of range.
    """
    if len(data) > LARGEST:
        raise ConfigError(f"{where} has {len(data):,} bytes; expected {LARGEST:,} at most")
    try:
        found = json.loads(
            data.decode("utf-8"),
            parse_constant=lambda word: _refuse(where, word),
            object_pairs_hook=lambda pairs: _object(where, pairs),
        )
    except ConfigError:
        raise
    except RecursionError:
        raise ConfigError(f"{where} is nested more than {DEEPEST} deep") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: byte {error.start} is not UTF-8; {_AGAIN}") from None
    except ValueError as error:  # no JSON, or a number of thousands of digits
        raise ConfigError(f"{where} is not JSON ({str(error)[:100]}); {_AGAIN}") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{where} holds {type(found).__name__}; expected an object; {_AGAIN}")
    _plain(found, where, 1)
    schema = found.get("schema")
    if type(schema) is not int or schema not in SCHEMAS:
        known = " and ".join(map(str, SCHEMAS))
        raise ConfigError(f"{where} has schema {str(schema)[:40]}; this version reads {known}")
    try:
        check(found)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    return found


_AGAIN = "copy the model directory again"


def _refuse(where: str, word: str) -> Any:
    raise ConfigError(f"{where} holds {word}, which is no JSON and no number to judge by; {_AGAIN}")


def _object(where: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"{where}: the field {twice[:60]!r} stands twice; {_AGAIN}")
    return found


def _plain(value: Any, where: str, depth: int) -> None:
    if depth > DEEPEST:
        raise ConfigError(f"{where} is nested more than {DEEPEST} deep")
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            _plain(one, where, depth + 1)
    elif isinstance(value, float | int) and not isinstance(value, bool):
        _FINITE(value, f"a number in {where}")


def check(config: dict[str, Any]) -> None:
    """Raises: ConfigError: the first field that is missing, of another type or out of range."""
    v.record(_FIELDS, _OPTIONAL, more=True)(config, "")
    files = config.get("files")
    if config["schema"] > 1:
        v.table(_DIGEST, v.text(r"[a-z]+\.safetensors", "a file of weights"), 8)(files, "files")
    own = config["settings"]["method"]
    for name, default in METHODS.get(config["method"], {}).items():
        if name in own:
            place = f"settings.method.{name}"
            v.either(v.like(default, _LIMITS, name), None)(own[name], place)
    thresholds = config["thresholds"]
    band = (thresholds.get("accept"), thresholds.get("recapture"))
    if (band[0] is None) != (band[1] is None) or (band[0] is not None and band[0] > band[1]):
        raise ConfigError(
            f"thresholds.accept and .recapture are {band}; expected two scores, the first not above"
            " the second, or neither"
        )


def _like_defaults(section: str) -> v.Check:
    known = base()[section].to_dict()
    fields = {name: v.like(value, _LIMITS, name) for name, value in known.items()}
    return v.record({}, fields, more=True)


def _box(value: Any, where: str) -> None:
    v.sequence(_FINITE, 4, 4)(value, where)
    if value[0] >= value[2] or value[1] >= value[3]:
        raise v.wrong(value, where, "left, top, right, bottom with left < right and top < bottom")


_NAMES = v.sequence(_NAME, 200, distinct=True)
_FITTED = v.record(
    {},
    {
        "temperature": v.number(0, 1e6, above=True),
        "slope": v.number(-1e6, 1e6),
        "offset": v.number(-1e6, 1e6),
    },
    more=False,
)
_MODEL = v.record(
    {"name": v.text(r"\w+", "the name of a network")},
    {
        "precision": v.one_of("float32", "bfloat16", "float64"),
        "width": v.number(0, 16, above=True),
        "skip": v.sequence(v.text(r"[\s\S]*", "text"), 200),
    },
    more=True,
)
_DATA = v.record(
    {
        "side": v.whole(*SIDES),
        "modality": v.one_of("fundus", "slice"),
        "mean": v.sequence(v.number(-1e3, 1e3), 3, 1),
        "std": v.sequence(v.number(0, 1e3, above=True), 3, 1),
        "erase": v.sequence(_box, 100),
        "quality_names": v.sequence(_NAME, 10, distinct=True),
        "detail_names": _NAMES,
        "diagnosis_names": v.sequence(_NAME, 1000, distinct=True),
        "class_counts": v.table(v.sequence(v.whole(0, 1 << 50), 10**6), _NAME, 1000),
    },
    {"features": v.sequence(v.whole(1, 1 << 16), 3), "allow_frame": v.one_of(False, True)},
    more=True,
)
_SETTINGS = v.record(
    {"method": v.table(lambda value, where: None, v.text(r"\w+", "a setting"), 200)},
    {"loss": _like_defaults("loss")},
    more=True,
)
_THRESHOLDS = v.record(
    {},
    {
        "accept": v.either(_FINITE, None),
        "recapture": v.either(_FINITE, None),
        "ungradable": v.number(0, 1),
        "details": v.table(_FINITE, _NAME, 200),
        "map": _FINITE,
    },
    more=False,
)
_ENCODER = v.record(
    {
        "name": v.text(r"[^\x00-\x1f\x7f]*", "a name", 4096),
        "digest": _DIGEST,
        "size": v.whole(0, SIDES[1]),
    },
    {},
    more=False,
)
_FIELDS = {
    "schema": v.one_of(*SCHEMAS),
    "name": _NAME,
    "method": v.text(_MODULE, "the name of a method, or of a Python module"),
    "model": _MODEL,
    "settings": _SETTINGS,
    "data": _DATA,
    "thresholds": _THRESHOLDS,
    "temperature": v.table(_FITTED, _NAME, 1000),
}
_OPTIONAL = {"encoder": _ENCODER}


def read(path: Path) -> dict[str, Any]:
    """`parse` of a file. Raises: ConfigError: also where it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from None
    return parse(data, str(path))
