"""Work shared out among processes: every result once, errors passed on, no process left over."""

import os
import subprocess
import sys

import pytest

from input_pipeline import chunks


def halves(items):
    return [item / 2 for item in items]


def fails_at_30(items):
    if 30 in items:
        raise KeyError("thirty")
    return halves(items)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("n", [0, 1, 8, 80])
def test_every_item_once(workers, n):
    got = dict(chunks.run_chunks(halves, range(n), workers, "halving"))
    assert got == {i: i / 2 for i in range(n)}


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_are_passed_on(workers):
    with pytest.raises(KeyError, match="thirty"):
        list(chunks.run_chunks(fails_at_30, range(80), workers, "failing"))


def test_the_work_is_done_elsewhere():
    got = {pid for _, pid in chunks.run_chunks(pids, range(80), 2, "asking")}
    assert os.getpid() not in got


def test_few_items_are_not_worth_a_process():
    got = {pid for _, pid in chunks.run_chunks(pids, range(20), 2, "asking")}
    assert got == {os.getpid()}


def pids(items):
    return [os.getpid()] * len(items)


def test_processes_end_with_the_work():
    *_, last = chunks.run_chunks(pids, range(80), 2, "asking")
    assert not alive(last[1])


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_process_ends_with_its_parent():
    child = (
        "import os, time; from input_pipeline import chunks; chunks._end_with(os.getppid()); "
        "print('up', flush=True); time.sleep(120)"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"up\n"
        process.kill()
        # The pipe closes when the last process that holds it, the child, is gone.
        assert process.communicate(timeout=30) == (b"", None)
