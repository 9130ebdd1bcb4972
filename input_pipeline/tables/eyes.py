"""Whose eye a photograph shows, as far as its name tells."""

import collections
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

LEFT, RIGHT = "left", "right"
# A word of its own within the name: 10_left, OD-23, IM0021_R1; never the l of "lens" or "oldest".
_WORDS = {LEFT: r"left|os|oi|li|l", RIGHT: r"right|od|re|r"}
_EDGE = r"(?:^|(?<=[^a-z]))(?:{})(?=$|[^a-z])"
_PATTERNS = {side: re.compile(_EDGE.format(words)) for side, words in _WORDS.items()}
_DATE = re.compile(r"(?:19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d")
_JOINTS = " _-."
_NUMBER = 3  # digits of a patient's number; fewer count the photographs of an eye


class _Parts(NamedTuple):
    """A name: what stands before the word for its eye, which eye, what stands behind."""

    head: str
    side: str
    tail: str

    @property
    def whole(self) -> str:
        return "_".join(part for part in (self.head, self.tail) if part)


def eye(name: str) -> str:
    """'left', 'right', or '' where the name says neither or both.

    Args:
      name: of the file without its suffix, in any case.
    """
    sides = [side for side, pattern in _PATTERNS.items() if pattern.search(name.lower())]
    return sides[0] if len(sides) == 1 else ""


def patient(name: str) -> str:
    """What is left of a name without the word for its eye: the same for both eyes of a person.

    What stands before the word where it has a number (P23-OD-2 is P23's) or none of two digits
    stands behind it; else (IMG_OD_4711) both. A date is no number. '' where the name does not say
    which eye, or is nothing else than that.
    """
    parts = _parted(name)
    return _whose([parts], alone=False)[0] if parts.side else ""


def patients(ids: Sequence[str]) -> tuple[list[str], str]:
    """Both eyes of a person as one patient, where the names show it for some person.

    Names of one folder that have the same before the word for their eye are looked at together:
    a number behind it tells patients apart where what stands before cannot (fundus_left_001,
    visit1_OD_4711), and counts photographs where it can (smith_left_1 among other names).

    Args:
      ids: paths or names of photographs.

    Returns:
      The patient of each, its id where the name does not say; and what was done in a sentence, ''
      where no two names belong to the same patient.
    """
    paths = [PurePosixPath(name.replace("\\", "/")) for name in ids]
    parts = [_parted(path.stem) for path in paths]
    groups: dict[tuple[str, str], list[int]] = collections.defaultdict(list)
    for at, (path, one) in enumerate(zip(paths, parts, strict=True)):
        if one.side:
            groups[str(path.parent), one.head].append(at)
    alone = len({head for _, head in groups}) == 1
    who = [""] * len(ids)
    for (folder, _), members in groups.items():
        for at, name in zip(members, _whose([parts[at] for at in members], alone), strict=True):
            who[at] = f"{folder}/{name}".removeprefix("./") if name else ""
    first: dict[str, int] = {}  # patient -> the place of a photograph
    pair = ""
    for at, whose in enumerate(who):
        if whose and not pair and parts[first.setdefault(whose, at)].side != parts[at].side:
            pair = f"{ids[first[whose]]} and {ids[at]}"
    if not pair:
        return list(ids), ""
    out = [whose or name for name, whose in zip(ids, who, strict=True)]
    return out, (
        f"patients by names: {pair} are one patient, {len(set(out)):,} patients in all; a column "
        "patient says otherwise"
    )


def _parted(name: str) -> _Parts:
    side = eye(name)
    word = _PATTERNS[side].search(name.lower()) if side else None
    if word is None:
        return _Parts(name, "", "")
    head, tail = name[: word.start()], name[word.end() :]
    return _Parts(head.strip(_JOINTS), side, tail.strip(_JOINTS))


def _whose(parts: Sequence[_Parts], alone: bool) -> list[str]:
    """The patients of names with one head; `alone`: no other name has another head."""
    head = parts[0].head
    if _digits(head):
        left, right = ({p.tail for p in parts if p.side == side} for side in (LEFT, RIGHT))
        by_tail = sum(_digits(tail) >= _NUMBER for tail in left & right) > 1
    else:
        named = any(map(str.isalpha, head))
        by_tail = not named or any(_digits(p.tail) >= (1 if alone else 2) for p in parts)
    return [part.whole if by_tail else head for part in parts]


def _digits(text: str) -> int:
    """Digits of a name besides those of a date."""
    return sum(map(str.isdigit, _DATE.sub("", text)))
