"""How maps of attribution are made: names and defaults, apart from the code that needs JAX."""

import dataclasses

WAYS = ("grad_cam", "integrated_gradients")
BASELINES = ("mean", "black", "blurred")


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a map is made.

    Attributes:
      way: grad_cam or integrated_gradients.
      stage: grad_cam: whose map is weighted, 'stage1' ...; '' is the last (of a VGG: after the
        last block's pooling).
      baseline: integrated_gradients: one of BASELINES.
      steps: integrated_gradients: gradients along the path.
      cells: integrated_gradients: of the map along an edge; divides the model's side.
    """

    way: str = "grad_cam"
    stage: str = ""
    baseline: str = "mean"
    steps: int = 32
    cells: int = 16
