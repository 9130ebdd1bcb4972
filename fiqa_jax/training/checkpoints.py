"""Saving and restoring a TrainState with Orbax: all of its API that this project uses is here."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy as keeping

from fiqa_jax.training.devices import Devices
from fiqa_jax.training.state import TrainState

SCORE = "score"


class Checkpoints:
    """The checkpoints of one run: the newest few and the best one.

    A checkpoint holds the state, which includes the step, and the validation score it reached.
    Saving is asynchronous; a directory without its commit mark is ignored and later removed, so a
    process killed while saving loses only that checkpoint.
    """

    def __init__(self, directory: os.PathLike | str, keep: int, devices: Devices) -> None:
        """Opens (and creates) a directory.

        Args:
          directory: made if absent; on several processes, one that all of them see.
          keep: newest checkpoints to keep, at least 1; the best by score is kept besides.
          devices: where restored states go.

        Raises:
          ValueError: keep < 1.
        """
        if keep < 1:
            raise ValueError(f"train.keep is at least 1, not {keep}")
        self.directory = Path(directory).absolute()  # Orbax refuses relative paths
        self._devices = devices
        best = keeping.BestN(get_metric_fn=_score, n=1, keep_checkpoints_without_metrics=False)
        policy = keeping.AnyPreservationPolicy([keeping.LatestN(keep), best])
        # Without best_fn the scores would be held in memory only and be lost with the process.
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policy, best_fn=_score, cleanup_tmp_directories=True
        )
        # The registry lets a fresh process read what a checkpoint holds before restoring it.
        registry = ocp.handlers.create_default_handler_registry(
            state=ocp.StandardCheckpointHandler()
        )
        self._manager = ocp.CheckpointManager(
            self.directory, options=options, handler_registry=registry
        )

    def save(self, step: int, state: TrainState, score: float | None) -> None:
        """Saves asynchronously; a step that is there already is left alone.

        Args:
          step: updates made.
          state: as the compiled step returned it.
          score: validation metric (higher is better), or None where none was computed.
        """
        if step in self._manager.all_steps():
            return
        item = ocp.args.StandardSave(self._devices.globalise(state))
        metrics = None if score is None else {SCORE: float(score)}
        self._manager.save(step, args=ocp.args.Composite(state=item), metrics=metrics)

    def latest(self) -> int | None:
        """The newest complete step, or None."""
        return self._manager.latest_step()

    def best(self) -> int | None:
        """The step with the highest score (the latest of equals), or None without scores."""
        self.wait()
        scored = {}
        for step in self._manager.all_steps():
            metrics = self._manager.metrics(step)
            if metrics:
                scored[step] = metrics[SCORE]
        return max(scored, key=lambda s: (scored[s], s)) if scored else None

    def restore(self, step: int, like: Callable[[], TrainState]) -> TrainState:
        """The state of a step, placed on the devices.

        Args:
          step: one that exists.
          like: makes a state of the right shapes; only its shapes are used.

        Raises:
          ValueError: a checkpoint of another network or optimiser; names the first difference.
        """
        where = self._devices.replicated
        target = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=where),
            jax.eval_shape(like),
        )
        self._check(step, target)
        args = ocp.args.Composite(state=ocp.args.StandardRestore(target))
        state = self._manager.restore(step, args=args)["state"]
        # Orbax may hand out arrays whose buffers it still shares: placing copies them.
        return self._devices.place(state)

    def _check(self, step: int, target: TrainState) -> None:
        # Orbax's own error comes after it has begun to read, and leaves reads behind.
        stored = _shapes(self._manager.item_metadata(step)["state"].tree)
        wanted = _shapes(target)
        for name in sorted({*stored, *wanted}):
            if stored.get(name) != wanted.get(name):
                raise ValueError(
                    f"the checkpoint of step {step} in {self.directory} does not fit this config: "
                    f"{name} is {stored.get(name, 'absent')} there, {wanted.get(name, 'absent')} "
                    "here; use another --workdir, or run the stage again with --redo"
                )

    def preempted(self, step: int) -> bool:
        """Whether the cluster has asked all processes to save and stop at this step."""
        return jax.process_count() > 1 and self._manager.reached_preemption(step)

    def wait(self) -> None:
        """Blocks until every save is complete."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits and frees the manager's threads."""
        self.wait()
        self._manager.close()


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {_path(path): tuple(leaf.shape) for path, leaf in leaves if hasattr(leaf, "shape")}


def _path(keys: Any) -> str:
    # A restored tree has dicts and lists where the state has classes and tuples.
    names = (getattr(k, "key", getattr(k, "name", getattr(k, "idx", ""))) for k in keys)
    return "/".join(str(n) for n in names)


def _score(metrics: Any) -> float:
    return metrics[SCORE]


def to_host(tree: Any) -> Any:
    """Replicated device arrays -> numpy, on every process."""
    return jax.tree.map(np.asarray, jax.device_get(tree))
