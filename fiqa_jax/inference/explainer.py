"""Maps of where a trained classifier sees what one of its heads says, for any model directory.

    from fiqa_jax.inference import explainer, model_dir
    maps = explainer.explainer(model_dir.load("model"), "clarity", explainer.Settings("grad_cam"))
    maps({"image": image, "fov": fov}).map  # [B, h, w], higher = worse

A head is explained by its log-odds, before any temperature:
  quality       of reject against the other grades together
  ungradable    of ungradable against gradable
  NAME          of a defect against its absence
  diagnosis     of the class that the photograph is given, against the others together
  diagnosis:NAME  of that class against the others together
Log-odds do not change when the same number is added to all logits of a softmax, a single logit
does; for two classes they are the difference of the logits.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from fiqa_jax.inference import in_parts, model_dir, model_method
from fiqa_jax.maps import attribution
from fiqa_jax.maps.attribution_settings import BASELINES, WAYS
from fiqa_jax.maps.attribution_settings import Settings as Settings
from fiqa_jax.training import method as base

TRUNK = ("trunk",)  # where classifiers keep it; its intermediates are called stage1, stage2, ...

Logits = dict[str, jax.Array]
Target = Callable[[Logits], jax.Array]


class ExplainError(ValueError):
    """A head, stage or setting that this model does not have; says which there are."""


@dataclasses.dataclass(frozen=True)
class Explained:
    """A batch, explained.

    Attributes:
      map: `[B, h, w] float32` in [0, 1), 1 = speaks for what the head says, which is worse: the
        log-odds that each place gives, times the number of places, as `attribution.scaled`. So 0.5
        is one unit of log-odds if the whole photograph were like that place.
      log_odds: `[B] float32`, what was explained.
      gap: `[B] float32`, log-odds of the photograph, minus those of the baseline, minus the sum of
        the attribution: 0 but for too few steps. NaN for Grad-CAM, which promises no such thing.
    """

    map: NDArray[np.float32]
    log_odds: NDArray[np.float32]
    gap: NDArray[np.float32]


Explainer = Callable[[Mapping[str, NDArray[Any]]], Explained]


def heads(model: model_dir.Model) -> tuple[str, ...]:
    """Names of the heads that can be explained.

    Raises:
      ExplainError: a model without such heads, as an adapter or a segmentor.
    """
    return tuple(_targets(_traced(model)[1], model.config["data"]))


def explainer(model: model_dir.Model, head: str, settings: Settings) -> Explainer:
    """A function that explains batches; on accelerators compiled once per size of a batch.

    Args:
      model: loaded.
      head: see the module's docstring; `heads` lists them.
      settings: how.

    Returns:
      batch with `image [B, S, S, C] uint8` and `fov [B, S, S] uint8` -> `Explained`.

    Raises:
      ExplainError: a head, stage or setting that does not exist for this model.
    """
    method, logits, stages = _traced(model)
    targets = _targets(logits, model.config["data"])
    if head not in targets:
        raise ExplainError(f"model {model.config['name']} has no head {head!r}: {[*targets]}")
    _check(settings, list(stages), model.config["data"]["side"])
    if settings.way == "grad_cam":
        run = _grad_cam(method, targets[head], settings.stage or sorted(stages)[-1])
    else:
        run = _integrated(method, targets[head], settings.steps, settings.cells)
    compiled, variables = jax.jit(run), jax.device_put(model.variables)

    def together(batch: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        image = np.asarray(batch["image"])
        given = [base.unit(jnp.asarray(image))]
        if settings.way == "integrated_gradients":
            fov = np.asarray(batch["fov"])
            given.append(jnp.asarray(attribution.baselines(image, fov, settings.baseline)))
        return dict(zip(("map", "log_odds", "gap"), compiled(variables, *given), strict=True))

    def explain(batch: Mapping[str, NDArray[Any]]) -> Explained:
        found = in_parts.run(together, batch, in_parts.size(len(batch["image"])))
        return Explained(**{name: np.asarray(one, np.float32) for name, one in found.items()})

    return explain


def with_maps(
    method: base.Method, variables: Any, x: jax.Array, added: Mapping[str, jax.Array]
) -> tuple[Logits, dict[str, jax.Array]]:
    """A method's logits and the maps `[B, h, w, F]` of the stages of its trunk.

    The network is not touched: its calls are watched from outside, and so every classifier will do
    whose trunk goes by that name and gives its stages as intermediates.

    Args:
      method: with logits.
      variables: of the method.
      x: `[B, S, S, C] float` in [0, 1].
      added: stage -> `[B, h, w, F]`, added to its map before the network goes on. The gradient by
        it, at 0, is the gradient by the map.
    """
    maps: dict[str, jax.Array] = {}

    def watch(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        out, path = call(*args, **kwargs), context.module.path
        if context.method_name == "__call__" and path == TRUNK:
            maps.update({k: v for k, v in out[1].items() if k.startswith("stage")})
        elif context.method_name == "__call__" and path[:-1] == TRUNK and path[-1] in added:
            return out + added[path[-1]]
        return out

    assert method.logits is not None
    with nn.intercept_methods(watch):
        return method.logits(variables, x), maps


def _grad_cam(method: base.Method, target: Target, stage: str) -> Callable[..., Any]:
    def run(variables: Any, x: jax.Array) -> tuple[jax.Array, ...]:
        def score(added: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
            logits, maps = with_maps(method, variables, x, {stage: added})
            log_odds = target(logits)
            return log_odds.sum(), (log_odds, maps[stage])

        like = jax.eval_shape(lambda: with_maps(method, variables, x, {})[1][stage])
        start = jnp.zeros(like.shape, like.dtype)
        slope, (log_odds, activations) = jax.grad(score, has_aux=True)(start)
        exact = jnp.promote_types(like.dtype, jnp.float32)
        cam = attribution.grad_cam(activations.astype(exact), slope.astype(exact))
        places = cam.shape[1] * cam.shape[2]
        return attribution.scaled(places * cam), log_odds, jnp.full_like(log_odds, jnp.nan)

    return run


def _integrated(method: base.Method, target: Target, steps: int, cells: int) -> Callable[..., Any]:
    def run(variables: Any, x: jax.Array, start: jax.Array) -> tuple[jax.Array, ...]:
        def score(x: jax.Array) -> jax.Array:
            return target(with_maps(method, variables, x, {})[0])

        shares = attribution.integrated_gradients(score, x, start, steps)
        found, log_odds = attribution.by_cell(shares, cells), score(x)
        gap = log_odds - score(start) - found.sum((1, 2))
        return attribution.scaled(cells**2 * found), log_odds, gap

    return run


def _traced(model: model_dir.Model) -> tuple[base.Method, Logits, dict[str, jax.Array]]:
    """The model's method, and shapes of its logits and of the maps of its trunk."""
    config, data = model.config, model.config["data"]
    method = model_method.build(config, trust=model.trust)
    if method.logits is None:
        raise ExplainError(
            f"model {config['name']} has no heads to explain: method {config['method']!r} gives no "
            "logits of a photograph, as multitask and mkcnet do. A map that it draws by itself: "
            "fiqa predict --maps"
        )
    channels = 1 if data["modality"] == "slice" else 3
    x = jax.ShapeDtypeStruct((1, data["side"], data["side"], channels), jnp.float32)
    logits, maps = jax.eval_shape(lambda v, x: with_maps(method, v, x, {}), model.variables, x)
    return method, logits, maps


def _targets(logits: Logits, data: Mapping[str, Any]) -> dict[str, Target]:
    """Head -> its log-odds `[B]`, for the logits that a model has."""
    out: dict[str, Target] = {}
    if "quality" in logits:
        out["quality"] = lambda z: _against_rest(z["quality"], z["quality"].shape[-1] - 1)
    if "ungradable" in logits:
        out["ungradable"] = lambda z: z["ungradable"]
    if "details" in logits:
        for k, name in enumerate(data["detail_names"]):
            out[name] = lambda z, k=k: z["details"][:, k]  # type: ignore[misc]
    if "diagnosis" in logits:
        out["diagnosis"] = lambda z: _against_rest(z["diagnosis"], z["diagnosis"].argmax(-1))
        for k, name in enumerate(data["diagnosis_names"]):
            out[f"diagnosis:{name}"] = lambda z, k=k: _against_rest(  # type: ignore[misc]
                z["diagnosis"], k
            )
    return out


def _against_rest(logits: jax.Array, which: jax.Array | int) -> jax.Array:
    """Log-odds `[B]` of one class, the same or `[B]`, against the others of `[B, T]`."""
    own = jnp.broadcast_to(jnp.asarray(which), logits.shape[:1])[:, None]
    is_own = jnp.arange(logits.shape[-1])[None, :] == own
    mine = jnp.take_along_axis(logits, own, -1)[:, 0]
    return mine - jax.nn.logsumexp(logits, -1, where=~is_own)


def _check(settings: Settings, stages: list[str], side: int) -> None:
    if settings.way not in WAYS:
        raise ExplainError(f"way {settings.way!r} is none of {WAYS}")
    if settings.way == "grad_cam":
        if not stages:
            raise ExplainError("this model has no trunk with maps; take integrated_gradients")
        if settings.stage and settings.stage not in stages:
            raise ExplainError(f"stage {settings.stage!r} is none of {sorted(stages)}")
        return
    if settings.baseline not in BASELINES:
        raise ExplainError(f"baseline {settings.baseline!r} is none of {BASELINES}")
    if settings.steps < 1:
        raise ExplainError(f"steps {settings.steps}: expected 1 or more")
    if settings.cells < 1 or side % settings.cells:
        raise ExplainError(f"cells {settings.cells}: expected a divisor of the side, {side} pixels")
