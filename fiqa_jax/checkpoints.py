"""Saving and restoring a TrainState with Orbax: all of its API that this project uses is here."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from orbax.checkpoint.checkpoint_managers import preservation_policy as keeping

from fiqa_jax.parallel import Devices
from fiqa_jax.state import TrainState

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
          directory: absolute local path, or a remote one such as gs://...
          keep: newest checkpoints to keep, at least 1; the best by score is kept besides.
          devices: where restored states go.

        Raises:
          ValueError: keep < 1.
        """
        if keep < 1:
            raise ValueError(f"train.keep is at least 1, not {keep}")
        remote = "://" in str(directory)
        self.directory = str(directory) if remote else Path(directory).absolute()
        self._devices = devices
        best = keeping.BestN(
            get_metric_fn=lambda m: m[SCORE], n=1, keep_checkpoints_without_metrics=False
        )
        policy = keeping.AnyPreservationPolicy([keeping.LatestN(keep), best])
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policy, cleanup_tmp_directories=True
        )
        self._manager = ocp.CheckpointManager(self.directory, options=options)

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
        """The step with the highest score (the earliest of equals), or None without scores."""
        self.wait()
        scored = {}
        for step in self._manager.all_steps():
            metrics = self._manager.metrics(step)
            if metrics is not None:
                scored[step] = metrics[SCORE]
        return min(scored, key=lambda s: (-scored[s], s)) if scored else None

    def restore(self, step: int, like: Callable[[], TrainState]) -> TrainState:
        """The state of a step, placed on the devices.

        Args:
          step: one that exists.
          like: makes a state of the right shapes; only its shapes are used.

        Raises:
          ValueError: a checkpoint of another network or optimiser; names the first difference.
        """
        mesh = jax.make_mesh((jax.device_count(),), ("all",), axis_types=(AxisType.Auto,))
        everywhere = NamedSharding(mesh, P())
        target = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=everywhere),
            jax.eval_shape(like),
        )
        try:
            args = ocp.args.Composite(state=ocp.args.StandardRestore(target))
            state = self._manager.restore(step, args=args)["state"]
        except (ValueError, KeyError, TypeError) as error:
            first = " ".join(str(error).split())[:400]
            raise ValueError(
                f"the checkpoint of step {step} in {self.directory} does not fit this config "
                f"({first}); use another --workdir or --redo the stage"
            ) from error
        # Orbax may hand out arrays whose buffers it still shares: placing copies them.
        return self._devices.place(state)

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


def to_host(tree: Any) -> Any:
    """Replicated device arrays -> numpy, on every process."""
    return jax.tree.map(np.asarray, jax.device_get(tree))
