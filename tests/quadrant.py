"""A classifier that can be followed by hand: a defect is darkness of the upper left quadrant.

Its trunk has one stage with two channels, the darkness of every 4 x 4 block in that quadrant and in
the whole photograph; its head is `gain` times the mean of the first.
"""

import flax.linen as nn
import jax.numpy as jnp
import optax

from fiqa_jax.training import method, state


class Trunk(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        batch, side = x.shape[:2]
        dark = 1 - x.reshape(batch, side // 4, 4, side // 4, 4, -1).mean((2, 4, 5))
        here = jnp.arange(side // 4) < side // 8
        mine = dark * (here[:, None] & here[None, :])[None]
        out = Stage(name="stage1")(jnp.stack([mine, dark], -1))
        return out.mean((1, 2)), {"stage1": out}


class Stage(nn.Module):
    @nn.compact
    def __call__(self, x):
        return x


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        gain = self.param("gain", lambda key: jnp.array(4.0))
        features, _ = Trunk(name="trunk")(x, False)
        return {"details": gain * features[:, :1]}


def build(config, data, run):
    net, shape = Net(), (1, data.side, data.side, 3)

    def init(key):
        params = net.init(key, jnp.zeros(shape))["params"]
        return state.create(params, {}, optax.sgd(0.1).init(params), ema=False)

    def logits(variables, x):
        return net.apply(variables, x)

    def predict(variables, batch):
        return {"p_details": nn.sigmoid(logits(variables, method.unit(batch["image"]))["details"])}

    return method.Method(init, lambda *a, **k: None, predict, logits)
