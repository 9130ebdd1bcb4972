"""RRWNet (Morano et al. 2024, "RRWNet: Recursive refinement network for effective retinal
artery/vein segmentation and classification"): a U-Net, and a second one that corrects its arteries
and veins again and again.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.unet import UNet


class RRWNet(nn.Module):
    """Both U-Nets; the second one's weights are the same in every pass.

    Attributes:
      base: channels of the first level of each U-Net.
      levels: resolutions of each U-Net.
      iterations: passes of the second U-Net after its first one; 5 in the released models.
      norm: batch normalisation; off as released. In the second U-Net running statistics then
        follow all passes.
      dtype: compute dtype.
      axis_name: mapped axis of batch statistics; None under jit.
    """

    base: int = 64
    levels: int = 5
    iterations: int = 5
    norm: bool = False
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool
    ) -> tuple[jax.Array, dict[str, tuple[jax.Array, ...]]]:
        """Logits of artery, vein and vessel.

        The vessel channel is the first U-Net's in every prediction.

        Args:
          x: `[B, H, W, C] float`; sides multiples of 2^(levels - 1).
          train: batch statistics instead of running ones.

        Returns:
          `[B, H, W, 3]` of the last pass, and {'predictions': those of the first U-Net and of all
          `1 + iterations` passes of the second, in order}.
        """
        size = (self.base, self.levels, self.norm, self.dtype, self.axis_name)
        first, second = UNet(3, *size, name="first"), UNet(2, *size, name="second")
        logits, _ = first(x, train)
        predictions = [logits]
        vessels, seen = logits[..., 2:], nn.sigmoid(logits)
        for _ in range(1 + self.iterations):
            both, _ = second(seen, train)
            predictions.append(jnp.concatenate([both, vessels], -1))
            seen = nn.sigmoid(predictions[-1])
        return predictions[-1], {"predictions": tuple(predictions)}
