"""A drawn fundus and honest degradation of any photograph, with pixel truth.

Numpy, scipy and Pillow only. `draw` gives a photograph of good quality with all that is in it,
`plan` what may happen to it, `degrade` does that to any photograph and measures what is left;
`example` is the three in a row. `truth` says how labels follow.

Everything is a pure function of its arguments: the same bytes in every process and under Python
3.11 and 3.12. On another kind of processor a pixel may differ by a grey level, for vector units
round logarithms and the like differently.
"""

from collections.abc import Sequence

import numpy as np

from input_pipeline.synthetic.anatomy import LESIONS, STYLES, Drawn, draw
from input_pipeline.synthetic.degradation import Degraded, degrade
from input_pipeline.synthetic.plans import DETAILS, KINDS, Degradation, named, plan
from input_pipeline.synthetic.truth import remove_vessels

__all__ = [
    "DETAILS",
    "KINDS",
    "LESIONS",
    "STYLES",
    "Degradation",
    "Degraded",
    "Drawn",
    "degrade",
    "draw",
    "example",
    "named",
    "plan",
    "remove_vessels",
]


def example(
    seed: int,
    index: int,
    side: int,
    style: str = "a",
    lq_ratio: float = 0.5,
    cells: int = 16,
    severity_mix: tuple[float, float] = (0.5, 0.5),
    kinds: Sequence[str] = tuple(KINDS),
    lesion_scale: float = 1.0,
) -> dict[str, np.ndarray]:
    """One drawn, perhaps degraded photograph with all its labels: a pure function of the arguments.

    Args:
      seed: which set.
      index: which photograph of the set.
      side: pixels.
      style: camera, letters of `STYLES`; of several the seed picks one.
      lq_ratio: share of photographs of low quality (usable or reject).
      cells: edge of a cell of the map in pixels.
      severity_mix: shares of usable and reject among those of low quality.
      kinds: degradations to choose from, keys of `KINDS`.
      lesion_scale: see `draw`.

    Returns:
      image [S, S, 3] uint8, fov [S, S] uint8, vessels [S, S, 3] uint8, vessels_valid [3] float32,
      map [h, w] uint8, quality int32, ungradable int32, details [4] int8 in the order of `DETAILS`,
      diagnosis int32 (ICDR grade).
    """
    one, two, three = np.random.SeedSequence([seed, index]).spawn(3)
    drawn = draw(int(one.generate_state(1)[0]), side, style, lesion_scale=lesion_scale)
    todo = plan(np.random.default_rng(two), lq_ratio, severity_mix, kinds)
    done = degrade(
        drawn.image,
        drawn.fov,
        np.random.default_rng(three),
        todo,
        drawn.clean0,
        drawn.vessels,
        cells,
    )
    return {
        "image": done.image,
        "fov": drawn.fov,
        "vessels": drawn.vessels,
        "vessels_valid": np.ones(3, np.float32),
        "map": done.map,
        "quality": np.asarray(done.quality, np.int32),
        "ungradable": np.asarray(done.quality == 2, np.int32),
        "details": np.array([done.details[name] for name in DETAILS], np.int8),
        "diagnosis": np.asarray(drawn.grade, np.int32),
    }
