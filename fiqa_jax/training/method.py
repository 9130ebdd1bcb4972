"""What a method is: a frozen record of pure functions, and the update most of them share."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from fiqa_jax.training import augment_spec, losses, optim, state
from fiqa_jax.training.devices import Axis
from fiqa_jax.training.state import TrainState

Tree = Any
Batch = Mapping[str, jax.Array]
Outputs = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """What a method may know of its data before the first batch.

    Attributes:
      side: pixels of an edge of the square photographs.
      channels: 3 (RGB) or 1 (grey slices).
      quality_names: ('good', 'usable', 'reject'), ('gradable', 'ungradable') or ().
      detail_names: defects, in the order of the `details` label.
      diagnosis_names: classes of `diagnosis`.
      class_counts: label name -> training examples of each class; for details `[K]` counts of
        present defects.
      mean, std: of the channels in [0, 1].
      features: (h, w, C) of the stored features that take the photograph's place; () for none.
    """

    side: int
    channels: int
    quality_names: tuple[str, ...]
    detail_names: tuple[str, ...]
    diagnosis_names: tuple[str, ...]
    class_counts: Mapping[str, tuple[int, ...]]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    features: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Run:
    """How long a training is. The defaults are those of a method that only predicts.

    Attributes:
      steps: updates of the run.
      batch: examples of an update, over all devices.
      train_rows: training examples.
    """

    steps: int = 1
    batch: int = 1
    train_rows: int = 1


@dataclasses.dataclass(frozen=True)
class Method:
    """A method: pure functions that the loop compiles, on one device or many.

    Attributes:
      init: key -> TrainState; a pure function of the key.
      step: (state, batch, key, axis) -> (TrainState, scalars). `key` is the run's training key;
        randomness of an example comes from `state.example_keys` of the step's key and its row.
      predict: (variables, batch) -> outputs: any of `p_quality [B, 3]`, `p_ungradable [B]`,
        `p_details [B, K]`, `p_diagnosis [B, T]`, `score [B]` in [0, 1], `map [B, h, w]` in [0, 1];
        higher is worse everywhere. `row_<name> [B]` are measures of one photograph against its own
        truth, NaN where there is none; validation reports their mean as `<name>`. Running
        statistics, no randomness.
      logits: (variables, images `[B, S, S, C] float in [0, 1]`) -> what `predict` makes its
        probabilities from: any of `quality [B, 3]`, `ungradable [B]`, `details [B, K]`,
        `diagnosis [B, T]`. Differentiable down to the images, also where training freezes the
        trunk. None for methods without such heads.
    """

    init: Callable[[jax.Array], TrainState]
    step: Callable[..., tuple[TrainState, dict[str, jax.Array]]]
    predict: Callable[..., Outputs]
    logits: Callable[[Tree, jax.Array], dict[str, jax.Array]] | None = None


class Loss(Protocol):
    """A method's loss, before any reduction."""

    def __call__(
        self, params: Tree, model_state: Tree, batch: Batch, key: jax.Array, axis: Axis
    ) -> tuple[dict[str, losses.Term], Tree]:
        """Terms by name (values and weights per example) and the new running statistics."""
        ...


def initialiser(net: Any, data: DataSpec) -> Callable[[jax.Array], tuple[Tree, Tree]]:
    """key -> (parameters, running statistics) of a Linen module called as `net(images, train)`.

    Args:
      net: has `dtype`; what else it needs is fixed in it.
      data: gives the shape of the images.
    """

    def start(key: jax.Array) -> tuple[Tree, Tree]:
        images = jnp.zeros((1, data.side, data.side, data.channels), net.dtype)
        variables = dict(net.init(key, images, False))
        return variables.pop("params"), variables

    return start


def make(
    config: ConfigDict,
    run: Run,
    start: Callable[[jax.Array], tuple[Tree, Tree]],
    loss: Loss,
    predict: Callable[..., Outputs],
    *,
    frozen: tuple[tuple[str, float | None], ...] = (),
    logits: Callable[[Tree, jax.Array], dict[str, jax.Array]] | None = None,
) -> Method:
    """A method with one optimiser and a loss that is a sum of weighted means.

    Args:
      config: the stage's section optim.
      run: how long it is trained.
      start: key -> (parameters, running statistics); see `initialiser`.
      loss: see `Loss`.
      predict, logits: see `Method`.
      frozen: pairs (pattern of parameters, rate) before `optim.rates`; see `optim.make`.
    """
    init, tx = optimised(config, run, start, frozen)
    return Method(init, gradient_step(loss, tx, config.optim.ema), predict, logits)


def optimised(
    config: ConfigDict,
    run: Run,
    start: Callable[[jax.Array], tuple[Tree, Tree]],
    frozen: tuple[tuple[str, float | None], ...] = (),
) -> tuple[Callable[[jax.Array], TrainState], optax.GradientTransformation]:
    """`Method.init` and the optimiser of a method with one; arguments as `make`."""
    shapes = jax.eval_shape(start, jax.random.key(0))[0]
    tx = optim.make(config.optim, shapes, run.steps, first=frozen)

    def init(key: jax.Array) -> TrainState:
        params, model_state = start(key)
        return state.create(params, model_state, tx.init(params), config.optim.ema > 0)

    return init, tx


def gradient_step(
    loss: Loss, tx: optax.GradientTransformation, ema: float
) -> Callable[..., tuple[TrainState, dict[str, jax.Array]]]:
    """The update of a method with one loss: gradient, mean over devices, optimiser, average.

    Args:
      loss: the method's terms; see `Loss`.
      tx: from `optim.make`.
      ema: decay of the moving average; 0 for none.

    Returns:
      step(state, batch, key, axis) -> (state, scalars): `loss`, each term by name, and `grad_norm`.
    """

    def objective(
        params: Tree, model_state: Tree, batch: Batch, key: jax.Array, axis: Axis
    ) -> tuple[jax.Array, tuple[dict[str, jax.Array], Tree]]:
        terms, new = loss(params, model_state, batch, key, axis)
        value, parts = losses.total(terms, axis)
        return value, (parts, new)

    return objective_step(objective, tx, ema)


def objective_step(
    objective: Callable[..., tuple[jax.Array, tuple[dict[str, jax.Array], Tree]]],
    tx: optax.GradientTransformation,
    ema: float,
) -> Callable[..., tuple[TrainState, dict[str, jax.Array]]]:
    """The update of a method whose loss is more than a sum of means; see `gradient_step`.

    Args:
      objective: arguments as `Loss`; gives the global scalar, its parts by name, and the new
        running statistics.
      tx, ema: as `gradient_step`.
    """

    def step(
        now: TrainState, batch: Batch, key: jax.Array, *, axis: Axis
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        def at(params: Tree) -> tuple[jax.Array, tuple[dict[str, jax.Array], Tree]]:
            return objective(params, now.model_state, batch, key_of_step, axis)

        key_of_step = jax.random.fold_in(key, now.step)
        (value, (parts, model_state)), grads = jax.value_and_grad(at, has_aux=True)(now.params)
        # The loss is already the global mean (sums over devices before the division); its
        # transpose hands every device the full sum of cotangents, and the mean makes that exact.
        grads = axis.mean(grads)
        updates, opt_state = tx.update(grads, now.opt_state, now.params)
        after = now.replace(
            step=now.step + 1,
            params=optax.apply_updates(now.params, updates),
            model_state=model_state,
            opt_state=opt_state,
        )
        scalars = {"loss": value, **parts, "grad_norm": optax.tree.norm(grads)}
        return state.update_ema(after, ema), scalars

    return step


def weighs_classes(config: ConfigDict) -> bool:
    """Whether `loss.class_weight` asks for weights of 1 / frequency.

    Raises:
      ValueError: it is neither none nor inv_freq.
    """
    if config.loss.class_weight not in ("none", "inv_freq"):
        raise ValueError(f"loss.class_weight {config.loss.class_weight!r}: none or inv_freq")
    return bool(config.loss.class_weight == "inv_freq")


def augmented(line: str) -> Callable[[Batch, jax.Array], dict[str, jax.Array]]:
    """Batch with uint8 images -> the same with float32 images in [0, 1], randomly changed.

    Args:
      line: an augmentation line of `fiqa_jax.training.augment_spec`; '' changes nothing.

    Returns:
      (batch, key of the step) -> batch. Every example draws from its own row number, so the same
      numbers come out on any number of devices.
    """
    transform = augment_spec.make(line)
    spatial = ("image", "fov", "vessels", "map", "bad", "cause")

    def apply(batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        out = dict(batch)
        out["image"] = unit(batch["image"])
        if transform is None:
            return out
        keys = state.example_keys(key, batch["index"])
        arrays = {k: out[k] for k in spatial if k in out}
        return {**out, **jax.vmap(transform)(arrays, keys)}

    return apply


def unit(image: jax.Array) -> jax.Array:
    """`[..., C] uint8` -> float in [0, 1]; floats pass through."""
    if image.dtype == jnp.uint8:
        return image.astype(jnp.result_type(float)) / 255.0
    return image


def normalise(image: jax.Array, data: DataSpec) -> jax.Array:
    """`[B, H, W, C] float in [0, 1]` -> (x - mean) / std per channel."""
    mean, std = (np.asarray(v[: data.channels], np.float32) for v in (data.mean, data.std))
    return (image - mean.reshape(1, 1, 1, -1)) / std.reshape(1, 1, 1, -1)
