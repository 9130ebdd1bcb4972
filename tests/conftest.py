"""Strict switches for every test: eight CPU devices, rank promotion raises, warnings are errors."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("FIQA_CACHE_DIR", "off")  # nothing is written into the user's folders
# Programs in tests run for milliseconds and compile for seconds: LLVM's optimisation is left out.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

from fiqa_jax.training import xla_flags

xla_flags.prefer_own_convolutions()

import jax
import pytest
import whole_run
from absl import flags

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")

if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data():
    """Root of the real photographs, or a skip that says what is missing."""
    if not SHARED.is_dir():
        pytest.skip("real photographs are not here: ../shared/data is absent")
    return SHARED


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory):
    """One run of all methods without TensorFlow, also for all workers: see whole_run.py."""
    base = tmp_path_factory.getbasetemp()
    return whole_run.shared(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)
