"""THE training loop. Every method and every stage goes through it.

The order is part of the contract: evaluate, save, next batch, step, log the step before. A state is
saved only after the scalars of the step that made it were fetched and found finite, and saving
before the next batch is drawn is what makes a resumed run equal to an undisturbed one.
"""

import contextlib
import dataclasses
import itertools
import logging
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict
from tqdm import tqdm

from fiqa_jax import command
from fiqa_jax.training.checkpoints import Checkpoints
from fiqa_jax.training.devices import Devices
from fiqa_jax.training.method import Method
from fiqa_jax.training.run_log import Record
from fiqa_jax.training.state import TrainState, stream
from fiqa_jax.training.tensorboard import Writer
from input_pipeline import progress

log = logging.getLogger(__name__)

Batches = Callable[[int], Iterator[Mapping[str, np.ndarray]]]  # first step -> endless full batches
Evaluate = Callable[[Any], Mapping[str, float]]  # state -> validation metrics


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run leaves: the state to use, its step, and the share of time spent waiting."""

    state: TrainState
    step: int
    seconds_per_step: float
    input_wait: float


def count_steps(config: ConfigDict, rows: int, batch: int = 0, loaded: bool = False) -> int:
    """Updates of a run from `train.steps` or `train.epochs`, of which exactly one is set.

    Args:
      config: the stage's `train` section.
      rows: training examples.
      batch: examples of an update; 0 for `config.batch`.
      loaded: the weights come from a file. Then neither may be set, and they are taken as they are.

    Raises:
      ValueError: none or both are set.
    """
    if loaded and not (config.steps or config.epochs):
        return 0
    if bool(config.steps) == bool(config.epochs):
        raise ValueError(
            "set exactly one of train.steps and train.epochs (the other to 0); "
            f"they are {config.steps} and {config.epochs}"
        )
    return int(config.steps) or max(1, math.ceil(config.epochs * rows / (batch or config.batch)))


def run(
    method: Method,
    batches: Batches,
    evaluate: Evaluate | None,
    devices: Devices,
    config: ConfigDict,
    steps: int,
    seed: int,
    directory: Path,
    warm: Callable[[TrainState], TrainState] | None = None,
    writer: Writer | None = None,
    falling: Collection[str] = (),
) -> Result:
    """Trains from the newest checkpoint, or from the start, to the last step.

    Args:
      method: what to train.
      batches: first step -> batches from there on; a function of (seed, step) only.
      evaluate: state -> metrics of the validation split; None where there is none.
      devices: where it runs.
      config: the stage's `train` section.
      steps: updates in all.
      seed: of initial weights and of every random draw.
      directory: the stage's folder; `checkpoints/` and `metrics.jsonl` go there.
      warm: fresh state -> state with loaded weights; not called when a checkpoint is there.
      writer: (step, scalars, split) for TensorBoard.
      falling: last words of metrics of which less is better, such as nll of quality_nll.

    Returns:
      The state with the best `config.select` on the validation split, or the last one.

    Raises:
      FloatingPointError: a loss that is not finite; names the steps.
      command.Stopped: SIGTERM came; the last whole step is saved.
      ValueError: `config.select` that the validation does not report; a foreign checkpoint.
    """
    if config.select and evaluate is None:
        raise ValueError(f"train.select={config.select!r} needs a validation split; there is none")
    init = jax.jit(lambda: method.init(stream(seed, "init")))
    with contextlib.ExitStack() as closing:
        checkpoints = Checkpoints(directory / "checkpoints", config.keep, devices)
        closing.callback(checkpoints.close)
        newest = checkpoints.newest(init)
        if newest is None:
            start, state = 0, devices.place(warm(init()) if warm else init())
        else:
            start, state = newest
        record = Record(directory / "metrics.jsonl", start, writer)
        closing.callback(record.close)
        key = devices.place(stream(seed, "train"))
        loop = _Loop(method, devices, config, steps, key, record, checkpoints, falling)
        with command.gently() as asked:
            state = loop.go(state, start, batches, evaluate, asked)
        best = checkpoints.best() if config.select else None
        if best is not None and best != steps:
            state = checkpoints.restore(best, init)
        return Result(state, best if best is not None else steps, loop.pace(), loop.wait_share())


class _Loop:
    """The loop's own bookkeeping: when to evaluate and save, the scalars still on their way."""

    def __init__(
        self,
        method: Method,
        devices: Devices,
        config: ConfigDict,
        steps: int,
        key: jax.Array,
        record: "Record",
        checkpoints: Checkpoints,
        falling: Collection[str],
    ) -> None:
        self.step = devices.step(method.step)
        self.devices, self.config, self.steps, self.key = devices, config, steps, key
        self.record, self.checkpoints = record, checkpoints
        self.sign = -1.0 if config.select.rpartition("_")[2] in falling else 1.0
        self.pending: tuple[int, Mapping[str, jax.Array]] | None = None
        self.waited = self.ran = 0.0
        self.done = 0

    def go(
        self,
        state: TrainState,
        start: int,
        batches: Batches,
        evaluate: Evaluate | None,
        asked: Callable[[], bool],
    ) -> TrainState:
        evaluations = every(self.config.eval_every, self.steps) if evaluate else set()
        saves = every(self.config.save_every, self.steps) | evaluations
        source = batches(start)
        bar = progress.bar(self.steps, "step", done=start, hide=jax.process_index() != 0)
        try:
            for now in itertools.count(start):
                # A state of the last step that was restored has been evaluated and saved.
                if now > start:
                    score = None
                    if evaluate and now in evaluations:
                        self._settle()
                        score = self._evaluate(evaluate, state, now)
                    alone = jax.process_count() == 1
                    stop = asked() if alone else self.checkpoints.preempted(now)
                    if now in saves or stop:
                        self._settle()
                        self.checkpoints.save(now, state, score)
                    if stop:
                        self.checkpoints.wait()
                        raise command.Stopped(f"step {now} is saved; start again to go on")
                if now >= self.steps:
                    return state
                batch = self._next(source)
                began = time.perf_counter()
                # On several processes pmap itself moves the key: its transfers must pass.
                with jax.transfer_guard("disallow" if self.devices.kind == "jit" else "allow"):
                    state, scalars = self.step(state, batch, self.key)
                self._settle()
                self.pending = (now + 1, scalars)
                self.ran += time.perf_counter() - began
                self._show(bar)
            raise AssertionError("unreachable")
        finally:
            bar.close()
            close = getattr(source, "close", None)
            if close:
                close()

    def _next(self, source: Iterator[Mapping[str, np.ndarray]]) -> Any:
        began = time.perf_counter()
        batch = self.devices.put(next(source))
        took = time.perf_counter() - began
        # Time counts as waiting only where the device had nothing left to do.
        if self.pending is None or _ready(self.pending[1]):
            self.waited += took
        self.ran += took
        return batch

    def _settle(self) -> None:
        """Fetches the scalars of the step before, checks and logs them."""
        if self.pending is None:
            return
        step, scalars = self.pending
        self.pending = None
        values = {k: float(v) for k, v in jax.device_get(dict(scalars)).items()}
        bad = [k for k, v in values.items() if not math.isfinite(v)]
        if bad:
            saved = self.checkpoints.latest()
            raise FloatingPointError(
                f"step {step}: {', '.join(bad)} not finite; the last good state is step "
                f"{saved if saved is not None else 0}. Lower optim.lr, or look at the batch of "
                f"step {step - 1}"
            )
        self.done += 1
        if step % self.config.log_every == 0 or step == self.steps:
            self.record.write(step, values, "train")
        self.last = values

    def _evaluate(self, evaluate: Evaluate, state: TrainState, step: int) -> float | None:
        metrics = evaluate(state)
        self.record.write(step, metrics, "val")
        select = self.config.select
        if not select:
            return None
        if select not in metrics:
            raise ValueError(
                f"train.select={select!r} is not reported on the validation split; there are "
                f"{sorted(k for k in metrics)}"
            )
        value = self.sign * float(metrics[select])
        return value if math.isfinite(value) else None

    def _show(self, bar: tqdm) -> None:
        bar.update(1)
        if self.done and self.done % 10 == 0:
            share = f"{self.wait_share():.0%}"
            bar.set_postfix(
                {"loss": f"{self.last['loss']:.4f}", "input wait": share}, refresh=False
            )

    def wait_share(self) -> float:
        """Share of the time in which the devices had nothing to do but wait for a batch."""
        return self.waited / self.ran if self.ran else 0.0

    def pace(self) -> float:
        """Seconds per step, compilation included."""
        return self.ran / self.done if self.done else 0.0


def _ready(scalars: Mapping[str, Any]) -> bool:
    return all(x.is_ready() for x in scalars.values())


def every(share: float, steps: int) -> set[int]:
    """Steps at which something happens `share` of the run apart; always the last one too."""
    gap = max(1, round(share * steps)) if share > 0 else steps
    return {*range(gap, steps + 1, gap), steps}
