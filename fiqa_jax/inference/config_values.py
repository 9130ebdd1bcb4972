"""What a value of a JSON file may be: kinds with ranges, and one clear error for each that is not.

A check takes (value, where) and raises `ConfigError`; checks are put together from smaller ones.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from input_pipeline import plain_text

Check = Callable[[Any, str], None]

SHOWN = 60  # characters of a value in a message


class ConfigError(ValueError):
    """A value that cannot be used: where it stands, what was seen, what was expected."""


def wrong(value: Any, where: str, expected: str) -> ConfigError:
    """The error for a value at a place."""
    seen = plain_text.printable(repr(value), keep=())
    seen = seen if len(seen) <= SHOWN else f"{seen[:SHOWN]}..."
    return ConfigError(f"{where} is {seen}; expected {expected}")


def number(low: float, high: float, *, above: bool = False) -> Check:
    """A finite number in [low, high]; with `above`, not low itself."""
    expected = f"a number {'above' if above else 'from'} {low:g} {'and up ' if above else ''}to "

    def check(value: Any, where: str) -> None:
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        good = good and abs(value) <= 1e300 and math.isfinite(value)
        if not good or not low <= value <= high or (above and value == low):
            raise wrong(value, where, f"{expected}{high:g}")

    return check


def whole(low: int, high: int) -> Check:
    """A whole number in [low, high]."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise wrong(value, where, f"a whole number from {low} to {high}")

    return check


def text(pattern: str, expected: str, longest: int = 200) -> Check:
    """Text that matches a pattern in whole."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, str) or len(value) > longest or not re.fullmatch(pattern, value):
            raise wrong(value, where, f"{expected}, {longest} characters at most")

    return check


def one_of(*values: Any) -> Check:
    """One of a few values, of the same type."""

    def check(value: Any, where: str) -> None:
        if not any(type(value) is type(v) and value == v for v in values):
            raise wrong(value, where, f"one of {', '.join(map(repr, values))}")

    return check


def either(first: Check, *others: Any) -> Check:
    """What a check lets pass, or one of a few values (such as None)."""

    def check(value: Any, where: str) -> None:
        if not any(value is v for v in others):
            first(value, where)

    return check


def sequence(each: Check, longest: int, shortest: int = 0, *, distinct: bool = False) -> Check:
    """A list of so many entries."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, list) or not shortest <= len(value) <= longest:
            count = f"{shortest} to {longest}" if shortest < longest else f"{longest}"
            raise wrong(value, where, f"a list of {count} entries")
        for place, entry in enumerate(value):
            each(entry, f"{where}[{place}]")
        if distinct and len({str(entry) for entry in value}) < len(value):
            raise wrong(value, where, "entries that differ")

    return check


def table(each: Check, key: Check, longest: int) -> Check:
    """An object whose names and values pass a check each."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict) or len(value) > longest:
            raise wrong(value, where, f"an object of {longest} entries at most")
        for name, entry in value.items():
            key(name, f"a name in {where}")
            each(entry, f"{where}.{name}")

    return check


def record(fields: Mapping[str, Check], optional: Mapping[str, Check], *, more: bool) -> Check:
    """An object with these fields, and with others if `more`."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise wrong(value, where, "an object")
        prefix = f"{where}." if where else ""
        for name, one in fields.items():
            if name not in value:
                raise ConfigError(f"{prefix}{name} is missing; copy the file again")
            one(value[name], f"{prefix}{name}")
        for name, one in optional.items():
            if name in value:
                one(value[name], f"{prefix}{name}")
        if unknown := [n for n in value if n not in fields and n not in optional and not more]:
            known = ", ".join(sorted({*fields, *optional}))
            raise wrong(unknown[0], f"a name in {where or 'it'}", f"one of {known}")

    return check


def like(default: Any, limits: Mapping[str, int], name: str) -> Check:
    """A value of a setting's own kind: that of its default, numbers within bounds.

    Args:
      default: bool, int, float, str, None, or a tuple of such.
      limits: largest whole number by name of the setting.
      name: of the setting.
    """
    largest = limits.get(name, 1 << 20)
    if isinstance(default, bool):
        return one_of(True, False)
    if isinstance(default, int):
        return whole(-1, largest)
    if isinstance(default, float):
        return number(-1e6, 1e6)
    if isinstance(default, str):
        return text(r"[\w|().,+* -]*", "a word")
    if isinstance(default, tuple):
        return sequence(_entry(largest), 16)
    return lambda value, where: None


def _entry(largest: int) -> Check:
    def check(value: Any, where: str) -> None:
        if isinstance(value, str):
            text(r"[\w -]*", "a word")(value, where)
        else:
            whole(0, largest)(value, where)

    return check
