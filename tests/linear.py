"""A method small enough to follow by hand: least squares on two numbers, one weight each."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fiqa_jax.training import losses, state
from fiqa_jax.training import method as base


def method(rate=0.1, bad_at=None):
    """y = w . x by gradient descent; `bad_at` makes that step's loss NaN."""
    tx = optax.sgd(rate)

    def init(key):
        params = {"w": jax.random.normal(key, (2,))}
        return state.create(params, {}, tx.init(params), ema=False)

    def loss(params, model_state, batch, key, axis):
        error = (batch["x"] @ params["w"] - batch["y"]) ** 2
        if bad_at is not None:
            error = jnp.where(batch["step"] == bad_at, jnp.nan, error)
        return {"error": losses.Term(error, jnp.ones_like(error), 1.0)}, model_state

    def predict(variables, batch):
        return {"score": batch["x"] @ variables["params"]["w"]}

    return base.Method(init, base.gradient_step(loss, tx, 0.0), predict)


def batches(start, size=8):
    """Endless batches, a function of the step only."""
    step = start
    while True:
        rng = np.random.default_rng(step)
        x = rng.normal(size=(size, 2)).astype(np.float32)
        y = x @ np.array([2.0, -1.0], np.float32)
        yield {"x": x, "y": y, "step": np.full(size, step, np.int32)}
        step += 1
