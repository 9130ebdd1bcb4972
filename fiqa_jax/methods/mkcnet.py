"""MKCNet (Che, Chen and Chen, CVPR 2023): diagnosis that knows the quality of its photographs.

The Task Net theta says diagnosis, quality and, for every joint class of both, soft labels that the
Meta Learner phi writes. Two stages:

  I   theta descends on L_D + L_Q + L_Omega (equation 1), L_Omega against phi's labels.
  II  phi descends on L_D + L_Q at theta~, theta after one virtual step of stage I, plus a weight
      times the negative entropy of the mean label (equations 3 and 4; `fiqa_jax.methods.bilevel`).

Where the paper is silent, or its released code does otherwise: the virtual step and stage I use the
same network; attention sees the whole map (`pool_before_attention` for the released layout);
running statistics move in stage I only; both stages take every batch in turn (`alternate='epoch'`
for the released schedule). The rows of the paper's ablation are settings, see `mkcnet_parts.ROWS`.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from fiqa_jax.methods import bilevel, multitask
from fiqa_jax.methods.mkcnet_tasks import both, conflict, label_entropy, make
from fiqa_jax.training import method, optim, state
from fiqa_jax.training.devices import Axis

Tree = Any


def build(config: ConfigDict, data: method.DataSpec, run: method.Run) -> method.Method:
    """The method for one stage.

    Args:
      config: the stage's sections model, loss, optim, augment and method.
      data: names of diagnoses and of two or three grades of quality.

    Raises:
      ValueError: settings that do not exist, or data without these labels.
    """
    own = config.method
    parts = make(config, data)
    dtype = jnp.dtype(config.model.precision)
    change = method.augmented(config.augment.train)
    nets = {"task": parts.task} | ({"meta": parts.learner} if parts.row.auxiliary else {})
    starts = {name: method.initialiser(net, data) for name, net in nets.items()}
    shapes = {k: jax.eval_shape(f, jax.random.key(0))[0] for k, f in starts.items()}
    period = max(1, run.train_rows // run.batch)  # steps of an epoch
    turns = own.alternate == "epoch" and bool(parts.row.learns)
    updates = -(-run.steps // 2) if turns else run.steps  # of each network
    slow = config.optim.copy_and_resolve_references().unlock()
    slow.lr = own.meta_lr
    of = {"task": config.optim, "meta": slow}
    tx = {name: optim.make(of[name], tree, updates) for name, tree in shapes.items()}
    rate = optim.schedule(config.optim, updates)
    factors = optim.match(config.optim.decay, shapes["task"], "optim.decay")
    decay = jax.tree.map(lambda f: config.optim.weight_decay * f, factors)

    def init(key: jax.Array) -> state.TrainState:
        keys = dict(zip(starts, jax.random.split(key, len(starts)), strict=True))
        made = {name: start(keys[name]) for name, start in starts.items()}
        params = {name: one[0] for name, one in made.items()}
        stats = {"batch_stats": {name: one[1]["batch_stats"] for name, one in made.items()}}
        opt = {name: tx[name].init(tree) for name, tree in params.items()}
        return state.create(params, stats, opt, config.optim.ema > 0)

    def update(now: state.TrainState, name: str, slope: Tree) -> state.TrainState:
        moves, opt = tx[name].update(slope, now.opt_state[name], now.params[name])
        params = {**now.params, name: optax.apply_updates(now.params[name], moves)}
        return now.replace(params=params, opt_state={**now.opt_state, name: opt})

    def done(step: jax.Array) -> jax.Array:
        """Updates that the Task Net has made before this step."""
        if not turns:
            return step
        epoch, within = step // period, step % period
        return (epoch + 1) // 2 * period + jnp.where(epoch % 2 == 0, within, 0)

    def step(
        now: state.TrainState, batch: method.Batch, key: jax.Array, *, axis: Axis
    ) -> tuple[state.TrainState, dict[str, jax.Array]]:
        batch = change(batch, jax.random.fold_in(key, now.step))
        images = method.normalise(batch["image"], data).astype(dtype)
        stats = now.model_state["batch_stats"]

        def write(phi: Tree) -> tuple[jax.Array, Tree]:
            return parts.labels(phi, stats["meta"], images, batch, axis)

        def found(theta: Tree, y: jax.Array | None) -> Any:
            return parts.losses(theta, y, stats["task"], images, batch, axis)

        y: Any = None
        pull: Any = None
        learned: Tree = {}
        if parts.row.auxiliary:
            y, pull, meta_stats = jax.vjp(write, now.params["meta"], has_aux=True)
            y, learned = jax.lax.stop_gradient(y), {"meta": meta_stats}

        def one(now: state.TrainState) -> tuple[state.TrainState, dict[str, jax.Array]]:
            def objective(theta: Tree) -> Any:
                primary, auxiliary, named, new = found(theta, y)
                return primary + auxiliary, (named, new)

            (value, (named, new)), slope = jax.value_and_grad(objective, has_aux=True)(
                now.params["task"]
            )
            slope = axis.mean(slope)
            moved = {"batch_stats": {"task": new, **learned}}
            after = update(now, "task", slope).replace(model_state=moved)
            return after, {"loss": value, **named, "grad_norm": optax.tree.norm(slope)}

        def two(now: state.TrainState) -> tuple[state.TrainState, dict[str, jax.Array]]:
            value, by_y = bilevel.label_gradient(
                own.way if parts.row.learns == "second" else "first",
                lambda theta, y: found(theta, y)[:2],
                now.params["task"],
                y,
                rate(done(now.step)),
                decay,
                axis,
                own.eps,
            )
            valid = both(batch, parts.graded).astype(y.dtype)
            entropy, more = jax.value_and_grad(label_entropy)(y, valid, axis)
            slope = axis.mean(pull(by_y + own.entropy * more)[0])
            named = {"meta_loss": value, "label_entropy": -entropy}
            return update(now, "meta", slope), {**named, "meta_grad_norm": optax.tree.norm(slope)}

        if turns:
            first = (now.step // period) % 2 == 0
            now, scalars = jax.lax.cond(
                first, lambda s: _only(one(s)), lambda s: _only(two(s)), now
            )
        else:
            now, scalars = one(now)
            if parts.row.learns:
                now, more = two(now)
                scalars |= more
        now = now.replace(step=now.step + 1)
        return state.update_ema(now, config.optim.ema), scalars

    def of_task(variables: Any) -> Tree:
        return {kind: tree["task"] for kind, tree in variables.items()}

    def forward(variables: Any, x: jax.Array) -> tuple[dict[str, jax.Array], dict[str, Any]]:
        """Logits of the heads that speak of the photograph, and the intermediates."""
        images = method.normalise(x, data).astype(dtype)
        found: Any = parts.task.apply(of_task(variables), images, False)
        logits, seen = found
        logits = {name: z for name, z in logits.items() if name != "auxiliary"}
        if parts.graded == "ungradable" and "quality" in logits:
            two_grades = logits.pop("quality")
            logits["ungradable"] = two_grades[:, 1] - two_grades[:, 0]
        return logits, seen

    def predict(variables: Any, batch: method.Batch) -> method.Outputs:
        logits, seen = forward(variables, method.unit(batch["image"]))
        out = {**multitask.outputs(logits), "embedding": seen["embedding"]}
        if parts.row.quality and {"diagnosis", parts.graded} <= batch.keys():
            out["row_conflict"] = conflict(parts, of_task(variables), seen["map"], batch)
        return out

    return method.Method(init, step, predict, lambda variables, x: forward(variables, x)[0])


def _only(found: tuple[state.TrainState, dict[str, jax.Array]]) -> Any:
    """What both stages report: the loss that was descended on, the length of its gradient."""
    now, scalars = found
    value = scalars.get("meta_loss", scalars.get("loss"))
    slope = scalars.get("meta_grad_norm", scalars.get("grad_norm"))
    stage = jnp.asarray(2 if "meta_loss" in scalars else 1, jnp.int32)
    return now, {"loss": value, "grad_norm": slope, "stage": stage}
