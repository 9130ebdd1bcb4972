"""Freed memory is kept for the next photograph."""

import numpy as np
import pytest

from input_pipeline import memory


def test_reading_on_and_on_takes_no_new_memory_from_the_system():
    if not memory.keep_freed():
        pytest.skip("this C library has no such setting")
    resource = pytest.importorskip("resource")

    def faults():
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    def work(n):  # 90 MB at a time, more than what glibc keeps of its own accord
        for _ in range(n):
            kept = [np.ones(30 << 20, np.uint8) for _ in range(3)]
            del kept

    work(3)
    before = faults()
    work(10)
    assert faults() - before < 1000  # about 10,000 without the setting
