"""Learning from positive and unlabelled cells: nnPU (Kiryo et al. 2017) and what stands beside it.

With logits z, a surrogate l (l(z) is the loss of a positive cell, l(-z) that of a negative one),
means over positive cells P and unlabelled ones U, and the prior pi, the share of positives:

    Rp+ = mean_P l(z)    Rp- = mean_P l(-z)    Ru- = mean_U l(-z)    r = Ru- - pi Rp-

    uPU         pi Rp+ + r, which is unbiased, but r falls below 0 once a network overfits
    nnPU        the same while r >= -beta. Below: gradient of -gamma r alone, value pi Rp+ - beta
                (Kiryo et al. 2017, algorithm 1, with the values of their code)
    clamp       weight pi Rp+ + max(r, beta): EFIQA-CP as released, where beta is a floor and the
                clamped part has no gradient
    PN          pi Rp+ + (1 - pi) Ru-: the unlabelled are taken for negatives

The theory has U drawn from all cells; as released it lacks the positives. It also has P drawn at
random from all positives, which pseudo-labels are not (they are the cells of which inpainting is
sure), so that estimators of the prior do not apply: the prior is a setting, to be swept.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from fiqa_jax.training.devices import Axis

RISKS = ("nnpu", "upu", "pn")
VARIANTS = ("clamp", "ascent")
# l(z): the loss of a cell with logit z that should be positive
SURROGATES: dict[str, Callable[[jax.Array], jax.Array]] = {
    "logistic": lambda z: jax.nn.softplus(-z),
    "sigmoid": lambda z: jax.nn.sigmoid(-z),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which risk, and its numbers.

    Attributes:
      risk: nnpu | upu | pn.
      variant: of nnpu: clamp (EFIQA-CP as released) | ascent (Kiryo et al.).
      surrogate: logistic | sigmoid.
      prior: pi, in ]0, 1[.
      beta: ascent: how far below 0 r may fall, 0 or more; clamp: the floor of r.
      gamma: ascent: factor on the gradient that brings r back, in [0, 1].
      weight: clamp: of the positive part.

    Raises:
      ValueError: a name that is not known or a number outside its range.
    """

    risk: str = "nnpu"
    variant: str = "clamp"
    surrogate: str = "logistic"
    prior: float = 0.05
    beta: float = 0.0
    gamma: float = 1.0
    weight: float = 1.0

    def __post_init__(self) -> None:
        for name, known in (("risk", RISKS), ("variant", VARIANTS), ("surrogate", SURROGATES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r} is none of {tuple(known)}")
        if not 0 < self.prior < 1:
            raise ValueError(f"prior {self.prior}: the share of positives, in ]0, 1[")
        if not (self.beta >= 0 and 0 <= self.gamma <= 1 and self.weight > 0):
            raise ValueError(
                f"beta {self.beta} is 0 or more, gamma {self.gamma} in [0, 1], weight "
                f"{self.weight} above 0"
            )


@dataclasses.dataclass(frozen=True)
class Means:
    """Means over all positive or unlabelled cells of the GLOBAL batch, scalars.

    Attributes:
      positive: Rp+; `flipped`: Rp-; `unlabelled`: Ru-. 0 where there is no such cell.
      positives, others: how many cells there are of each kind.
    """

    positive: jax.Array
    flipped: jax.Array
    unlabelled: jax.Array
    positives: jax.Array
    others: jax.Array

    @property
    def usable(self) -> jax.Array:
        """Whether there are cells of both kinds, bool scalar; without, there is no risk."""
        return (self.positives > 0) & (self.others > 0)


def means(
    logits: jax.Array, positive: jax.Array, unlabelled: jax.Array, surrogate: str, axis: Axis
) -> Means:
    """The three means of a batch. Sums and counts are added over devices before any division.

    Args:
      logits: `[...] float`.
      positive, unlabelled: `[...] bool`; a cell may be in both pools, or in none.
      surrogate: a key of SURROGATES.
      axis: of the batch.
    """
    loss = SURROGATES[surrogate]

    def mean(value: jax.Array, pool: jax.Array) -> tuple[jax.Array, jax.Array]:
        total = axis.sum(jnp.sum(jnp.where(pool, value, 0.0)))
        count = axis.sum(jnp.sum(pool, dtype=value.dtype))
        return total / jnp.maximum(count, 1.0), count

    for_positive, count = mean(loss(logits), positive)
    flipped, _ = mean(loss(-logits), positive)
    rest, others = mean(loss(-logits), unlabelled)
    return Means(for_positive, flipped, rest, count, others)


def risk(means: Means, settings: Settings) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The risk to descend on.

    Returns:
      A scalar whose value is the reported risk and whose gradient is the one to follow (they part
      where the ascent variant climbs), and its parts: `positive_risk`, pi Rp+, and
      `negative_risk`, r (of PN: (1 - pi) Ru-).
    """
    pi = settings.prior
    positive = pi * means.positive
    negative = means.unlabelled - pi * means.flipped
    if settings.risk == "pn":
        negative = (1.0 - pi) * means.unlabelled
    parts = {"positive_risk": positive, "negative_risk": negative}
    if settings.risk in ("upu", "pn"):
        return positive + negative, parts
    if settings.variant == "clamp":
        return settings.weight * positive + jnp.where(
            negative > settings.beta, negative, settings.beta
        ), parts
    below = negative < -settings.beta
    followed = jnp.where(below, -settings.gamma * negative, positive + negative)
    value = jnp.where(below, positive - settings.beta, positive + negative)
    return followed + jax.lax.stop_gradient(value - followed), parts
