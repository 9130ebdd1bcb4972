"""The network of cells fitted to the copies of some photographs: for folds that leave cameras out.

It is the network of `methods.grader`'s part `view`, its terms and its turns, on measures that are
computed once; cameras count alike.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from fiqa_jax.benchmark.defect_copies import Copies
from fiqa_jax.methods import visible_cells
from fiqa_jax.models import cell_measures, cell_network
from fiqa_jax.training import losses
from fiqa_jax.training.devices import Axis
from input_pipeline.synthetic import truth

# Measures [n, h, w, F] -> map [n, h, w] and causes [n, h, w, 4], see `visible_cells`.
Fitted = Callable[[NDArray[Any]], dict[str, NDArray[np.float32]]]


@dataclasses.dataclass(frozen=True)
class Known:
    """Copies to train on, n of them, cells [h, w]."""

    cells: NDArray[np.float16]  # [n, h, w, F], measures
    codes: NDArray[np.uint8]  # [n, h, w], see `visible_cells.terms`
    cause: NDArray[np.uint8]  # [n, h, w], see `visible_cells.terms`
    share: NDArray[np.float64]  # [n], how often a copy is drawn; sum 1


@dataclasses.dataclass(frozen=True)
class Settings:
    """How it is trained."""

    width: float = 1.0
    blocks: int = cell_network.BLOCKS  # that look at neighbours
    dropout: float = 0.1
    steps: int = 700
    batch: int = 16
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    average: float = 0.99  # share of the moving average of parameters that stays
    seed: int = 0


def gathered(sets: Sequence[Copies], without: Sequence[str] = ()) -> Known:
    """All copies to train on.

    Args:
      sets: copies of photographs; without: copies with any of these kinds are left out.

    Raises:
      ValueError: no copies.
    """
    cells, codes, causes, share = [], [], [], []
    for one in sets:
        cameras = sum(other.camera == one.camera for other in sets)
        for k, kind in enumerate(one.kind):
            if not set(str(kind).split("+")) & set(without):
                cells.append(one.cells[k])
                codes.append(truth.codes(one.visibility[k]))
                causes.append((one.cause[k] + 1).astype(np.uint8))
                share.append(1 / cameras)
    if not cells:
        raise ValueError("no copies to train on: give photographs of another camera")
    weights = np.array(share)
    return Known(np.stack(cells), np.stack(codes), np.stack(causes), weights / weights.sum())


def fit(known: Known, settings: Settings) -> Fitted:
    """Trains the network; the same arguments give the same numbers on the same processor.

    Args:
      known: see `gathered`.
      settings: how.
    """
    programs = _programs(dataclasses.replace(settings, seed=0))
    key = jax.random.key(settings.seed)
    carry = programs.start(key, jnp.asarray(known.cells[:1], jnp.float32))
    rng = np.random.default_rng(settings.seed)
    for at in range(settings.steps):
        rows = rng.choice(len(known.share), settings.batch, p=known.share)
        batch = (known.cells[rows], known.codes[rows], known.cause[rows])
        carry = programs.step(carry, key, *batch, jnp.uint32(at))
    weights = {"params": carry[3], "batch_stats": carry[1]}
    return lambda x: jax.device_get(programs.mapped(weights, jnp.asarray(x, jnp.float32)))


class _Programs(NamedTuple):
    start: Callable[..., Any]  # key, cells -> parameters, statistics, optimiser's state, average
    step: Callable[..., Any]  # those, key, a batch and its number -> those
    mapped: Callable[..., Any]  # weights, cells -> map and causes


@functools.lru_cache(maxsize=8)
def _programs(settings: Settings) -> _Programs:
    """What `fit` runs, compiled once for all folds and seeds."""
    net = cell_network.CellNetwork(
        visible_cells.LOGITS, settings.width, settings.dropout, blocks=settings.blocks
    )
    unknown = jnp.full(settings.batch, jnp.nan)  # sizes of files: all copies have the engine's
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, settings.learning_rate, settings.steps // 20, settings.steps
    )
    adam = optax.adamw(schedule, weight_decay=settings.weight_decay)
    tx = optax.chain(optax.clip_by_global_norm(1.0), adam)
    keep = settings.average

    def start(key: jax.Array, first: jax.Array) -> Any:
        made = net.init(key, first, jnp.ones(first.shape[:3]), unknown[:1], False)
        return made["params"], made["batch_stats"], tx.init(made["params"]), made["params"]

    @jax.jit
    def step(
        carry: Any, key: jax.Array, x: jax.Array, codes: jax.Array, cause: jax.Array, at: jax.Array
    ) -> Any:
        params, statistics, state, average = carry
        keys = jax.random.split(jax.random.fold_in(key, at), len(x))
        x = visible_cells.turned(x.astype(jnp.float32), keys)
        codes, cause = (visible_cells.turned(v, keys) for v in (codes, cause))

        def loss(params: Any) -> Any:
            logits, new = net.apply(
                {"params": params, "batch_stats": statistics},
                *(x, codes > 0, unknown, True),
                keys=keys,
                mutable=["batch_stats"],
            )
            total, _ = losses.total(visible_cells.terms(logits, codes, cause), Axis())
            return total, new["batch_stats"]

        gradient, statistics = jax.grad(loss, has_aux=True)(params)
        updates, state = tx.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        average = jax.tree.map(lambda a, p: keep * a + (1 - keep) * p, average, params)
        return params, statistics, state, average

    @jax.jit
    def mapped(weights: Any, x: jax.Array) -> dict[str, jax.Array]:
        inside = cell_measures.inside(x)
        logits: Any = net.apply(weights, x, inside, jnp.full(len(x), jnp.nan), False)
        return visible_cells.map_and_causes(logits, inside)

    return _Programs(start, step, mapped)
