"""Saving and restoring a TrainState with Orbax: all of its API that this project uses is here.

Every checkpoint's files are listed in `checkpoints/SHA256SUMS` once it is complete. A damaged one
is put aside, and the run goes on from the one before.
"""

import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy as keeping

from fiqa_jax.training.devices import Devices, meet
from fiqa_jax.training.state import TrainState
from input_pipeline import atomic, sums

log = logging.getLogger(__name__)

SCORE = "score"
ASIDE = "checkpoints-damaged"


class MisfitError(ValueError):
    """A checkpoint of another network or optimiser; names the first difference."""


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
        if jax.process_index() == 0:
            self._put_aside(self._damaged())
        meet("checkpoints checked")
        self._saving = (0, 0)  # the newest step that is to be saved, and its bytes
        self._unlisted: int | None = None  # saved, but not in SHA256SUMS yet
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
        self.wait()  # Orbax would: one save at a time
        item = ocp.args.StandardSave(self._devices.globalise(state))
        metrics = None if score is None else {SCORE: float(score)}
        self._saving = step, sum(leaf.nbytes for leaf in jax.tree.leaves(state))
        with self._room():
            self._manager.save(step, args=ocp.args.Composite(state=item), metrics=metrics)
        self._unlisted = step

    @contextlib.contextmanager
    def _room(self) -> Iterator[None]:
        """Says of a disk without room which checkpoint it was, and what that needs."""
        try:
            yield
        except Exception as error:  # Orbax and TensorStore raise nearly anything
            known = {os.strerror(number): number for number in atomic.FULL}
            number = next((n for text, n in known.items() if text in str(error)), None)
            if number is None:
                raise
            step, needed = self._saving
            where = self.directory / str(step)
            raise atomic.full(OSError(number, ""), where, needed) from None

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

    def newest(self, like: Callable[[], TrainState]) -> tuple[int, TrainState] | None:
        """The newest checkpoint that can be restored, with its step; None where there is none.

        Raises:
          MisfitError: see `restore`.
          ValueError: there are checkpoints, and all are damaged.
        """
        damaged: dict[int, str] = {}
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                state = self.restore(step, like)
            except MisfitError:
                raise
            except Exception as error:  # Orbax and TensorStore raise nearly anything
                if step in self._listed():
                    raise  # its files are as they were written: something else is wrong
                damaged[step] = f"{type(error).__name__}: {str(error)[:100]}"
                continue
            if damaged and jax.process_index() == 0:
                self._put_aside(damaged)
            meet("checkpoint restored")
            if damaged:
                self._manager.reload()
            return step, state
        if damaged:
            raise ValueError(_no_other(self.directory, damaged))
        return None

    def restore(self, step: int, like: Callable[[], TrainState]) -> TrainState:
        """The state of a step, placed on the devices.

        Args:
          step: one that exists.
          like: makes a state of the right shapes; only its shapes are used.

        Raises:
          MisfitError: a checkpoint of another network or optimiser; names the first difference.
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
                raise MisfitError(
                    f"the checkpoint of step {step} in {self.directory} does not fit this config: "
                    f"{name} is {stored.get(name, 'absent')} there, {wanted.get(name, 'absent')} "
                    "here; use another --workdir, or run the stage again with --redo"
                )

    def preempted(self, step: int) -> bool:
        """Whether the cluster has asked all processes to save and stop at this step."""
        return jax.process_count() > 1 and self._manager.reached_preemption(step)

    def wait(self) -> None:
        """Blocks until every save is complete, and lists its files in SHA256SUMS.

        Raises:
          OSError: there is no room; names the checkpoint and says what it needs.
        """
        with self._room():
            self._manager.wait_until_finished()
        if self._unlisted is None:
            return
        new, self._unlisted = f"{self._unlisted}/", None
        if jax.process_index() == 0:
            there = {str(step) for step in self._manager.all_steps()}
            files = [f for step in there for f in (self.directory / step).rglob("*")]
            names = [f.relative_to(self.directory).as_posix() for f in files if f.is_file()]
            listed = sums.read(self.directory)
            known = {n: d for n, d in listed.items() if not n.startswith(new)}
            sums.write(self.directory, names, known)

    def _listed(self) -> set[int]:
        return {int(n.split("/")[0]) for n in sums.read(self.directory) if n[0].isdigit()}

    def _damaged(self) -> dict[int, str]:
        """Step -> what is wrong with it, of the steps whose files are not as they were written."""
        out: dict[int, str] = {}
        listed = sums.read(self.directory)
        for name, digest in listed.items():
            step = name.split("/")[0]
            if not step.isdigit() or not (self.directory / step).is_dir():
                continue  # an older one, no longer kept
            try:
                sums.check(self.directory / name, digest)
            except (sums.DamageError, OSError) as error:
                out.setdefault(int(step), str(error).partition(";")[0])
        return out

    def _put_aside(self, damaged: Mapping[int, str]) -> None:
        """Moves damaged checkpoints beside the others' folder. Raises: ValueError: no other."""
        steps = {int(f.name) for f in self.directory.glob("[0-9]*") if f.name.isdigit()}
        if damaged and not steps - {*damaged}:
            raise ValueError(_no_other(self.directory, damaged))
        for step, why in sorted(damaged.items(), reverse=True):
            target = self.directory.parent / ASIDE / str(step)
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(exist_ok=True)
            (self.directory / str(step)).rename(target)
            log.warning(
                "the checkpoint of step %d in %s is damaged (%s): it was moved to %s, and an older "
                "one is used",
                *(step, self.directory, why, target),
            )

    def close(self) -> None:
        """Waits and frees the manager's threads."""
        self.wait()
        self._manager.close()


def _no_other(directory: Path, damaged: Mapping[int, str]) -> str:
    step = max(damaged)
    return (
        f"the checkpoint of step {step} in {directory} is damaged ({damaged[step]}), and there is "
        f"no other that is not: start over with --redo={directory.parent.name}"
    )


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
