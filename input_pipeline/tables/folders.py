"""The photographs of a folder, and what else lies there: one answer for every command.

A photograph ends like one (`file_type.SUFFIXES`) or begins like one. What the package wrote itself
(folders of results, drawings) is no photograph. Names that start with a dot are passed over.
"""

import dataclasses
import os
from pathlib import Path

from input_pipeline.photo import file_type

# A folder with one of these holds results: of predict, of explain, of a recipe or a stage of it.
JUDGED, EXPLAINED = "predictions.jsonl", "explanations.csv"
TABLE, RUN = "predictions.csv", "run.json"  # of predict, beside JUDGED: the same rows, what ran
PARQUET = "predictions.parquet"  # the same rows once more, where they were asked for
RESULTS = frozenset({JUDGED, EXPLAINED, "recipe.json", "stage.json"})
RESULTS_SAYS = "results of fiqa_jax, not photographs"
_SYSTEM = {"thumbs.db", "desktop.ini"}


@dataclasses.dataclass(frozen=True)
class Other:
    """Something in a folder that is not taken."""

    path: Path
    what: str  # 'a PDF document'; of a folder why it was not gone into


@dataclasses.dataclass(frozen=True)
class Found:
    """What a folder holds, in the order of names."""

    photographs: tuple[Path, ...]
    files: tuple[Other, ...]  # that are no photographs
    folders: tuple[Other, ...]  # that were not gone into


def walk(root: str | os.PathLike[str], *, recursive: bool = True) -> Found:
    """Looks a folder through; links are followed, each folder is seen once.

    Args:
      root: the folder.
      recursive: with all that is below it.
    """
    photographs: list[Path] = []
    files: list[Other] = []
    folders: list[Other] = []
    seen: set[str] = set()
    for here, below, names in os.walk(root, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:  # a link back up
            below.clear()
            continue
        seen.add(real)
        if RESULTS & {*names}:
            folders.append(Other(Path(here), RESULTS_SAYS))
            below.clear()
            continue
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if name.startswith(".") or name.lower() in _SYSTEM:
                continue
            path = Path(here, name)
            if what := file_type.other_than_photograph(path):
                files.append(Other(path, what))
            else:
                photographs.append(path)
        if not recursive:
            folders += [Other(Path(here, name), _held(Path(here, name))) for name in below]
            below.clear()
    return Found(tuple(photographs), tuple(files), tuple(folders))


def _held(folder: Path) -> str:
    """Why a folder was not gone into: what it is, or how many files it holds."""
    count = 0
    for here, below, names in os.walk(folder):
        if RESULTS & {*names}:
            if Path(here) == folder:
                return RESULTS_SAYS
            below.clear()
            continue
        below[:] = [name for name in below if not name.startswith(".")]
        count += sum(not name.startswith(".") for name in names)
    return f"{count:,} file{'s' if count != 1 else ''} not looked at"
