"""Text that came from file names and tables, in files and terminals that others read.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, a terminal obeys
control characters, and some readers end a line at more characters than the newline. Cells of the
first kind get an apostrophe in front, which `read_cell` takes away again; numbers never do.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# What csv would leave bare: every end of a line that some reader knows, and blanks at the ends.
_QUOTED = re.compile(r'[",\t\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]|^\s|\s$')
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)", re.IGNORECASE)
# Categories that are not for showing: controls, directions of writing, lone surrogates.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_ENDS = re.compile("[\x85\u2028\u2029]")


def cell(text: str) -> str:
    """Text as a cell of a CSV that a spreadsheet takes for text; see `read_cell`."""
    if not _FORMULA.match(text) or _NUMBER.fullmatch(text):
        return text
    return f"'{text}"


def read_cell(text: str) -> str:
    """What `cell` was given."""
    return text[1:] if _ESCAPED.match(text) else text


def csv_line(values: Iterable[Any]) -> str:
    """One line of a CSV: None is empty, numbers as Python writes them, text as `cell` has it."""
    return ",".join(_field(value) for value in values) + "\n"


def _field(value: Any) -> str:
    if value is None:
        return ""
    text = cell(value) if isinstance(value, str) else str(value)
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def json_line(value: Mapping[str, Any]) -> str:
    """One line of a JSONL file, which every reader takes for one line."""
    text = json.dumps(value, ensure_ascii=False)
    return _ENDS.sub(_escape, text).encode("utf-8", "backslashreplace").decode() + "\n"


def printable(text: str, keep: Sequence[str] = ("\n",)) -> str:
    r"""Text for a terminal or a page: what is not for showing as `\x1b`, `\u202e` and so on."""
    return _HIDDEN.sub(lambda m: m[0] if m[0] in keep else _escape(m), text)


def _escape(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}"


def anchored(path: str) -> str:
    """A relative path that a spreadsheet or a command line would take for something else, as `./`.

    Args:
      path: relative or absolute, as text.
    """
    return f"./{path}" if path[:1] in ("=", "+", "-", "@", "\t", "\r") else path


def as_text(name: str) -> str:
    """A file name, or text with one, as UTF-8; bytes that are none become a replacement mark."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
