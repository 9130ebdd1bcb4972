"""One process of a rehearsed pod: trains a method on made-up batches.

    python tests/pod_worker.py KIND PROCESS PROCESSES PORT DIRECTORY STEPS DIE_AT MODULE

MODULE is the test that gives `batches` and `method`. PROCESSES 0 runs alone, on four devices. The
final state of process 0 goes to DIRECTORY/final.npz.
"""

import importlib
import os
import sys
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import jax
import numpy as np

kind, process, processes, port, directory, steps, die_at, module = sys.argv[1:]
process, processes, steps, die_at = int(process), int(processes), int(steps), int(die_at)
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", 2 if processes else 4)
if processes:
    jax.distributed.initialize(f"localhost:{port}", processes, process)

TESTS = Path(__file__).parent
sys.path[:0] = [str(TESTS), str(TESTS / "training"), str(TESTS / "methods")]
from fiqa_jax import defaults
from fiqa_jax.training import checkpoints, devices, loop
from input_pipeline.loading import order

test = importlib.import_module(module)
size = len(next(iter(test.batches(1)))["index"])


def feed(start):
    """Rows of the global batch that belong to this process; stops where it shall die."""
    for step, batch in enumerate(test.batches(10)):
        if step == die_at:
            raise SystemExit(17)
        if step >= start:
            rows = order.local(np.arange(size), process, max(processes, 1))
            yield {k: v[rows] for k, v in batch.items()}


config = defaults.base().train
config.update({"batch": size, "eval_every": 0.5, "save_every": 0.25, "log_every": 1})
result = loop.run(
    test.method(precision="float64"),
    feed,
    lambda state: {"step": float(state.step)},
    devices.make(kind),
    config,
    steps,
    0,
    Path(directory),
)
if process == 0:
    leaves = jax.tree_util.tree_leaves_with_path(checkpoints.to_host(result.state))
    arrays = {jax.tree_util.keystr(path): leaf for path, leaf in leaves}
    np.savez(Path(directory) / "final.npz", **arrays)
