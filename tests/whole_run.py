"""One run of EFIQA's recipe with every method that learns from photographs or stored arrays.

    python tests/whole_run.py WORKDIR

runs it where TensorFlow cannot be imported. Tests share its work directory (`shared` below): those
of the recipes look at what it left, those of resume repeat single stages of it.
"""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from ml_collections import ConfigDict

BLOCKED = ("tensorflow", "tensorboard", "tensorflow_datasets")
# Stage by the method that it trains.
STAGES = {
    "vessels": "segmentor",
    "inpaint": "inpaint",
    "adapter": "adapter",
    "cell_grades": "grades",
    "nnpu": "efiqa_cp",
    "eyequal": "eyequal",
    "pretrain": "encoder",
}


def config() -> ConfigDict:
    """EFIQA with grades, EFIQA-CP, EyeQual and an autoencoder, all tiny; every step is saved."""
    import recipes

    c = recipes.load("tiny,grades", "efiqa")
    cp = recipes.load("tiny", "efiqa_cp")
    with c.unlocked():
        c.stage.vessels.store = cp.stage.vessels.store
        added = ("efiqa_cp", "cp_tested", "cp_scores")
        for name in added:
            c.stage[name] = cp.stage[name]
        c.stage.encoder = recipes.load("tiny", "pretrain").stage.encoder
        c.stage.eyequal = recipes.load("tiny", "families").stage.eyequal
        c.stages = (*c.stages, *added, "encoder", "eyequal")
        c.stage.efiqa_cp.method.blocks = (1, 0, 0)
        for name in STAGES.values():
            c.stage[name].train.update({"steps": 3, "save_every": 0.33})
    return c


def shared(base: Path) -> Path:
    """The folder of the one run of a test session: `work`, and compiled programs in `compiled`.

    Args:
      base: temporary folder of the session, or that of all workers of pytest-xdist.
    """
    root = base / "whole_run"
    root.mkdir(exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "done").exists():
            done = subprocess.run(
                [sys.executable, __file__, str(root / "work")],
                env={
                    **os.environ,
                    "JAX_COMPILATION_CACHE_DIR": str(root / "compiled"),
                    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                },
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
            (root / "done").touch()
    return root


def main() -> None:
    import jax

    jax.config.update("jax_num_cpu_devices", 8)
    from fiqa_jax.recipe import runner

    runner.run(config(), Path(sys.argv[1]))


if __name__ == "__main__":
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
    sys.modules.update(dict.fromkeys(BLOCKED))
    main()
