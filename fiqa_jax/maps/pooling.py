"""From a map to a decision about the photograph: thresholds found in folds, learned pooling.

EFIQA calls a photograph good where the sum of W * Q over the cells of its map Q is below tau; the
weights W, one a cell, and tau are learned for each data set while encoder and adapter stay as they
are (Wang et al. 2026). Scores of any kind get their threshold by stratified folds: the one of best
balanced accuracy on the training folds decides about the photographs of the held-out fold.

The paper does not say which loss or how many folds: a logistic one and five are ours.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import ArrayLike, NDArray

from fiqa_jax.evaluation import ranking

STEPS, RATE, DECAY, BATCH = 50_000, 3e-4, 0.01, 32  # published; PyTorch's weight decay
FOLDS = 5

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Pooling:
    """Bad where `(weight * map).sum() >= tau`."""

    weight: Floats  # [h, w]
    tau: float

    def score(self, maps: ArrayLike) -> Floats:
        """Weighted sums less tau `[N]` of maps `[N, h, w]`: 0 and above is bad."""
        flat = np.asarray(maps, np.float64).reshape(-1, self.weight.size)
        return flat @ self.weight.ravel() - self.tau


def fit(
    maps: ArrayLike,
    bad: ArrayLike,
    *,
    seed: int,
    steps: int = STEPS,
    rate: float = RATE,
    batch: int = BATCH,
) -> Pooling:
    """Learns the weights and tau by AdamW on the logistic loss.

    Starts from the mean of the map and the tau that lies between the two kinds' means.

    Args:
      maps: `[N, h, w]` in [0, 1], higher = worse.
      bad: `[N]` 0/1.
      seed: of the order.
      steps, rate, batch: of the optimiser.

    Raises:
      ValueError: photographs of one kind only.
    """
    q = np.asarray(maps, np.float32)
    y = np.asarray(bad, np.int64)
    _both_kinds(y)
    flat = jnp.asarray(q.reshape(len(q), -1))
    truth = jnp.asarray(y, jnp.float32)
    mean = q.reshape(len(q), -1).mean(1)
    # Scaled so that the kinds' means lie one apart: the logistic loss then has a slope to follow.
    low, high = float(mean[y == 0].mean()), float(mean[y == 1].mean())
    scale = 1.0 / max(abs(high - low), 1e-3)
    start = {
        "weight": jnp.full(flat.shape[1], scale / flat.shape[1]),
        "tau": jnp.asarray(scale * (low + high) / 2),
    }
    optimum = jax.device_get(
        _descend(flat, truth, start, jax.random.key(seed), steps, rate, min(batch, len(q)))
    )
    weight = np.asarray(optimum["weight"], np.float64).reshape(q.shape[1:])
    return Pooling(weight, float(optimum["tau"]))


@functools.partial(jax.jit, static_argnums=(4, 5, 6))
def _descend(
    flat: jax.Array,
    truth: jax.Array,
    start: dict[str, jax.Array],
    key: jax.Array,
    steps: int,
    rate: float,
    batch: int,
) -> dict[str, jax.Array]:
    """`steps` updates on random photographs, in one program."""
    tx = optax.adamw(rate, weight_decay=DECAY)

    def loss(p: dict[str, jax.Array], rows: jax.Array) -> jax.Array:
        z = flat[rows] @ p["weight"] - p["tau"]
        return optax.sigmoid_binary_cross_entropy(z, truth[rows]).mean()

    def step(carry: tuple, key: jax.Array) -> tuple[tuple, None]:
        p, state = carry
        rows = jax.random.randint(key, (batch,), 0, len(flat))
        updates, state = tx.update(jax.grad(loss)(p, rows), state, p)
        return (optax.apply_updates(p, updates), state), None

    (p, _), _ = jax.lax.scan(step, (start, tx.init(start)), jax.random.split(key, steps))
    return p


def threshold(score: ArrayLike, bad: ArrayLike) -> float:
    """The cut of best balanced accuracy, halfway between two scores; `score >= cut` is bad.

    Of several cuts that are equally good the lowest is taken.

    Raises:
      ValueError: photographs of one kind only.
    """
    s, y = np.asarray(score, np.float64), np.asarray(bad, np.int64)
    _both_kinds(y)
    levels = np.unique(s)
    cuts = np.concatenate([[levels[0]], (levels[1:] + levels[:-1]) / 2, [np.inf]])
    good, worse = np.sort(s[y == 0]), np.sort(s[y == 1])
    below = np.searchsorted(good, cuts, "left") / len(good)  # specificity
    above = 1 - np.searchsorted(worse, cuts, "left") / len(worse)  # sensitivity
    return float(cuts[int(np.argmax(below + above))])


def out_of_fold(
    bad: ArrayLike,
    decide: Callable[[Rows], Callable[[Rows], Floats]],
    *,
    seed: int,
    folds: int = FOLDS,
) -> Floats:
    """A number for every photograph, from a rule that was found without it.

    Args:
      bad: `[N]` 0/1, what the folds are stratified by.
      decide: training rows -> (rows -> their numbers).
      seed: of the folds.
      folds: how many; each kind has at least as many photographs.

    Returns:
      `[N]`.

    Raises:
      ValueError: fewer photographs of a kind than folds.
    """
    from sklearn.model_selection import StratifiedKFold

    y = np.asarray(bad, np.int64)
    few = int(min((y == 0).sum(), (y == 1).sum()))
    if few < folds:
        raise ValueError(f"{folds} folds need as many photographs of each kind, there are {few}")
    out = np.full(len(y), np.nan)
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for train, test in split.split(y, y):
        out[test] = decide(train)(test)
    return out


def by_threshold(score: ArrayLike, bad: ArrayLike, *, seed: int, folds: int = FOLDS) -> Floats:
    """Scores less the threshold of the other folds `[N]`: 0 and above is called bad."""
    s, y = np.asarray(score, np.float64), np.asarray(bad, np.int64)

    def decide(train: Rows) -> Callable[[Rows], Floats]:
        cut = threshold(s[train], y[train])
        return lambda rows: s[rows] - cut

    return out_of_fold(y, decide, seed=seed, folds=folds)


def by_pooling(
    maps: ArrayLike, bad: ArrayLike, *, seed: int, folds: int = FOLDS, steps: int = STEPS
) -> Floats:
    """Weighted sums less tau, both learned on the other folds `[N]`: 0 and above is called bad."""
    q, y = np.asarray(maps, np.float32), np.asarray(bad, np.int64)

    def decide(train: Rows) -> Callable[[Rows], Floats]:
        pooled = fit(q[train], y[train], seed=seed, steps=steps)
        return lambda rows: pooled.score(q[rows])

    return out_of_fold(y, decide, seed=seed, folds=folds)


def summary(bad: ArrayLike, margin: ArrayLike, score: ArrayLike) -> dict[str, float]:
    """The paper's metrics; as there, GOOD photographs are the positive class.

    Args:
      bad: `[N]` 0/1; `margin`: `[N]`, 0 and above is called bad; `score`: `[N]`, higher = worse,
        for the metrics of ranking.

    Returns:
      balanced_accuracy, f1, mcc, auroc, ap.
    """
    from sklearn import metrics as m

    good, called = 1 - np.asarray(bad, np.int64), (np.asarray(margin) < 0).astype(np.int64)
    rank = -np.asarray(score, np.float64)
    return {
        "balanced_accuracy": float(m.balanced_accuracy_score(good, called)),
        "f1": float(m.f1_score(good, called)),
        "mcc": float(m.matthews_corrcoef(good, called)),
        "auroc": ranking.auroc(good, rank),
        "ap": ranking.average_precision(good, rank),
    }


def _both_kinds(y: NDArray[np.int64]) -> None:
    kinds: Sequence[int] = sorted(set(y.tolist()))
    if kinds != [0, 1]:
        raise ValueError(f"good (0) and bad (1) photographs are needed, seen {kinds}")
