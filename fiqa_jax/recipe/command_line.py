"""The command line of a recipe: where its config lies, and settings that are not there."""

import difflib
import re
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from fiqa_jax import command

_NO_FIELD = (AttributeError, KeyError, TypeError)  # of ml_collections, for one that is not there
# People who come from TFDS call a folder of photographs that.
_FOLDER = re.compile(r"^(--?config\.(?:stage\.\w+\.)?data)\.dir(?==|$)")


def find_config(path: str) -> str:
    """The config as given if it is there, else the packaged one of the same file name.

    Raises:
      SystemExit: neither is there; lists the packaged ones.
    """
    name, colon, argument = path.partition(":")
    if Path(name).is_file():
        return path
    here = Path(__file__).parents[1]
    folders = [p for p in (here / "_configs", here.parent / "configs") if p.is_dir()]
    for folder in folders:
        if (folder / Path(name).name).is_file():
            return f"{folder / Path(name).name}{colon}{argument}"
    known = sorted({p.name for f in folders for p in f.glob("*.py")})
    raise SystemExit(f"no config at {name}, and the package has only {', '.join(known)}")


def resolved(argv: Sequence[str]) -> list[str]:
    """The command line with the config's path as it was found, and `data.dir` as `data.path`."""
    out = [_FOLDER.sub(r"\1.path", word) for word in argv]
    for i, word in enumerate(out):
        if word.startswith(("--config=", "-config=")):
            flag, _, path = word.partition("=")
            out[i] = f"{flag}={find_config(path)}"
        elif word in ("--config", "-config") and i + 1 < len(out):
            out[i + 1] = find_config(out[i + 1])
    return out


def parse(argv: Sequence[str]) -> list[str]:
    """Parses the flags of a command line that `found` gave.

    Raises:
      SystemExit: an argument behind the config's colon that it refuses, or a setting that it does
        not have; names it and those that are there. With status 2: a flag that there is not.
    """
    if wrong := refused(argv):
        raise SystemExit(wrong)
    try:
        return flags.FLAGS(list(argv))
    except flags.Error as error:
        print(f"fiqa_jax.main: {error}; --help lists the flags", file=sys.stderr)
        raise SystemExit(command.USAGE) from None
    except _NO_FIELD:
        if wrong := unknown(argv):
            raise SystemExit(wrong) from None
        raise


def refused(argv: Sequence[str]) -> str:
    """What a config says of the text behind its colon, where it does not take it; '' else."""
    name, argument = _config(argv)
    try:
        if name:
            runpy.run_path(name)["get_config"](argument)
    except ValueError as error:
        return str(error)
    return ""


def _config(argv: Sequence[str]) -> tuple[str, str]:
    """The config's file and the text behind its colon; two '' where none is given."""
    line = re.search(r"^--?config[=\n](.*)$", "\n".join(argv), re.MULTILINE)
    name, _, argument = line[1].partition(":") if line else ("", "", "")
    return name, argument


def unknown(argv: Sequence[str]) -> str:
    """What to say of the first setting that the config does not have; '' if it has all."""
    name, argument = _config(argv)
    if not name:
        return ""
    config: Any = runpy.run_path(name)["get_config"](argument)
    for word in argv:
        if not re.match(r"--?config\.", word):
            continue
        flag = word.partition("=")[0]
        here: Any = config
        path = flag.split(".")[1:]
        for depth, field in enumerate(path):
            if not isinstance(here, ConfigDict):
                return f"{flag}: {'.'.join(path[:depth])} is a value, there are no fields in it"
            if field not in here:
                near = difflib.get_close_matches(field, list(here), 1)
                place = f"config.{'.'.join(path[:depth])}".rstrip(".")
                meant = f" (did you mean {near[0]}?)" if near else ""
                return f"{flag}: no {field} in {place}{meant}; there are {', '.join(sorted(here))}"
            here = here[field]
    return ""
