"""MKCNet (Che, Chen and Chen, CVPR 2023): diagnosis that knows the quality of its photographs.

The Task Net theta says diagnosis, quality and, for every joint class of both, soft labels y that
the Meta Learner phi writes. From top to bottom:

  `meta_labels`   y = softmax of phi's outputs over those of the photograph's joint class.
  `task_losses`   equation 1: L_D + L_Q, and L_Omega against y.
  `label_entropy` R of equation 4.
  `build`         `stage_one`: theta descends on L_D + L_Q + L_Omega (equation 2);
                  `meta_step`: phi descends on L_D + L_Q at theta~, theta after one virtual step of
                  stage I, plus a weight times R (equations 3 and 4; how that is differentiated, in
                  `fiqa_jax.methods.bilevel`).

Where the paper is silent, or its released code does otherwise: the virtual step and stage I use the
same network; attention sees the whole map (`pool_before_attention` for the released layout);
running statistics move in stage I only; both stages take every batch in turn (`alternate='epoch'`
for the released schedule). The rows of the paper's ablation are settings, see `mkcnet_tasks.ROWS`.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from fiqa_jax.methods import bilevel, multitask
from fiqa_jax.methods.mkcnet_tasks import Parts, both, conflict, make
from fiqa_jax.models.mkcnet import joint_class, masked_softmax
from fiqa_jax.training import losses, method, optim, state
from fiqa_jax.training.devices import Axis

Tree = Any


def meta_labels(
    parts: Parts, phi: Tree, stats: Tree, images: jax.Array, batch: method.Batch, axis: Axis
) -> tuple[jax.Array, Tree]:
    """Soft labels y `[B, psi * M]` by batch statistics, and the new running ones.

    Args:
      parts: networks and settings; `phi`, `stats`: of the Meta Learner.
      images: `[B, S, S, C]`, normalised; `batch`: their labels.
      axis: of the batch.
    """
    logits, new = parts.learner.clone(axis_name=axis.name).apply(
        {"params": phi, "batch_stats": stats}, images, True, mutable=["batch_stats"]
    )
    diagnoses = len(parts.data.diagnosis_names)
    joint = joint_class(batch[parts.graded], batch["diagnosis"], diagnoses)
    return masked_softmax(logits, joint, parts.config.method.psi), new["batch_stats"]


def task_losses(
    parts: Parts,
    theta: Tree,
    labels: jax.Array | None,
    stats: Tree,
    images: jax.Array,
    batch: method.Batch,
    axis: Axis,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array], Tree]:
    """Equation 1, THE pure function of both stages: at theta in the first, at theta~ in the second.

    Args:
      parts, images, batch, axis: as `meta_labels`; `theta`, `stats`: of the Task Net.
      labels: y, or None for rows without.

    Returns:
      L_D + L_Q and L_Omega over the global batch, each part by name, new running statistics.
    """
    (logits, _), new = parts.task.clone(axis_name=axis.name).apply(
        {"params": theta, "batch_stats": stats}, images, True, mutable=["batch_stats"]
    )
    settings, weights, dtype = parts.config.method, parts.config.loss, logits["diagnosis"].dtype
    terms = {}
    for name, label, factor in (
        ("diagnosis", "diagnosis", weights.diagnosis),
        ("quality", parts.graded, weights.quality),
    ):
        if name in logits:
            truth, z = batch[label], logits[name]
            counts = parts.data.class_counts.get(label, ())
            if name == "diagnosis" and settings.adjust:
                z = z + settings.adjust * _log_prior(counts, dtype)
            weight = (truth >= 0).astype(dtype)
            if method.weighs_classes(parts.config):
                weight = losses.inverse_frequency(truth, counts).astype(dtype)
            target = jax.nn.one_hot(jnp.maximum(truth, 0), z.shape[-1], dtype=dtype)
            terms[name] = losses.Term(losses.focal(z, target), weight, factor)
    primary, named = losses.total(terms, axis)
    auxiliary = jnp.zeros((), dtype)
    if labels is not None:
        weight = both(batch, parts.graded).astype(dtype)
        value = losses.focal(logits["auxiliary"], labels.astype(dtype)) / settings.psi
        auxiliary = named["auxiliary"] = losses.masked_mean(value, weight, axis)
    return primary, auxiliary, named, new["batch_stats"]


def _log_prior(counts: tuple[int, ...], dtype: Any) -> jax.Array:
    """`[1, T]` logarithms of the classes' shares of the training set, for logit adjustment (Menon
    et al. 2021, equation 10)."""
    known = jnp.maximum(jnp.array(counts, dtype), 1.0)
    return jnp.log(known / known.sum())[None]


def label_entropy(labels: jax.Array, valid: jax.Array, axis: Axis) -> jax.Array:
    """R of equation 4: sum_c m_c log m_c, m the mean label of the GLOBAL batch; minus its entropy.

    Args:
      labels: `[B, K]`, rows sum to 1.
      valid: `[B]`, 0 where a label is absent.
      axis: of the batch; not linear in the mean, so sums are added before the logarithm.
    """
    total = axis.sum((labels * valid[:, None]).sum(0))
    mean = total / jnp.maximum(axis.sum(valid.sum()), 1.0)
    return (mean * jnp.log(mean + 1e-20)).sum()


def build(config: ConfigDict, data: method.DataSpec, run: method.Run) -> method.Method:
    """The method for one stage.

    Args:
      config: the stage's sections model, loss, optim, augment and method.
      data: names of diagnoses and of two or three grades of quality.

    Raises:
      ValueError: settings that do not exist, or data without these labels.
    """
    settings = config.method
    parts = make(config, data)
    dtype = jnp.dtype(config.model.precision)
    change = method.augmented(config.augment.train)
    nets = {"task": parts.task} | ({"meta": parts.learner} if parts.row.auxiliary else {})
    starts = {name: method.initialiser(net, data) for name, net in nets.items()}
    shapes = {k: jax.eval_shape(f, jax.random.key(0))[0] for k, f in starts.items()}
    period = max(1, run.train_rows // run.batch)  # steps of an epoch
    turns = settings.alternate == "epoch" and bool(parts.row.learns)

    def done(step: Any) -> Any:
        """Updates that the Task Net has made before this step."""
        if not turns:
            return step
        epoch, within = step // period, step % period
        return (epoch + 1) // 2 * period + within * (epoch % 2 == 0)

    updates = done(run.steps)  # of the Task Net
    of_each = {"task": updates, "meta": run.steps - updates if turns else run.steps}
    meta_optim = config.optim.copy_and_resolve_references().unlock()
    meta_optim.lr = settings.meta_lr
    sections = {"task": config.optim, "meta": meta_optim}
    tx = {name: optim.make(sections[name], tree, of_each[name]) for name, tree in shapes.items()}
    rate = optim.schedule(config.optim, updates)
    factors = optim.match(config.optim.decay, shapes["task"], "optim.decay")
    decay = jax.tree.map(lambda f: config.optim.weight_decay * f, factors)

    def init(key: jax.Array) -> state.TrainState:
        keys = dict(zip(starts, jax.random.split(key, len(starts)), strict=True))
        made = {name: start(keys[name]) for name, start in starts.items()}
        params = {name: tree for name, (tree, _) in made.items()}
        stats = {"batch_stats": {name: extra["batch_stats"] for name, (_, extra) in made.items()}}
        opt = {name: tx[name].init(tree) for name, tree in params.items()}
        return state.create(params, stats, opt, config.optim.ema > 0)

    def update(now: state.TrainState, name: str, slope: Tree) -> state.TrainState:
        moves, opt = tx[name].update(slope, now.opt_state[name], now.params[name])
        params = {**now.params, name: optax.apply_updates(now.params[name], moves)}
        return now.replace(params=params, opt_state={**now.opt_state, name: opt})

    def step(
        now: state.TrainState, batch: method.Batch, key: jax.Array, *, axis: Axis
    ) -> tuple[state.TrainState, dict[str, jax.Array]]:
        batch = change(batch, jax.random.fold_in(key, now.step))
        images = method.normalise(batch["image"], data).astype(dtype)
        stats = now.model_state["batch_stats"]

        def labels_of(phi: Tree) -> tuple[jax.Array, Tree]:
            return meta_labels(parts, phi, stats["meta"], images, batch, axis)

        def losses_at(theta: Tree, y: jax.Array | None) -> Any:
            return task_losses(parts, theta, y, stats["task"], images, batch, axis)

        y: Any = None
        pull: Any = None
        learned: Tree = {}
        if parts.row.auxiliary:
            y, pull, meta_stats = jax.vjp(labels_of, now.params["meta"], has_aux=True)
            y, learned = jax.lax.stop_gradient(y), {"meta": meta_stats}

        def stage_one(now: state.TrainState) -> tuple[state.TrainState, dict[str, jax.Array]]:
            def objective(theta: Tree) -> Any:
                primary, auxiliary, named, new = losses_at(theta, y)
                return primary + auxiliary, (named, new)

            (value, (named, new)), slope = jax.value_and_grad(objective, has_aux=True)(
                now.params["task"]
            )
            slope = axis.mean(slope)
            moved = {"batch_stats": {"task": new, **learned}}
            after = update(now, "task", slope).replace(model_state=moved)
            return after, {"loss": value, **named, "grad_norm": optax.tree.norm(slope)}

        def meta_step(now: state.TrainState) -> tuple[state.TrainState, dict[str, jax.Array]]:
            value, by_y = bilevel.label_gradient(
                settings.way if parts.row.learns == "second" else "first",
                lambda theta, y: losses_at(theta, y)[:2],
                now.params["task"],
                y,
                rate(done(now.step)),
                decay,
                axis,
                settings.eps,
            )
            valid = both(batch, parts.graded).astype(y.dtype)
            entropy, more = jax.value_and_grad(label_entropy)(y, valid, axis)
            slope = axis.mean(pull(by_y + settings.entropy * more)[0])
            named = {"meta_loss": value, "label_entropy": -entropy}
            return update(now, "meta", slope), {**named, "meta_grad_norm": optax.tree.norm(slope)}

        if turns:
            first = (now.step // period) % 2 == 0
            now, scalars = jax.lax.cond(
                first, lambda s: _only(stage_one(s)), lambda s: _only(meta_step(s)), now
            )
        else:
            now, scalars = stage_one(now)
            if parts.row.learns:
                now, more = meta_step(now)
                scalars |= more
        now = now.replace(step=now.step + 1)
        return state.update_ema(now, config.optim.ema), scalars

    def task_variables(variables: Any) -> Tree:
        return {kind: tree["task"] for kind, tree in variables.items()}

    def forward(variables: Any, x: jax.Array) -> tuple[dict[str, jax.Array], dict[str, Any]]:
        """Logits of the heads that speak of the photograph, and the intermediates."""
        images = method.normalise(x, data).astype(dtype)
        output: Any = parts.task.apply(task_variables(variables), images, False)
        logits, seen = output
        logits = {name: z for name, z in logits.items() if name != "auxiliary"}
        if parts.graded == "ungradable" and "quality" in logits:
            two_grades = logits.pop("quality")
            logits["ungradable"] = two_grades[:, 1] - two_grades[:, 0]
        return logits, seen

    def predict(variables: Any, batch: method.Batch) -> method.Outputs:
        logits, seen = forward(variables, method.unit(batch["image"]))
        out = {**multitask.outputs(logits), "embedding": seen["embedding"]}
        if parts.row.quality and {"diagnosis", parts.graded} <= batch.keys():
            out["row_conflict"] = conflict(parts, task_variables(variables), seen["map"], batch)
        return out

    return method.Method(init, step, predict, lambda variables, x: forward(variables, x)[0])


def _only(updated: tuple[state.TrainState, dict[str, jax.Array]]) -> Any:
    """What both stages report: the loss that was descended on, the length of its gradient."""
    now, scalars = updated
    value = scalars.get("meta_loss", scalars.get("loss"))
    slope = scalars.get("meta_grad_norm", scalars.get("grad_norm"))
    stage = jnp.asarray(2 if "meta_loss" in scalars else 1, jnp.int32)
    return now, {"loss": value, "grad_norm": slope, "stage": stage}
