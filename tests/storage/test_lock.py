"""One run to a folder, until its process ends, however it ends."""

import os
import signal
import subprocess
import sys

import pytest

from input_pipeline import lock

HOLDS = """
import sys, time
from pathlib import Path
from input_pipeline import lock
with lock.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_run_is_told_who_holds_the_folder(tmp_path):
    mine = f"process {os.getpid()} on "
    with lock.held(tmp_path), pytest.raises(lock.InUseError, match=mine), lock.held(tmp_path):
        raise AssertionError("held twice")
    with lock.held(tmp_path):
        pass


def test_a_killed_process_holds_nothing(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(lock.InUseError, match=f"process {child.pid} on "), lock.held(tmp_path):
            raise AssertionError("held twice")
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    with lock.held(tmp_path):
        assert (tmp_path / lock.OWNER).is_file()
    assert not (tmp_path / lock.OWNER).exists()
