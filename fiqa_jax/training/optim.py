"""The optimiser from a config: schedule, clipping, per-parameter rates, frozen parts, decay."""

import re
from collections.abc import Sequence
from typing import Any

import jax
import optax
from flax import traverse_util
from ml_collections import ConfigDict

Tree = Any
SCHEDULES = ("cosine", "linear", "constant", "step")
OPTIMISERS = ("adamw", "adam", "sgd")


def paths(tree: Tree) -> list[str]:
    """'/'-joined names of all leaves of a nested dict."""
    return ["/".join(map(str, k)) for k in traverse_util.flatten_dict(tree)]


def match(pairs: Sequence[tuple[str, Any]], tree: Tree, what: str) -> Tree:
    """The value of the first regex that matches each leaf's whole path.

    Args:
      pairs: (regex, value) in order of precedence.
      tree: nested dict of parameters.
      what: name of the setting, for the error.

    Returns:
      A tree of the same structure holding values.

    Raises:
      ValueError: a parameter that no regex matches, or a regex that matches no parameter.
    """
    flat = traverse_util.flatten_dict(tree)
    used = set()
    out = {}
    for key in flat:
        path = "/".join(map(str, key))
        for regex, value in pairs:
            if re.fullmatch(regex, path):
                out[key] = value
                used.add(regex)
                break
        else:
            raise ValueError(f"{what}: no pattern matches the parameter {path!r}; add ('.*', 1.0)")
    for regex, _ in pairs:
        if regex not in used and not any(re.fullmatch(regex, p) for p in paths(tree)):
            some = ", ".join(paths(tree)[:3])
            raise ValueError(f"{what}: {regex!r} matches no parameter; there are {some} ...")
    return traverse_util.unflatten_dict(out)


def schedule(config: ConfigDict, steps: int) -> optax.Schedule:
    """Learning rate as a function of the step; every length is a share of the run.

    Raises:
      ValueError: an unknown name, or shares outside [0, 1].
    """
    if config.schedule not in SCHEDULES:
        raise ValueError(f"optim.schedule {config.schedule!r} is none of {SCHEDULES}")
    if not 0 <= config.warmup < 1:
        raise ValueError(f"optim.warmup is a share of the run in [0, 1), not {config.warmup}")
    rise = round(config.warmup * steps)
    rest = max(steps - rise, 1)
    if config.schedule == "cosine":
        body = optax.cosine_decay_schedule(config.lr, rest, config.floor)
    elif config.schedule == "linear":
        body = optax.linear_schedule(config.lr, config.lr * config.floor, rest)
    elif config.schedule == "constant":
        body = optax.constant_schedule(config.lr)
    else:
        every = max(round(config.step_share * steps), 1)
        body = optax.exponential_decay(config.lr, every, config.step_factor, staircase=True)
    if not rise:
        return body
    return optax.join_schedules([optax.linear_schedule(0.0, config.lr, rise), body], [rise])


def make(
    config: ConfigDict, params: Tree, steps: int, first: Sequence[tuple[str, Any]] = ()
) -> optax.GradientTransformation:
    """The transformation that turns mean gradients into updates.

    AdamW decays as PyTorch's does (rate * decay * weight, apart from the moments); SGD adds
    decay * weight to the gradient before the momentum, as PyTorch's does. The clipping norm is
    over trainable parameters only.

    Args:
      config: the `optim` section.
      params: nested dict of parameters (or of their shapes).
      steps: length of the run.
      first: groups that a method puts before the config's.

    Raises:
      ValueError: unknown names, or parameters that no pattern covers.
    """
    if config.name not in OPTIMISERS:
        raise ValueError(f"optim.name {config.name!r} is none of {OPTIMISERS}")
    factors = match((*first, *config.groups), params, "optim.groups")
    decays = match(config.decay, params, "optim.decay")
    clip = [optax.clip_by_global_norm(config.clip)] if config.clip else []
    decay = [_decay(config.weight_decay, decays)] if config.weight_decay else []
    if config.name == "sgd":
        trace = [optax.trace(config.momentum)] if config.momentum else []
        parts = [*clip, *decay, *trace]
    else:
        adam = optax.scale_by_adam(config.b1, config.b2, config.eps)
        parts = [*clip, adam, *decay] if config.name == "adamw" else [*clip, *decay, adam]
    rate = optax.scale_by_learning_rate(schedule(config, steps))
    trained = optax.chain(*parts, rate, _scale(factors))
    labels = jax.tree.map(
        lambda f: "frozen" if f is None else "trained", factors, is_leaf=lambda f: f is None
    )
    return optax.partition({"trained": trained, "frozen": optax.set_to_zero()}, labels)


def _lookup(values: Tree, tree: Tree) -> Tree:
    # `partition` replaces the other group's leaves by MaskedNode: only what is left is looked up.
    known = traverse_util.flatten_dict(values)
    flat = traverse_util.flatten_dict(tree, is_leaf=lambda _, x: not isinstance(x, dict))
    return traverse_util.unflatten_dict({k: known[k] for k in flat})


def _decay(weight_decay: float, factors: Tree) -> optax.GradientTransformation:
    def update(updates: Tree, params: Tree | None) -> Tree:
        def one(u: Any, p: Any, f: float) -> Any:
            return u if isinstance(u, optax.MaskedNode) else u + weight_decay * f * p

        leaf = lambda x: isinstance(x, optax.MaskedNode)  # noqa: E731
        return jax.tree.map(one, updates, params, _lookup(factors, updates), is_leaf=leaf)

    return optax.stateless(update)


def _scale(factors: Tree) -> optax.GradientTransformation:
    def update(updates: Tree, params: Tree | None) -> Tree:
        del params

        def one(u: Any, f: float) -> Any:
            return u if isinstance(u, optax.MaskedNode) else u * f

        leaf = lambda x: isinstance(x, optax.MaskedNode)  # noqa: E731
        return jax.tree.map(one, updates, _lookup(factors, updates), is_leaf=leaf)

    return optax.stateless(update)
