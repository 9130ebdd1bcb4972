"""MKCNet (Che, Chen and Chen, CVPR 2023): the Task Net and the Meta Learner.

The Task Net has one trunk and a branch for each thing it says: the diagnosis, the image quality and
the joint classes whose soft labels the Meta Learner writes. What the joint branch has found helps
the diagnosis. A joint class is one grade of quality with one diagnosis, number
quality * diagnoses + diagnosis, and has `psi` outputs of its own.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax import models
from fiqa_jax.models.layers.cbam import CBAM, ChannelGate, linear
from fiqa_jax.models.layers.norm import parameter_dtype
from fiqa_jax.models.resnet import channels

OTHERS = 1e-8  # weight of the entries of other joint classes in the mask (released code)


def joint_class(quality: jax.Array, diagnosis: jax.Array, diagnoses: int) -> jax.Array:
    """Number `[B] int32` of the joint class, -1 where either label is absent (-1)."""
    known = (quality >= 0) & (diagnosis >= 0)
    return jnp.where(known, quality * diagnoses + diagnosis, -1)


def masked_softmax(logits: jax.Array, joint: jax.Array, psi: int) -> jax.Array:
    """Soft labels from the Meta Learner's logits: nearly all weight on the example's joint class.

    The released code's sum(exp(z) mask) / sum, with the mask's logarithm added to the logits, so
    that nothing overflows.

    Args:
      logits: `[B, psi * M] float`.
      joint: `[B] int` in [0, M); negative where absent, which masks every entry alike.
      psi: entries of a joint class.

    Returns:
      `[B, psi * M]`, rows sum to 1.
    """
    entry = jnp.arange(logits.shape[-1]) // psi
    allowed = entry[None, :] == joint[:, None]
    return jax.nn.softmax(logits + jnp.where(allowed, 0.0, jnp.log(OTHERS)).astype(logits.dtype))


class Mlp(nn.Module):
    """A linear layer as wide as its input, ReLU, and a linear layer with `out` outputs."""

    out: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, F]` to `[B, out]`."""
        x = nn.relu(linear(x.shape[-1], self.dtype, "hidden")(x))
        return linear(self.out, self.dtype, "out")(x)


def last_map(intermediates: dict[str, jax.Array]) -> jax.Array:
    """The map `[B, h, w, F]` of a trunk's last stage.

    Raises:
      ValueError: a trunk that gives no maps.
    """
    stages = sorted(name for name in intermediates if name.startswith("stage"))
    if not stages:
        raise ValueError(
            f"MKCNet attends to a trunk's maps; this one gives {sorted(intermediates)} only"
        )
    return intermediates[stages[-1]]


class TaskNet(nn.Module):
    """Trunk, attention blocks, and heads.

    Attributes:
      trunk: a key of `models.MODELS`.
      diagnoses: classes of the diagnosis.
      grades: classes of the quality; 0 for no such branch.
      joint: outputs of the auxiliary branch, psi * M; 0 for no such branch.
      pool_before_attention: the map is averaged to one place before the attention blocks, as in the
        released code; otherwise they see the whole map, as in the paper.
      width: factor on channels.
      dtype: compute dtype of the trunk; attention and heads stay float32 (float64 under float64).
      axis_name: mapped axis of batch statistics; None under jit.
      remat: see `vgg.VGG`; only that trunk has it.
    """

    trunk: str
    diagnoses: int
    grades: int = 0
    joint: int = 0
    pool_before_attention: bool = False
    width: float = 1.0
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> tuple[dict[str, jax.Array], dict[str, Any]]:
        """Logits of normalised images.

        Args:
          x: `[B, H, W, C] float`.
          train: batch statistics instead of running ones.

        Returns:
          Logits `diagnosis [B, T]` and, with such branches, `quality [B, Q]` and
          `auxiliary [B, psi * M]`; and the intermediates `map [B, h, w, F]` (what the branches
          share) and `embedding` `[B, E]` (what the diagnosis is read from).
        """
        exact = parameter_dtype(self.dtype)
        kw = {"remat": True} if self.remat else {}
        trunk = models.make(
            self.trunk, width=self.width, dtype=self.dtype, axis_name=self.axis_name, **kw
        )
        shared = last_map(trunk.copy(name="trunk")(x, train)[1]).astype(exact)
        if self.pool_before_attention:
            shared = shared.mean((1, 2), keepdims=True)
        return Branches(
            self.diagnoses,
            self.grades,
            self.joint,
            self.width,
            exact,
            self.axis_name,
            name="branches",
        )(shared, train)


class Branches(nn.Module):
    """Everything above the shared map, see `TaskNet`."""

    diagnoses: int
    grades: int
    joint: int
    width: float
    dtype: DTypeLike
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> tuple[dict[str, jax.Array], dict[str, Any]]:
        """Maps the shared map `[B, h, w, F]` to logits and intermediates."""
        size = {"diagnosis": self.diagnoses, "auxiliary": self.joint, "quality": self.grades}
        maps = {}
        for branch in (name for name, outputs in size.items() if outputs):
            seen = CBAM(train, 16, self.dtype, self.axis_name, name=f"{branch}_attention")(x)
            size_of = channels(256, self.width)
            maps[branch] = linear(size_of, self.dtype, f"{branch}_features")(seen.mean((1, 2)))
        embedding = maps["diagnosis"]
        if self.joint:
            flat = maps["auxiliary"][:, None, None, :]
            help_ = ChannelGate(16, self.dtype, name="assistance")(flat)[:, 0, 0, :]
            embedding = jnp.concatenate([embedding, help_], -1)
        read = {**maps, "diagnosis": embedding}
        logits = {name: Mlp(size[name], self.dtype, name=name)(read[name]) for name in maps}
        return logits, {"map": x, "embedding": embedding}


class MetaLearner(nn.Module):
    """A trunk of its own and an MLP: logits of the soft labels, before `masked_softmax`.

    Attributes:
      joint: outputs, psi * M.
      trunk, width, dtype, axis_name, remat: as in `TaskNet`.
    """

    joint: int
    trunk: str = "vgg16"
    width: float = 1.0
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, joint]`."""
        kw = {"remat": True} if self.remat else {}
        trunk = models.make(
            self.trunk, width=self.width, dtype=self.dtype, axis_name=self.axis_name, **kw
        )
        features, _ = trunk.copy(name="trunk")(x, train)
        return Mlp(self.joint, parameter_dtype(self.dtype), name="head")(features)
