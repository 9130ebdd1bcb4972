"""What saving does: JPEG twice, on two grids, at low quality."""

import numpy as np

from input_pipeline.synthetic.defects.defect import Base, Defect
from input_pipeline.synthetic.defects.focus import everywhere
from input_pipeline.synthetic.sensor import quality_of


def double_jpeg(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Saved at low quality, cut, and saved again a little better or worse."""
    first = quality_of(severity)
    second = int(np.clip(first + rng.integers(-5, 25), 4, 92))
    return Defect(
        everywhere(base, severity),
        quality=((first, int(rng.integers(8))), (second, int(rng.integers(8)))),
    )
