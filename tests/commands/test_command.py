"""What a person sees when a command cannot do its work."""

import subprocess
import sys

import pytest

from fiqa_jax import command


def fail(error):
    def work():
        raise error

    return work


def test_errors_that_say_what_to_do_become_one_line(capsys):
    assert command.run("tool", fail(ValueError("row 3 is empty; fill it"))) == 1
    assert capsys.readouterr().err == "tool: row 3 is empty; fill it\n"
    assert command.run("tool", fail(FileNotFoundError(2, "No such file", "x"))) == 1
    assert capsys.readouterr().err == "tool: [Errno 2] No such file: 'x'\n"


def test_stopping_is_no_error_message(capsys):
    assert command.run("tool", fail(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "\ntool: stopped\n"


def test_mistakes_in_the_program_keep_their_traceback():
    with pytest.raises(TypeError):
        command.run("tool", fail(TypeError("a bug")))


def test_done():
    assert command.run("tool", lambda: None) == 0


@pytest.mark.parametrize("lines", [1, 100_000])  # all in the buffer at the end, or far more
def test_a_reader_that_leaves_is_no_error(lines):
    code = f"""
import sys
from fiqa_jax import command
sys.stdin.read()
sys.exit(command.run("tool", lambda: print("\\n".join(["line"] * {lines}))))
"""
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    child.stdout.close()  # before anything is printed
    _, err = child.communicate("")
    assert (child.returncode, err) == (141, "")
