"""Linear heads on pooled features: one for each thing that is judged."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.layers.initial import small_normal


class Heads(nn.Module):
    """Logits of the grade, of each defect and of the diagnosis.

    Kernels start as `initial.small_normal`, biases at 0.

    Attributes:
      quality: classes of the grade in the order good, usable, reject; 0 for no such head.
      ungradable: whether there is a head for gradable against ungradable.
      details: number of defects; 0 for no such head.
      diagnosis: number of diagnosis classes; 0 for no such head.
      dtype: of parameters and logits. Heads are cheap: they stay float32 beside a bfloat16 trunk.
    """

    quality: int = 0
    ungradable: bool = False
    details: int = 0
    diagnosis: int = 0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, features: jax.Array) -> dict[str, jax.Array]:
        """Logits of the heads that were asked for.

        Args:
          features: `[B, F] float32` pooled features.

        Returns:
          Any of `quality` `[B, quality]` (softmax), `ungradable` `[B]` (sigmoid), `details`
          `[B, details]` (sigmoid, 1 = the defect is there), `diagnosis` `[B, diagnosis]` (softmax),
          all of `dtype`.

        Raises:
          ValueError: no head was asked for, or a count that is negative.
        """
        sizes = {
            "quality": self.quality,
            "ungradable": int(self.ungradable),
            "details": self.details,
            "diagnosis": self.diagnosis,
        }
        if min(sizes.values()) < 0 or not any(sizes.values()):
            raise ValueError(f"Heads needs at least one output and no negative count, got {sizes}")
        out = {}
        for name, size in sizes.items():
            if size:
                out[name] = nn.Dense(
                    size,
                    dtype=self.dtype,
                    param_dtype=self.dtype,
                    kernel_init=small_normal,
                    name=name,
                )(features)
        if "ungradable" in out:
            out["ungradable"] = out["ungradable"][:, 0]
        return out
