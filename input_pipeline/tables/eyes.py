"""Whose eye a photograph shows, as far as its name tells."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

LEFT, RIGHT = "left", "right"
# A word of its own within the name: 10_left, OD-23, IM0021_R1; never the l of "lens" or "oldest".
_WORDS = {LEFT: r"left|os|oi|li|l", RIGHT: r"right|od|re|r"}
_EDGE = r"(?:^|(?<=[^a-z]))(?:{})(?=$|[^a-z])"
_PATTERNS = {side: re.compile(_EDGE.format(words)) for side, words in _WORDS.items()}


def eye(name: str) -> str:
    """'left', 'right', or '' where the name says neither or both.

    Args:
      name: of the file without its suffix, in any case.
    """
    sides = [side for side, pattern in _PATTERNS.items() if pattern.search(name.lower())]
    return sides[0] if len(sides) == 1 else ""


def patient(name: str) -> str:
    """What is left of a name without the word for its eye: the same for both eyes of a person.

    '' where the name does not say which eye, or is nothing else than that.
    """
    side = eye(name)
    if not side:
        return ""
    head = _PATTERNS[side].split(name.lower(), maxsplit=1)[0]
    return name[: len(head)].strip(" _-.")


def patients(ids: Sequence[str]) -> tuple[list[str], str]:
    """Both eyes of a person as one patient, where the names show it for some person.

    Args:
      ids: paths or names of photographs.

    Returns:
      The patient of each, its id where the name does not say; and what was done in a sentence, ''
      where no two names belong to the same patient.
    """
    ids_of_patients: list[str] = []
    for name in ids:
        path = PurePosixPath(name.replace("\\", "/"))
        whose = patient(path.stem)
        ids_of_patients.append(f"{path.parent}/{whose}".removeprefix("./") if whose else "")
    first: dict[str, tuple[str, str]] = {}  # patient -> a name and its eye
    pair = ""
    for name, whose in zip(ids, ids_of_patients, strict=True):
        side = eye(PurePosixPath(name.replace("\\", "/")).stem)
        if whose and not pair and first.setdefault(whose, (name, side))[1] != side:
            pair = f"{first[whose][0]} and {name}"
    if not pair:
        return list(ids), ""
    out = [whose or name for name, whose in zip(ids, ids_of_patients, strict=True)]
    return out, (
        f"patients by names: {pair} are one patient, {len(set(out)):,} patients in all; a column "
        "patient says otherwise"
    )
