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


@pytest.mark.parametrize(
    ("failed", "total", "status"), [(0, 5, 0), (2, 5, 3), (5, 5, 4), (0, 0, 0)]
)
def test_the_status_of_work_over_files(failed, total, status):
    assert command.of_files(failed, total) == status
    assert command.run("tool", lambda: command.of_files(failed, total)) == status


def test_no_memory_and_no_number_are_one_line(capsys):
    assert command.run("tool", fail(MemoryError())) == 1
    assert command.run("tool", fail(FloatingPointError("step 3: loss not finite"))) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "tool: MemoryError: there is not enough memory",
        "tool: step 3: loss not finite",
    ]


def test_control_characters_do_not_reach_the_terminal(capsys):
    assert command.run("tool", fail(ValueError("bad\x1b[31mname\u202e.jpg"))) == 1
    assert capsys.readouterr().err == "tool: bad\\x1b[31mname\\u202e.jpg\n"


TERMINATED = """
import os, signal, sys
from fiqa_jax import command
def work():
    if {gently}:
        with command.gently() as asked:
            os.kill(os.getpid(), signal.SIGTERM)
            print("flag", asked())
            if {says}:
                raise command.Stopped("step 7 is saved")
    else:
        os.kill(os.getpid(), signal.SIGTERM)
    print("not here")
sys.exit(command.run("tool", work))
"""


@pytest.mark.parametrize(
    ("gently", "says", "out", "err"),
    [
        (False, False, "", "tool: asked to stop\n"),
        (True, True, "flag True\n", "tool: asked to stop: step 7 is saved\n"),
        (True, False, "flag True\n", "tool: asked to stop\n"),
    ],
)
def test_sigterm(gently, says, out, err):
    code = TERMINATED.format(gently=gently, says=says)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (143, out, err)
