"""Weights on disk: one safetensors file per network, tensors named by their path.

`params/stage1/block0/conv1/kernel`, `batch_stats/stem/norm/mean`, and so on. `fiqa_jax.convert`
makes such files from PyTorch's; `load` puts them into freshly initialised variables.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

from input_pipeline import atomic

# safetensors writes several metadata entries in random order, which would give the same weights
# another digest each time: all of ours go into this one entry, as JSON.
_ENTRY = "fiqa_jax"
_HOW = (
    "Make one with `python -m fiqa_jax.convert --format NAME --input FILE --output"
    " FILE.safetensors` (`--list` names the formats and where their files come from), then set"
    " --config.model.weights=FILE.safetensors"
)
_ADVICE = {
    "missing": "what should stay as initialised is named in model.skip",
    "unexpected": "another network, or names that need `rename`",
    "misshapen": "do model.name, model.width and the class counts agree?",
    "dtype": "was the file made for this model?",
}


def load(
    variables: Any,
    source: str | os.PathLike[str],
    rename: Sequence[tuple[str, str]] = (),
    skip: Sequence[str] = (),
) -> Any:
    r"""Replaces the leaves of `variables` by the tensors of a file.

    Args:
      variables: pytree of arrays or ShapeDtypeStructs, for example what `module.init` returns.
      source: .safetensors file written by `save` (or by `python -m fiqa_jax.convert`).
      rename: (regex, replacement) pairs, applied in turn by `re.sub` to the names in the file.
        `((r"^(params|batch_stats)/", r"\1/trunk/"),)` puts a trunk's file into a larger model.
      skip: regexes, each of a whole name (after renaming). What they match stays as it is in
        `variables`, whether or not the file has it.

    Returns:
      `variables` with the loaded leaves as host numpy arrays, in the dtype `variables` has.
      A converted file may carry a classifier's head, marked optional: it is loaded where
      `variables` has a place for it and left out where not.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: not a safetensors file, or one that does not fit, see `fit`.
    """
    tensors, metadata = read(source)
    optional = str(metadata.get("optional", ""))
    held = f" (it says that it holds {metadata['model']})" if "model" in metadata else ""
    return fit(variables, tensors, f"{source}{held}", rename, skip, optional)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All tensors of a safetensors file by name, and the metadata that `save` stored.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: not a (complete) safetensors file.
    """
    if not str(path):
        raise ValueError(f"no file of weights was given. {_HOW}")
    if not Path(path).is_file():
        raise FileNotFoundError(f"no file of weights at {path}. {_HOW}")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            entry = (file.metadata() or {}).get(_ENTRY, "{}")
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except (safetensors.SafetensorError, OSError) as error:
        with open(path, "rb") as raw:
            foreign = raw.read(2) in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04")
        why = f"looks like PyTorch's or numpy's. {_HOW}" if foreign else f"{error}. Get it again"
        raise ValueError(f"{path} is not a readable safetensors file: {why}") from error
    try:
        metadata = json.loads(entry)
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise ValueError(f"{path}: what it says of itself is no JSON object; get the file again")
    return tensors, metadata


def save(path: str | os.PathLike[str], variables: Any, metadata: Mapping[str, Any]) -> None:
    """Writes the leaves of `variables` as one safetensors file, in whole or not at all.

    Args:
      path: the file; missing folders are made, a file that is there is replaced.
      variables: pytree of arrays on this host. The same variables and metadata give the same bytes.
      metadata: what JSON can hold, given back by `read`.

    Raises:
      ValueError: nothing to write, or a tensor with NaN or infinity.
    """
    names, leaves, _ = _flatten(variables)
    # safetensors writes the buffer of a transposed view as if it were in order.
    tensors = {n: np.array(x, order="C") for n, x in zip(names, leaves, strict=True)}
    if not tensors:
        raise ValueError(f"{path}: there are no tensors to write")
    for name, value in tensors.items():
        if _floats(value) and not np.isfinite(value).all():
            raise ValueError(f"{path} was not written: {name} holds NaN or infinity")
    entry = json.dumps(dict(metadata), sort_keys=True)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, safetensors.numpy.save(tensors, metadata={_ENTRY: entry}))


def fit(
    variables: Any,
    tensors: Mapping[str, np.ndarray],
    source: str,
    rename: Sequence[tuple[str, str]] = (),
    skip: Sequence[str] = (),
    optional: str = "",
) -> Any:
    """`load` from tensors in memory.

    Args:
      variables: as for `load`.
      tensors: by name.
      source: what the message calls the tensors' origin.
      rename: as for `load`.
      skip: as for `load`.
      optional: regex of whole names in `tensors` that `variables` need not have.

    Returns:
      As `load`.

    Raises:
      ValueError: missing, unexpected or misshapen tensors (all counted, the first of each named),
        numbers of another kind (integers for floats), NaN or infinity, two tensors renamed alike,
        or nothing that is not skipped.
    """
    names, leaves, tree = _flatten(variables)
    known = set(names)
    kept = {n for n in known if any(re.fullmatch(s, n) for s in skip)}
    fitted: dict[str, np.ndarray] = {}
    for old, value in tensors.items():
        new = old
        for pattern, replacement in rename:
            new = re.sub(pattern, replacement, new)
        if new in fitted:
            raise ValueError(
                f"{source}: rename turns two tensors into {new!r}, {old!r} and another"
            )
        leave = any(re.fullmatch(s, new) for s in skip)
        if not leave and (new in known or not re.fullmatch(optional, old)):
            fitted[new] = value

    wanted = {n: x for n, x in zip(names, leaves, strict=True) if n not in kept}
    if not wanted:
        raise ValueError(f"{source}: nothing would be loaded, {list(skip)} skips every parameter")
    problems = [f"{text} ({_ADVICE[kind]})" for kind, text in differences(wanted, fitted).items()]
    if problems:
        raise ValueError(f"{source} does not fit the model:\n  " + "\n  ".join(problems))
    new_leaves = [
        leaf if n in kept else fitted[n].astype(leaf.dtype)
        for n, leaf in zip(names, leaves, strict=True)
    ]
    for name, value in zip(names, new_leaves, strict=True):
        if name in wanted and _floats(value) and not np.isfinite(value).all():
            raise ValueError(
                f"{source}: {name} holds NaN or infinity; the file is damaged, or the training "
                "that made it failed. Get it again, or train again"
            )
    return jax.tree.unflatten(tree, new_leaves)


def differences(
    variables: Any, tensors: Mapping[str, np.ndarray], optional: str = ""
) -> dict[str, str]:
    """What keeps `tensors` from being the leaves of `variables`: kind -> count and first of it.

    Kinds: `missing`, `unexpected` (but for names that `optional` matches), `misshapen`, `dtype`
    (integers for floats or floats for integers; widths of floats may differ). Empty when they fit.
    """
    names, leaves, _ = _flatten(variables)
    wanted = dict(zip(names, leaves, strict=True))
    both = [(n, tensors[n], x) for n, x in wanted.items() if n in tensors]
    items = {
        "missing": [n for n in wanted if n not in tensors],
        "unexpected": [n for n in tensors if n not in wanted and not re.fullmatch(optional, n)],
        "misshapen": [
            f"{n} is {have.shape}, the model's {want.shape}"
            for n, have, want in both
            if have.shape != want.shape
        ],
        "dtype": [
            f"{n} is {have.dtype}, the model's {want.dtype}"
            for n, have, want in both
            if not _castable(have.dtype, want.dtype)
        ],
    }
    label = {"dtype": "of another dtype"}
    return {
        kind: f"{len(affected)} {label.get(kind, kind)}, first: {affected[0]}"
        for kind, affected in items.items()
        if affected
    }


def _floats(value: Any) -> bool:
    return bool(jnp.issubdtype(value.dtype, np.floating))


def _castable(have: np.dtype, want: np.dtype) -> bool:
    # Floats may change their width; an index or a flag may not become a weight.
    floats = all(jnp.issubdtype(d, np.floating) for d in (have, want))
    return floats or np.dtype(have) == np.dtype(want)


def _flatten(variables: Any) -> tuple[list[str], list[Any], Any]:
    pairs, tree = jax.tree_util.tree_flatten_with_path(variables)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in pairs]
    return names, [leaf for _, leaf in pairs], tree
