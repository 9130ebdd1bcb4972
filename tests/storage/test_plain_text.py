"""Text of file names and tables: cells, lines, terminals; numbers stay as they are."""

import csv
import io
import json

import pytest

from input_pipeline import atomic, plain_text

FORMULAS = ["=1+1", "+x", "-2+3", "@SUM(1)", "\tx", "\rx", "=", "'=1", "''-x", "-"]
PLAIN = ["", "a", "-1", "+2.5e-3", "-inf", "'quoted'", "a=b", "é", "1,5", 'q"q', "'", "--1x"[2:]]


@pytest.mark.parametrize("text", FORMULAS + PLAIN)
def test_a_cell_is_read_back(text):
    cell = plain_text.cell(text)
    assert plain_text.read_cell(cell) == text
    assert (cell != text) == (text in FORMULAS)
    assert cell[:1] not in "=+@\t\r" or not cell or text in PLAIN


def test_every_end_of_a_line_is_quoted():
    ends = ["a\rb", "a\nb", "a\u2028b", "a\x85b", "a\x0cb", " a", "a\t"]
    line = plain_text.csv_line([*ends, None, 1.5, 2, "plain"])
    assert next(csv.reader(io.StringIO(line, newline=""))) == [*ends, "", "1.5", "2", "plain"]
    assert line.endswith(",,1.5,2,plain\n")


def test_a_line_of_json_is_one_line():
    value = {"path": "a\u2028b\u2029c\x85d\ne", "n": 1}
    line = plain_text.json_line(value)
    assert line.splitlines() == [line[:-1]]
    assert json.loads(line) == value


def test_control_characters_and_directions_are_spelt_out():
    assert plain_text.printable("a\x1b[31m\u202eb\n") == "a\\x1b[31m\\u202eb\n"
    assert plain_text.printable("a\nb", keep=()) == "a\\x0ab"
    assert plain_text.printable("眼底 é") == "眼底 é"


def test_a_table_on_disk(tmp_path):
    atomic.write_csv(tmp_path / "t.csv", ("id", "score"), [("=x", -1.5), ("-7", -2)])
    assert (tmp_path / "t.csv").read_text() == "id,score\n'=x,-1.5\n-7,-2\n"


def test_a_name_as_long_as_a_file_system_takes(tmp_path):
    for name in ("x" * 255, "é" * 127):
        atomic.write(tmp_path / name, b"1")
        assert (tmp_path / name).read_bytes() == b"1"
    assert len(list(tmp_path.iterdir())) == 2
