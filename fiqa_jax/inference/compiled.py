"""Compiled programs are kept between runs: compiling a model takes longer than judging with it.

They lie in the user's cache folder (fiqa_jax/compiled in $XDG_CACHE_HOME or ~/.cache); JAX names
them after the program, its own version and the machine, so that none is used where it does not fit.
FIQA_CACHE_DIR names another folder, or says `off`. A folder that JAX_COMPILATION_CACHE_DIR or the
caller's own JAX settings name goes first. Whatever is wrong with the folder, models run without it.
"""

import contextlib
import os
import zlib
from pathlib import Path

import jax

VARIABLE = "FIQA_CACHE_DIR"
OFF = "off"
LARGEST = 64 << 20  # bytes of a program that is looked through
ZSTANDARD = b"\x28\xb5\x2f\xfd"  # begins a file of that format


def keep(folder: str | os.PathLike[str] | None = None) -> Path | None:
    """Has JAX keep compiled programs; called before the first of them is asked for.

    Args:
      folder: where; by default what FIQA_CACHE_DIR says, else the user's cache folder.

    Returns:
      The folder; None where it is switched off, JAX was told another or it cannot be used: no home,
      no right to write, or somebody else's, whose programs would be run.
    """
    if getattr(jax.config, "jax_compilation_cache_dir", None):
        return None
    try:
        place = Path(folder) if folder is not None else _usual()
        if place is None:
            return None
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(place, os.W_OK) or not _own(place):
            return None
        _drop_damaged(place)
    except (OSError, RuntimeError, ValueError):  # RuntimeError: no home; ValueError: a NUL
        return None
    jax.config.update("jax_compilation_cache_dir", str(place))
    return place


def _usual() -> Path | None:
    """The folder by the environment, None where it is switched off."""
    given = os.environ.get(VARIABLE, "")
    if given == OFF:
        return None
    base = os.environ.get("XDG_CACHE_HOME", "")
    at_home = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return Path(given).expanduser() if given else at_home / "fiqa_jax" / "compiled"


def _own(folder: Path) -> bool:
    """Whether the folder is this user's and nobody else may write into it."""
    if os.name == "nt":
        return True
    found = folder.stat()
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _drop_damaged(folder: Path) -> None:
    """Removes programs that a writer left unfinished: JAX would neither use nor replace them."""
    for file in folder.glob("*-cache"):
        with contextlib.suppress(OSError):
            if file.stat().st_size > LARGEST:
                continue
            data = file.read_bytes()
            if data[:4] == ZSTANDARD:  # looked through by JAX, which takes it where it is installed
                continue
            try:
                zlib.decompress(data)
            except zlib.error:
                file.unlink()
