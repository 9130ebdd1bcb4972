"""Killed at a random step and started again: bit for bit the undisturbed run.

The undisturbed run has TensorFlow blocked and reads with threads; the killed one reads with
tf.data. One comparison so holds resume, both drivers and the absence of TensorFlow.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.whole

ROOT = Path(__file__).resolve().parents[2]
BLOCKED = """
import sys
for name in ("tensorflow", "tensorboard", "tensorflow_datasets"):
    sys.modules[name] = None
from fiqa_jax import main
main.run()
"""
STEPS = 24


def command(workdir, driver):
    return [
        "--config",
        str(ROOT / "configs" / "multitask.py:tiny,single"),
        f"--workdir={workdir}",
        f"--config.data.driver={driver}",
        f"--config.train.steps={STEPS}",
        "--config.train.save_every=0.1",
        "--config.train.eval_every=0.25",
        "--config.train.log_every=1",
        "--config.optim.ema=0.9",
    ]


def environment(cache):
    return {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    root = tmp_path_factory.mktemp("resume")
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, *command(root / "whole", "threads")],
        cwd=ROOT,
        env=environment(root / "compiled"),
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return root


def lines(workdir):
    path = workdir / "single" / "metrics.jsonl"
    return path.read_text().count("\n") if path.is_file() else 0


def test_killed_run_equals_undisturbed(undisturbed):
    root = undisturbed
    killed = root / "killed"
    at = random.randrange(2, STEPS - 2)
    print(f"killed once {at} lines are logged")
    arguments = [sys.executable, "-m", "fiqa_jax.main", *command(killed, "tfdata")]
    first = subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=environment(root / "compiled"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while lines(killed) < at:
            assert first.poll() is None, "ended before it could be killed"
            time.sleep(0.005)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert not (killed / "single" / "stage.json").exists()
    again = subprocess.run(
        arguments,
        cwd=ROOT,
        env=environment(root / "compiled"),
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert again.returncode == 0, again.stdout[-2000:] + again.stderr[-3000:]
    for name in (
        "single/metrics.jsonl",
        "single/model/model.safetensors",
        "single/predictions_test.csv",
        "calibrated/model/config.json",
    ):
        whole, resumed = (root / "whole" / name), (killed / name)
        assert whole.read_bytes() == resumed.read_bytes(), f"{name} differs (killed at {at})"


def test_tensorboard_only_where_tensorflow_is(undisturbed):
    root = undisturbed
    assert not (root / "whole" / "single" / "tensorboard").exists()
