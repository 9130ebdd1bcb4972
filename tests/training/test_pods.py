"""A pod rehearsed: two processes of two CPU devices equal one process of four, and hand over."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fiqa_jax import command, methods

pytestmark = pytest.mark.whole

# What trains, beside multitask and mkcnet, which have tests of their own below.
REHEARSED = {
    "adapter": "test_efiqa_adapter",
    "cell_grades": "test_efiqa_grades",
    "eyequal": "test_eyequal",
    "grader": "test_grader",
    "inpaint": "test_efiqa_inpaint",
    "nnpu": "test_efiqa_cp",
    "pretrain": "test_mae",
    "vessels": "test_vessels",
}

WORKER = Path(__file__).parents[1] / "pod_worker.py"


def free_port():
    with socket.socket() as s:
        s.bind(("localhost", 0))
        return s.getsockname()[1]


def start(kind, directory, processes, steps, die_at, cache, modules=("test_devices",), how="exit"):
    """Starts the workers together; their exit codes, and what they print."""
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    port = free_port()
    made = [
        subprocess.Popen(
            [
                sys.executable,
                WORKER,
                kind,
                *map(str, (p, processes, port, directory, steps, die_at, how, *modules)),
            ],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for p in range(max(processes, 1))
    ]
    output = [m.communicate(timeout=400)[0] for m in made]
    return [m.returncode for m in made], "\n".join(output)


def run(kind, directory, processes, cache, steps=4, die_at=99, module="test_devices"):
    codes, output = start(kind, directory, processes, steps, die_at, cache, [module])
    assert codes == [0] * len(codes), output[-3000:]
    return dict(np.load(directory / "final.npz"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The undisturbed run of one process, and the folder of compiled programs."""
    root = tmp_path_factory.mktemp("pods")
    return run("jit", root / "alone", 0, root / "compiled"), root


def assert_close(got, want):
    assert got.keys() == want.keys()
    for name in want:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("kind", ["jit", "pmap"])
def test_two_processes_equal_one(alone, kind):
    want, root = alone
    assert_close(run(kind, root / kind, 2, root / "compiled"), want)


def test_the_two_levels_of_mkcnet_on_two_processes(tmp_path):
    """theta, phi, both optimisers and all statistics after two steps."""
    how = {"cache": tmp_path / "compiled", "steps": 2, "module": "test_mkcnet"}
    want = run("jit", tmp_path / "alone", 0, **how)
    assert any("meta" in name for name in want)
    assert_close(run("pmap", tmp_path / "pmap", 2, **how), want)


def test_two_processes_checkpoint_resumes_in_one(alone):
    """Both die before step 3; one process takes the checkpoint of step 2 to the end."""
    want, root = alone
    directory = root / "handed-over"
    codes, output = start("jit", directory, 2, 4, 3, root / "compiled")
    assert all(code != 0 for code in codes), output[-3000:]
    assert (directory / "checkpoints").is_dir()
    kept = sorted(int(p.name) for p in (directory / "checkpoints").iterdir() if p.name.isdigit())
    assert kept
    assert kept[-1] < 4
    assert_close(run("jit", directory, 0, root / "compiled"), want)
    lines = (directory / "metrics.jsonl").read_text()
    alone_lines = (root / "alone" / "metrics.jsonl").read_text()
    assert lines.count("\n") == alone_lines.count("\n")


def test_one_process_is_asked_to_stop_and_both_save_and_go_on(alone):
    """SIGTERM to one of two, as a scheduler sends it: one step is saved, the next start ends it."""
    want, root = alone
    directory = root / "asked"
    codes, output = start("jit", directory, 2, 8, 2, root / "compiled", how="sigterm")
    assert codes == [command.TERMINATED] * 2, output[-3000:]
    assert "start again to go on" in output
    kept = sorted(int(p.name) for p in (directory / "checkpoints").iterdir() if p.name.isdigit())
    assert 2 < kept[-1] < 8
    codes, output = start("jit", directory, 2, 8, 99, root / "compiled")
    assert codes == [0, 0], output[-3000:]
    whole = run("jit", root / "eight", 0, root / "compiled", steps=8)
    assert_close(dict(np.load(directory / "final.npz")), whole)
    assert whole.keys() == want.keys()


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    """Two steps of every method on one process and, sharded and mapped, on two."""
    root, modules = tmp_path_factory.mktemp("rehearsed"), [*REHEARSED.values()]
    for name, kind, processes in (("alone", "jit", 0), ("jit", "jit", 2), ("pmap", "pmap", 2)):
        codes, output = start(kind, root / name, processes, 2, 99, root / "compiled", modules)
        assert codes == [0] * len(codes), output[-3000:]
    return root


@pytest.mark.parametrize("kind", ["jit", "pmap"])
@pytest.mark.parametrize("method", [*REHEARSED])
def test_every_method_on_two_processes(rehearsed, method, kind):
    want, got = (
        dict(np.load(rehearsed / name / REHEARSED[method] / "final.npz"))
        for name in ("alone", kind)
    )
    assert_close(got, want)


def test_no_method_is_left_out():
    """patchcore is not trained."""
    assert {*REHEARSED, "multitask", "mkcnet", "patchcore"} == {*methods.METHODS}
