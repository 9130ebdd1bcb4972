"""One photograph in, everything out: grade, defects and a map of what can be seen, in one pass.

Three parts. `view` learns from photographs whose every cell is known, because they were degraded
here: how much of a vessel's contrast is left, and what took it (`methods.visible_cells`). `summary`
makes a grade and defects of what the map sums up to, from that same truth. `grade` learns the grade
of a whole photograph from readers (`models.grader`); where it is, it gives the grade. Readers'
grades never reach `view`: a map that learned from them would show what goes with a poor grade, not
where the photograph is poor.

Each part learns from the labels that a batch brings: `quality` and `details` for `grade` and
`summary`; the codes of `map` and `cause` for `view`.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from fiqa_jax.evaluation import decisions
from fiqa_jax.methods import visible_cells
from fiqa_jax.models import cell_measures, grader
from fiqa_jax.models.cell_network import CellNetwork
from fiqa_jax.training import losses, method, state
from fiqa_jax.training.devices import Axis

PARTS = ("grade", "view", "summary")
TURNS = 4  # by 0, 90, 180 and 270 degrees


def build(config: ConfigDict, data: method.DataSpec, run: method.Run) -> method.Method:
    """The method for one stage.

    Args:
      config: the stage's sections model (width, precision), loss, optim, augment and method.
      data: photographs, RGB; with `view` of a side that divides by 256, and their side over
        method.shrink divides by 16 for `grade`.
      run: how long it is trained.

    Raises:
      ValueError: settings that do not exist, or data without a label that a part asks for.
    """
    own = config.method
    if not 0 <= own.neighbour < 0.5 or not 0 <= own.hide_size < 1:
        raise ValueError("method.neighbour lies in [0, 0.5), method.hide_size in [0, 1)")
    names = _parts(own.parts)
    if own.turns not in (1, TURNS):
        raise ValueError(f"method.turns {own.turns}: expected 1 or {TURNS}")
    trained = _parts(own.trained) if own.trained else names
    if {*trained} - {*names}:
        raise ValueError(f"method.trained {trained} is not among method.parts {names}")
    if "summary" in names and "view" not in names:
        raise ValueError(f"method.parts {names}: 'summary' with 'view' only, it sums that up")
    _check_side(data, names, own.shrink)
    grades, details = len(data.quality_names), len(data.detail_names)
    if grades != 3 and names != ("view",):
        raise ValueError(f"grades good, usable, reject are needed; the data has {grades}")
    dtype = jnp.dtype(config.model.precision)
    width = config.model.width
    apart = 0 if "summary" in names else details  # defects are the summary's, where there is one
    nets: dict[str, Any] = {
        "grade": grader.Grader(3, apart, width, dtype, dropout=own.dropout),
        "view": CellNetwork(visible_cells.LOGITS, width, own.dropout, dtype),
        "summary": grader.Summary(3, details, dtype),
    }
    change = method.augmented(config.augment.train)

    def start(key: jax.Array) -> tuple[Any, Any]:
        batch = {
            "image": jnp.zeros((1, data.side, data.side, 3), dtype),
            "fov": jnp.ones((1, data.side, data.side), dtype),
        }
        params: dict[str, Any] = {}
        statistics: dict[str, Any] = {}

        def first(name: str, *given: Any) -> Any:
            at = jax.random.fold_in(key, PARTS.index(name))
            made = dict(nets[name].init(at, *given))
            params[name] = made["params"]
            if "batch_stats" in made:
                statistics[name] = made["batch_stats"]
            return nets[name].apply(made, *given)

        _forward(first, names, _read(batch, dtype), own.shrink, False)
        return params, {"batch_stats": statistics}

    def loss(
        params: Any, model_state: Any, batch: method.Batch, key: jax.Array, axis: Axis
    ) -> tuple[dict[str, losses.Term], Any]:
        keys = state.example_keys(jax.random.fold_in(key, 1), batch["index"])
        batch = change(batch, key)
        image, fov, px = _read(batch, dtype)
        px = jnp.where(jax.vmap(jax.random.uniform)(keys) < own.hide_size, jnp.nan, px)
        drop = jax.vmap(lambda k: jax.random.fold_in(k, 1))(keys)
        statistics = dict(model_state["batch_stats"])

        def learned(name: str, *given: Any) -> Any:
            held = {"params": params[name]}
            if name not in statistics:
                return nets[name].apply(held, *given)
            held["batch_stats"] = statistics[name]
            if name not in trained:
                return nets[name].apply(held, *given[:-1], False)
            net = nets[name].clone(axis_name=axis.name)
            out, new = net.apply(held, *given, keys=drop, mutable=["batch_stats"])
            statistics[name] = new["batch_stats"]
            return out

        turn = jax.vmap(lambda k: jax.random.fold_in(k, 2))(keys)
        needed = {*trained} | ({"view"} if "summary" in trained else set())
        run_parts = tuple(name for name in names if name in needed)
        out = _forward(learned, run_parts, (image, fov, px), own.shrink, True, turn)
        terms: dict[str, losses.Term] = {}
        if "view" in trained and "map" in batch:
            cause = visible_cells.turned(batch["cause"], turn) if "cause" in batch else None
            terms |= visible_cells.terms(
                out["view"], visible_cells.turned(batch["map"], turn), cause
            )
        for name in ("summary", "grade"):
            if name in trained:
                terms |= _grade_terms(name, out[name], batch, config, data)
        return terms, {"batch_stats": statistics}

    def predict(variables: Any, batch: method.Batch) -> method.Outputs:
        def known(name: str, *given: Any) -> Any:
            held = {k: v[name] for k, v in variables.items() if name in v}
            return nets[name].apply(held, *given)

        def graded(name: str, *given: Any) -> Any:
            if name == "grade" and own.turns > 1:
                return over_turns(lambda *turned: known(name, *turned, False), *given[:-1])
            return known(name, *given)

        made = _forward(graded, names, _read(batch, dtype), own.shrink, False)
        out: method.Outputs = {}
        for name in ("summary", "grade"):
            if name in names:
                out |= _grades(made[name])
        return out | made.get("seen", {})

    frozen = tuple((rf"{name}/.*", None) for name in names if name not in trained)
    return method.make(config, run, start, loss, predict, frozen=frozen)


def _forward(
    apply: Any,
    names: tuple[str, ...],
    read: tuple[jax.Array, jax.Array, jax.Array],
    shrink: int,
    train: bool,
    turn: jax.Array | None = None,
) -> dict[str, Any]:
    """Logits of the parts by name, and as `seen` the map and causes.

    Args:
      apply: (part, *its arguments) -> its logits.
      names: the parts, in the order of `PARTS`.
      read: image, mask and size of the field.
      shrink: `grade` sees a side so many times smaller.
      train: batch statistics.
      turn: keys `[B]` by which each photograph's cells are turned, None to leave them.
    """
    image, fov, px = read
    out: dict[str, Any] = {}
    if "grade" in names:
        small, inside = image, fov
        if shrink > 1:
            small = grader.pooled(image, shrink)
            inside = (grader.pooled(fov[..., None], shrink)[..., 0] >= 0.5).astype(fov.dtype)
        out["grade"] = apply("grade", small * inside[..., None], inside, px, train)
    if "view" in names:
        measures, within = visible_cells.measured(image, fov)
        if turn is not None:
            measures, within = (visible_cells.turned(v, turn) for v in (measures, within))
        logits = apply("view", measures, within, px, train)
        out["view"] = logits
        exact = jnp.promote_types(logits.dtype, jnp.float32)
        out["seen"] = visible_cells.map_and_causes(logits.astype(exact), within)
        if "summary" in names:
            out["summary"] = apply("summary", visible_cells.shares(out["seen"], within, px))
    return out


def over_turns(
    grade: Callable[..., dict[str, jax.Array]], image: jax.Array, fov: jax.Array, px: jax.Array
) -> dict[str, jax.Array]:
    """Means of a network's logits over the four quarter turns of each photograph.

    A photograph that was taken, or saved, on its side then has the logits of the upright one.

    Args:
      grade: (image, fov, px) -> logits `[B, .]` by name.
      image: `[B, S, S, 3]`; fov: `[B, S, S]`; px: `[B]`.
    """
    turned = (
        jnp.concatenate([jnp.rot90(x, k, (1, 2)) for k in range(TURNS)]) for x in (image, fov)
    )
    logits = grade(*turned, jnp.concatenate([px] * TURNS))
    return {k: v.reshape(TURNS, -1, v.shape[-1]).mean(0) for k, v in logits.items()}


def _parts(names: Any) -> tuple[str, ...]:
    """The parts of a model in their order, checked. Raises: ValueError."""
    if not names or {*names} - {*PARTS}:
        raise ValueError(f"method.parts {tuple(names)}: expected some of {PARTS}")
    return tuple(name for name in PARTS if name in names)


def _check_side(data: method.DataSpec, names: tuple[str, ...], shrink: int) -> None:
    of_grade = 16 * shrink if "grade" in names else 1
    of_view = cell_measures.CELLS << (cell_measures.LEVELS - 1) if "view" in names else 1
    step = math.lcm(of_grade, of_view)
    if data.side % step or data.channels != 3:
        raise ValueError(
            f"data.side {data.side} with {data.channels} channels: expected RGB and a multiple of "
            f"{step} pixels; the nearest is {max(round(data.side / step), 1) * step}"
        )


def _read(batch: method.Batch, dtype: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Image in [0, 1], mask and size of the field, NaN where the batch does not say it."""
    image = method.unit(batch["image"])
    fov = batch["fov"] if "fov" in batch else jnp.any(image > 0, -1)
    px = batch.get("field_px", jnp.full(image.shape[0], jnp.nan))
    return image.astype(dtype), fov.astype(dtype), px.astype(dtype)


def neighbouring(labels: jax.Array, share: float) -> jax.Array:
    """Targets `[B, 3]` of ordinal grades `[B]`: `share` of the mass on the grades next to it.

    Readers differ by one grade more often than by two. The middle grade gives half the share to
    either side. Absent labels (-1) are taken as 0: leave them out by their weight.
    """
    near = jnp.array(
        [[1 - share, share, 0], [share / 2, 1 - share, share / 2], [0, share, 1 - share]]
    )
    return near[jnp.maximum(labels, 0)]


def _grade_terms(
    part: str,
    logits: dict[str, jax.Array],
    batch: method.Batch,
    config: ConfigDict,
    data: method.DataSpec,
) -> dict[str, losses.Term]:
    labels = batch["quality"]
    target = neighbouring(labels, config.method.neighbour)
    value = -(target * jax.nn.log_softmax(logits["quality"])).sum(-1)
    if method.weighs_classes(config):
        weight = losses.inverse_frequency(labels, data.class_counts["quality"])
    else:
        weight = (labels >= 0).astype(value.dtype)
    ahead = "" if part == "grade" else f"{part}_"
    terms = {f"{ahead}quality": losses.Term(value, weight, config.loss.quality)}
    if "details" in logits and "details" in batch:
        value, valid = losses.binary_cross_entropy(logits["details"], batch["details"])
        share = config.loss.details / len(data.detail_names)
        for k, name in enumerate(data.detail_names):
            terms[f"{ahead}detail_{name}"] = losses.Term(value[:, k], valid[:, k], share)
    return terms


def _grades(logits: dict[str, jax.Array]) -> method.Outputs:
    p = jax.nn.softmax(logits["quality"].astype(jnp.float32))
    out = {"p_quality": p, "p_ungradable": p[:, 2], "score": decisions.badness(p)}
    if "details" in logits:
        out["p_details"] = jax.nn.sigmoid(logits["details"].astype(jnp.float32))
    return out
