"""A small residual network that grades a whole photograph.

It reads colours, the field's mask and green against its local mean, in which vessels and blur show
at any brightness. Plain 3 x 3 convolutions only: depthwise ones are slow in
XLA on CPUs. Batch normalisation with running statistics, not group normalisation: statistics of
one photograph take out its own brightness and contrast, which is what is graded.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.cell_network import dropped, field_size
from fiqa_jax.models.layers.norm import BatchNorm, parameter_dtype

WIDTHS = (16, 32, 64, 128)  # channels at 1/2, 1/4, 1/8 and 1/16 of the side
WINDOW = 20  # pixels over which green is averaged, at a side of 128
SHRINK = 4  # the average is taken on a grid so much coarser
FLOOR = 0.05  # added to the local mean, so that dark corners do not divide by nothing
QUERIES = 4  # attention maps that pool the last features


class Trunk(nn.Module):
    """Features of a square photograph.

    Attributes:
      width: factor on `WIDTHS`.
      dtype: compute dtype.
      axis_name: mapped axis of batch statistics, None under jit.
    """

    width: float = 1.0
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, image: jax.Array, fov: jax.Array, train: bool) -> jax.Array:
        """Args: image `[B, S, S, 3] float in [0, 1]`, fov `[B, S, S]` 0 or 1; S divides by 16.

        Returns:
          Features `[B, S/16, S/16, .]`.
        """
        widths = [max(8, round(self.width * w)) for w in WIDTHS]
        x = space_to_depth(inputs(image, fov).astype(self.dtype), 2)
        x = nn.Conv(widths[0], (3, 3), use_bias=False, name="stem", **kept_in(self.dtype))(x)
        x = nn.relu(_norm(self, train, "stem_norm")(x))
        for i, channels in enumerate(widths[1:]):
            x = Block(channels, self.dtype, self.axis_name, name=f"block_{i}")(x, train)
        return x


class Block(nn.Module):
    """Halves the sides: two 3 x 3 convolutions beside a mean over 2 x 2 pixels."""

    channels: int
    dtype: DTypeLike
    axis_name: str | None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """`[B, H, W, C]` -> `[B, H/2, W/2, channels]`."""
        pad = ((1, 1), (1, 1))
        how = {"use_bias": False, **kept_in(self.dtype)}
        y = nn.Conv(self.channels, (3, 3), (2, 2), padding=pad, name="conv_0", **how)(x)
        y = nn.relu(_norm(self, train, "norm_0")(y))
        y = nn.Conv(self.channels, (3, 3), padding=pad, name="conv_1", **how)(y)
        y = _norm(self, train, "norm_1")(y)
        beside = nn.Conv(self.channels, (1, 1), name="beside", **how)(pooled(x, 2))
        return nn.relu(y + beside)


class Grader(nn.Module):
    """Logits of the grade and of defects of a whole photograph.

    Attributes:
      grades: classes of the grade, 0 for none.
      details: defects, 0 for none.
      width, dtype, axis_name: see `Trunk`.
      dropout: share of the pooled features that is left out where keys are given.
    """

    grades: int = 3
    details: int = 0
    width: float = 1.0
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None
    dropout: float = 0.1

    @nn.compact
    def __call__(
        self,
        image: jax.Array,
        fov: jax.Array,
        field_px: jax.Array,
        train: bool,
        keys: jax.Array | None = None,
    ) -> dict[str, jax.Array]:
        """Args: image, fov: see `Trunk`; field_px `[B] float`, NaN where it is not known; keys
        `[B]` of the examples, for dropout.

        Returns:
          `quality [B, grades]`, `details [B, details]` as asked for.
        """
        last = Trunk(self.width, self.dtype, self.axis_name, name="trunk")(image, fov, train)
        x = last.reshape(last.shape[0], -1, last.shape[-1])
        scores = nn.Dense(QUERIES, name="attention", **kept_in(self.dtype))(x)
        attended = jnp.einsum("bnq,bnc->bqc", jax.nn.softmax(scores, axis=1), x)
        size, known = field_size(field_px)
        features = jnp.concatenate(
            [x.mean(1), attended.reshape(x.shape[0], -1), size[:, None], known[:, None]], -1
        ).astype(parameter_dtype(self.dtype))
        how = kept_in(features.dtype)
        if keys is not None:
            features = dropped(features, keys, self.dropout)
        hidden = nn.relu(nn.Dense(64, name="hidden", **how)(features))
        out = {}
        if self.grades:
            out["quality"] = nn.Dense(self.grades, name="quality", **how)(hidden)
        if self.details:
            out["details"] = nn.Dense(self.details, name="details", **how)(hidden)
        return out


class Summary(nn.Module):
    """Logits of the grade and of defects from shares of cells.

    Attributes:
      grades: classes of the grade; details: defects, 0 for none.
      dtype: compute dtype.
    """

    grades: int = 3
    details: int = 0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, shares: jax.Array) -> dict[str, jax.Array]:
        """`[B, K] float` -> `quality [B, grades]`, `details [B, details]` as asked for."""
        how = kept_in(parameter_dtype(self.dtype))
        hidden = nn.silu(nn.Dense(32, name="hidden", **how)(shares))
        out = {"quality": nn.Dense(self.grades, name="quality", **how)(hidden)}
        if self.details:
            out["details"] = nn.Dense(self.details, name="details", **how)(hidden)
        return out


def kept_in(dtype: DTypeLike) -> dict[str, Any]:
    """Settings of a layer that computes in `dtype` and keeps its parameters at least as exact."""
    return {"dtype": dtype, "param_dtype": parameter_dtype(dtype)}


def inputs(image: jax.Array, fov: jax.Array) -> jax.Array:
    """`[B, S, S, 5]`: colours about 0, the mask, green over its local mean in the field.

    Args:
      image: `[B, S, S, 3] float in [0, 1]`; `fov`: `[B, S, S]`, 0 or 1.
    """
    mask = fov[..., None].astype(image.dtype)
    green = image[..., 1:2] * mask
    window = max(3, round(WINDOW * image.shape[1] / 128 / SHRINK)) | 1
    total, count = (boxed(pooled(v, SHRINK), window) for v in (green, mask))
    local = jnp.repeat(jnp.repeat(total / jnp.maximum(count, 1e-3), SHRINK, 1), SHRINK, 2)
    return jnp.concatenate(
        [(2 * image - 1) * mask, mask, 2 * (green - local) / (local + FLOOR) * mask], -1
    )


def space_to_depth(x: jax.Array, step: int) -> jax.Array:
    """`[B, H, W, C]` -> `[B, H/step, W/step, step * step * C]`."""
    b, h, w, c = x.shape
    x = x.reshape(b, h // step, step, w // step, step, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, h // step, w // step, step * step * c)


def pooled(x: jax.Array, step: int) -> jax.Array:
    """Means over `step` x `step` pixels: `[B, H, W, C]` -> `[B, H/step, W/step, C]`."""
    b, h, w, c = x.shape
    return x.reshape(b, h // step, step, w // step, step, c).mean((2, 4))


def boxed(x: jax.Array, window: int) -> jax.Array:
    """Sums over a `window` x `window` box about every pixel of `[B, H, W, C]`."""
    for box in ((1, window, 1, 1), (1, 1, window, 1)):
        zero = jnp.zeros((), x.dtype)
        x = jax.lax.reduce_window(x, zero, jax.lax.add, box, (1, 1, 1, 1), "SAME")
    return x


def _norm(module: Any, train: bool, name: str) -> BatchNorm:
    return BatchNorm(train, module.dtype, module.axis_name, momentum=0.97, name=name)
