"""One process of a rehearsed pod: trains methods on made-up batches.

    python tests/pod_worker.py KIND PROCESS PROCESSES PORT DIRECTORY STEPS DIE_AT HOW MODULE ...

MODULE is a test that gives `batches` and `method`, or `build`, which takes the precision first; of
several each has a folder of its own in DIRECTORY. PROCESSES 0 runs alone, on four devices. HOW is
`exit` or `sigterm`: what happens to process 0 at DIE_AT. Its final state goes to final.npz. It
starts as `fiqa train` does: what answers SIGTERM stands before the processes find each other.
"""

import importlib
import os
import signal
import sys
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import jax
import numpy as np

from fiqa_jax import command

kind, process, processes, port, directory, steps, die_at, how, *modules = sys.argv[1:]
process, processes, steps, die_at = int(process), int(processes), int(steps), int(die_at)
TESTS = Path(__file__).parent
sys.path[:0] = [str(TESTS), str(TESTS / "training"), str(TESTS / "methods")]


def work() -> None:
    """Joins the other process, then trains one module after the other."""
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_num_cpu_devices", 2 if processes else 4)
    if processes:
        jax.distributed.initialize(f"localhost:{port}", processes, process)
    for module in modules:
        train(module, Path(directory) / (module if len(modules) > 1 else ""))


def train(module: str, folder: Path) -> None:
    from fiqa_jax import defaults
    from fiqa_jax.training import checkpoints, devices, loop
    from input_pipeline.loading import order

    test = importlib.import_module(module)
    size = len(next(iter(test.batches(1)))["index"])

    def feed(start):
        """Rows of the global batch that belong to this process; where it shall die, it does."""
        for step, batch in enumerate(test.batches(10)):
            if step == die_at and how == "exit":
                raise SystemExit(17)
            if step == die_at and process == 0 and step >= start:
                os.kill(os.getpid(), signal.SIGTERM)
            if step >= start:
                rows = order.local(np.arange(size), process, max(processes, 1))
                yield {k: v[rows] for k, v in batch.items()}

    config = defaults.base().train
    config.update({"batch": size, "eval_every": 0.5, "save_every": 0.25, "log_every": 1})
    method = test.method if hasattr(test, "method") else test.build
    result = loop.run(
        method(precision="float64"),
        feed,
        lambda state: {"step": float(state.step)},
        devices.make(kind),
        config,
        steps,
        0,
        folder,
    )
    if process == 0:
        leaves = jax.tree_util.tree_leaves_with_path(checkpoints.to_host(result.state))
        arrays = {jax.tree_util.keystr(path): leaf for path, leaf in leaves}
        np.savez(folder / "final.npz", **arrays)


sys.exit(command.run("worker", work))
