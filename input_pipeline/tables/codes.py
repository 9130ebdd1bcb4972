"""Words and numbers of label columns, turned into codes where higher is worse.

Data sets code quality in opposite ways, so that a bare number says nothing: it is refused until a
mapping says what it means. Every function reports the raw values it saw.
"""

import collections
import re
from collections.abc import Mapping, Sequence

import numpy as np

from input_pipeline.tables.examples import GRADABLE, QUALITY
from input_pipeline.tables.table_error import Setting, TableError

DROP = "drop"  # rows of a code mapped to this are left out

QUALITY_WORDS = {
    "good": "good",
    "usable": "usable",
    "reject": "reject",
    "bad": "reject",
    "gradable": "gradable",
    "ungradable": "ungradable",
}
_UNGRADABLE = {"good": 0, "usable": 0, "gradable": 0, "reject": 1, "ungradable": 1}
_TRUTH = {"0": 0, "1": 1, "no": 0, "yes": 1, "false": 0, "true": 1}


def as_pairs(pairs: Mapping[str, str] | Sequence[Sequence[str]], field: str) -> dict[str, str]:
    """A config's tuple of (key, value) pairs as a dict of str.

    Args:
      pairs: a mapping, or pairs.
      field: of the config, for the message.

    Raises:
      TableError: something that is no pair.
    """
    if isinstance(pairs, Mapping):
        return {str(k): str(v) for k, v in pairs.items()}
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2:
            raise TableError(f"{field} holds {pair!r}; expected pairs such as (('0', 'good'), ...)")
    return {str(k): str(v) for k, v in pairs}


def quality(
    values: Sequence[str],
    lines: Sequence[int],
    column: str,
    codes: Mapping[str, str],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Overall grades.

    Args:
      values: N raw cells; an empty one is an absent label.
      lines: N line numbers, for messages.
      column: its name, for messages.
      codes: raw value -> 'good' | 'usable' | 'reject' | 'gradable' | 'ungradable' | '' (absent) |
        'drop' (leave the row out). Words of that list, and 'bad' for 'reject', need no entry.

    Returns:
      quality [N] int32 (0 good, 1 usable, 2 reject), ungradable [N] int32, keep [N] bool, and a
      sentence on the raw values. A two-class word leaves quality absent (-1).

    Raises:
      TableError: a number or word without a meaning.
    """
    targets = {*QUALITY, *GRADABLE, "", DROP}
    for raw, word in codes.items():
        if word not in targets:
            raise TableError(
                f"data.quality_codes maps {raw!r} to {word!r}; expected one of {sorted(targets)}"
            )
    known = QUALITY_WORDS | {_plain(raw): word for raw, word in codes.items()} | {"": ""}
    plain = [_plain(value) for value in values]
    unknown = [value for value in plain if value not in known]
    if any(_is_number(value) for value in unknown):
        raise TableError(
            f"{_first(plain, lines, unknown, column)}: numbers have no meaning of their own here. "
            "EyeQ's 0 is good, but EyeQ-D's and MKCNet's 0 is reject. Say what they mean, for "
            "instance "
            f"{Setting('data.quality_codes')}=\"(('0','good'),('1','usable'),('2','reject'))\""
        )
    if unknown:
        raise TableError(
            f"{_first(plain, lines, unknown, column)}: expected {', '.join(QUALITY_WORDS)} or an "
            "empty cell. Map other words by "
            f"{Setting('data.quality_codes', '{name}')}; a code mapped to 'drop' leaves its rows "
            "out"
        )
    words = [known[value] for value in plain]
    grade = {word: code for code, word in enumerate(QUALITY)}
    return (
        np.array([grade.get(word, -1) for word in words], np.int32),
        np.array([_UNGRADABLE.get(word, -1) for word in words], np.int32),
        np.array([word != DROP for word in words], bool),
        _seen(column, plain, {raw: known[raw] or "absent" for raw in set(plain)}),
    )


def binary(
    values: Sequence[str], lines: Sequence[int], column: str, invert: bool
) -> tuple[np.ndarray, str]:
    """0/1, no/yes or false/true as [N] int32, -1 absent, and a sentence on the raw values.

    Args:
      values: N raw cells.
      lines: N line numbers.
      column: its name.
      invert: 1 becomes 0 and 0 becomes 1, for 'gradable'.

    Raises:
      TableError: any other value.
    """
    known = {raw: code ^ int(invert) for raw, code in _TRUTH.items()} | {"": -1}
    plain = [_plain(value) for value in values]
    unknown = [value for value in plain if value not in known]
    if unknown:
        raise TableError(
            f"{_first(plain, lines, unknown, column)}: expected 0 or 1 (or no / yes, false / "
            "true), or an empty cell"
        )
    names = {raw: GRADABLE[known[raw]] if raw else "absent" for raw in set(plain)}
    return np.array([known[v] for v in plain], np.int32), _seen(column, plain, names)


def with_binary(
    ungradable: np.ndarray | None,
    codes: np.ndarray,
    keep: np.ndarray,
    lines: Sequence[int],
    column: tuple[str, str],
) -> np.ndarray:
    """What a column of two classes says, and where it says nothing what the grade said.

    Args:
      ungradable: [N] of the grade, -1 absent; None: there is none.
      codes: [N] of the column, -1 absent; `keep`: [N] bool, rows that count.
      lines: [N] of the file; `column`: our name for it and its own.

    Returns:
      [N] 0 gradable, 1 ungradable, -1 absent.

    Raises:
      TableError: a row whose column contradicts its grade.
    """
    if ungradable is None:
        return codes
    clash = np.flatnonzero((codes >= 0) & (ungradable >= 0) & (codes != ungradable) & keep)
    if len(clash):
        purpose, name = column
        leave_out = f"(('{purpose}',''),)"
        raise TableError(
            f"line {lines[clash[0]]}: {name!r} contradicts the other grade of the row, as in "
            f"{len(clash)} rows; correct them, or leave a column out by "
            f'{Setting("data.columns")}="{leave_out}"'
        )
    return np.where(codes >= 0, codes, ungradable)


def detail(
    values: Sequence[str], lines: Sequence[int], column: str, code: str
) -> tuple[np.ndarray, str]:
    """One defect as [N] int8: 1 = it is there, -1 absent; and a sentence on the raw values.

    Args:
      values: N raw cells: good / bad, or 0 / 1.
      lines: N line numbers.
      column: its name.
      code: what 1 means: 'defect' | 'good' | '' (not said: numbers are refused).

    Raises:
      TableError: a value or code without a meaning.
    """
    if code not in ("defect", "good", ""):
        raise TableError(f"data.detail_code is {code!r}, expected 'defect', 'good' or ''")
    numbers = {"": {}, "defect": {"0": 0, "1": 1}, "good": {"0": 1, "1": 0}}[code]
    known = {"good": 0, "bad": 1, "": -1} | numbers
    plain = [_plain(value) for value in values]
    unknown = [value for value in plain if value not in known]
    if unknown and not code and any(value in ("0", "1") for value in unknown):
        raise TableError(
            f"{_first(plain, lines, unknown, column)}: some sets write 1 for good, some for the "
            "defect. Set "
            f"{Setting('data.detail_code')}=good or =defect: what 1 means"
        )
    if unknown:
        raise TableError(
            f"{_first(plain, lines, unknown, column)}: expected good, bad"
            f"{', 0, 1' if code else ''} or an empty cell"
        )
    words = {0: "fine", 1: "defect", -1: "absent"}
    names = {raw: words[known[raw]] for raw in set(plain)}
    return np.array([known[v] for v in plain], np.int8), _seen(column, plain, names)


def diagnosis(
    values: Sequence[str],
    lines: Sequence[int],
    column: str,
    names: Sequence[str],
    merge: Sequence[int] = (),
) -> tuple[np.ndarray, str]:
    """Diagnoses as [N] int32 places in `names`, -1 absent, and a sentence on the raw values.

    Args:
      values: N raw cells: names, or numbers from 0 in the order of `names`, or of `merge`.
      lines: N line numbers.
      column: its name.
      names: of the classes.
      merge: class of each number of the table, such as (0, 1, 1, 1, 1) for five grades of
        retinopathy as none and any; () where the numbers are the classes.

    Raises:
      TableError: any other value, or a `merge` that is not about these classes.
    """
    if merge and {*merge} != {*range(len(names))}:
        raise TableError(
            f"data.merge is {tuple(merge)}, expected the class of each number in the table, every "
            f"place in {tuple(names)} (data.diagnosis) among them"
        )
    numbers = merge or range(len(names))
    known = {_plain(name): code for code, name in enumerate(names)}
    known = {str(number): code for number, code in enumerate(numbers)} | known | {"": -1}
    plain = [_plain(value) for value in values]
    unknown = [value for value in plain if value not in known]
    if unknown:
        raise TableError(
            f"{_first(plain, lines, unknown, column)}: expected one of {tuple(names)} ("
            f"{Setting('data.diagnosis', '{name}')}), a number from 0 to {len(numbers) - 1}, or "
            "an empty cell"
        )
    meant = {raw: names[known[raw]] if raw else "absent" for raw in set(plain)}
    return np.array([known[v] for v in plain], np.int32), _seen(column, plain, meant)


def _plain(value: str) -> str:
    """Lower case without blanks around; 1.0 as 1, for tables that went through a data frame."""
    text = str(value).strip().casefold()
    return re.sub(r"^(-?\d+)\.0+$", r"\1", text)


def _is_number(value: str) -> bool:
    return re.fullmatch(r"[-+]?\d+(\.\d+)?", value) is not None


def _first(plain: list[str], lines: Sequence[int], unknown: list[str], column: str) -> str:
    """'line 7, column 'quality': 'poor' (and 12 more rows with 'poor', 'fair')'."""
    place = plain.index(unknown[0])
    others = ", ".join(repr(v) for v in sorted(set(unknown))[:5])
    more = f" (and {len(unknown) - 1} more rows, with {others})" if len(unknown) > 1 else ""
    return f"line {lines[place]}, column {column!r}: {unknown[0]!r}{more}"


def _seen(column: str, plain: list[str], names: Mapping[str, str]) -> str:
    counts = sorted(collections.Counter(plain).items())
    counted = ", ".join(f"{raw or 'empty'!r} {n} times -> {names[raw]}" for raw, n in counts)
    return f"column {column!r}: {counted}"
