"""Degrades a photograph, drawn or real, and says what was done, where, and what is still seen.

What follows from severities and how is written down in `truth`.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from input_pipeline.synthetic import exposure, occlusion, optics, sensor, truth
from input_pipeline.synthetic.effects import Effect, Scene, scene_of
from input_pipeline.synthetic.plans import KINDS, Degradation, ordered

BUILD: dict[str, Callable[[Degradation, Scene], Effect]] = {
    "haze": exposure.haze,
    "floater": occlusion.floater,
    "defocus": optics.defocus,
    "local_defocus": optics.local_defocus,
    "motion": optics.motion,
    "uneven": exposure.uneven,
    "dark": exposure.dark,
    "bright": exposure.bright,
    "low_contrast": exposure.low_contrast,
    "flare": occlusion.flare,
    "eyelash": occlusion.eyelash,
    "dust": occlusion.dust,
    "noise": sensor.noise,
    "jpeg": sensor.jpeg,
}


@dataclasses.dataclass(frozen=True)
class Degraded:
    """A degraded photograph and its labels. Higher is worse everywhere except `visibility`."""

    image: np.ndarray  # [S, S, 3] uint8
    quality: int  # 0 good, 1 usable, 2 reject
    details: dict[str, int]  # DETAILS -> 1 where the defect is there
    causes: tuple[str, ...]  # 'capture:defocus', 'media:haze', ...: all that was done
    map: np.ndarray  # [h, w] uint8: 0 background, 1 good, 2 usable, 3 bad, 255 not known
    visibility: np.ndarray  # [h, w] float32 in [0, 1]; nan outside the field or where not known
    severity: dict[str, float]  # name -> severity
    masks: dict[str, np.ndarray]  # name -> local severity [S, S] uint8, 255 is 1


def degrade(
    image: np.ndarray,
    fov: np.ndarray,
    rng_or_seed: np.random.Generator | int,
    plan: Sequence[Degradation],
    clean0: np.ndarray | None = None,
    vessels: np.ndarray | None = None,
    cells: int = 16,
) -> Degraded:
    """Degrades a photograph. What lies outside the field comes out black.

    Args:
      image: [S, S, 3] uint8, of good quality.
      fov: [S, S] uint8, 1 inside the field.
      rng_or_seed: noise of the sensor.
      plan: what to do; applied in the order of `KINDS` whatever its own.
      clean0: [S, S, 3] uint8, the photograph without vessels; filled in from around the vessels
        (`truth.remove_vessels`) when only `vessels` is given.
      vessels: [S, S, 3] or [S, S] uint8 coverage 0..255 (the last channel counts). Without it the
        map is 255 inside the field and quality follows from the severities.
      cells: edge of a cell of the map in pixels; h = w = S // cells.

    Returns:
      Degraded.

    Raises:
      ValueError: shapes or types that do not fit, an empty field, cells that do not fit.
    """
    side = image.shape[0]
    if image.shape != (side, side, 3) or image.dtype != np.uint8 or fov.shape != (side, side):
        raise ValueError(
            f"expected image [S, S, 3] uint8 and fov [S, S], got {image.shape} {image.dtype} "
            f"and {fov.shape}"
        )
    if not 2 <= cells <= side:
        raise ValueError(f"cells of {cells} pixels do not fit a side of {side}: give 2..{side}")
    rng = np.random.default_rng(rng_or_seed)
    scene = scene_of(image, fov)
    plan = ordered(plan)
    effects = [BUILD[item.name](item, scene) for item in plan]

    out = image.astype(np.float32)
    for effect in effects:
        out = effect.apply(out, (0, 1, 2))
        if effect.sigma:
            out = out + sensor.grain(rng, side, effect.sigma)
    out = np.clip(out, 0, 255).round().astype(np.uint8)
    out[~scene.fov] = 0  # a rim left as it was would give the degradation away

    seen = truth.expected(effects, scene.fov, cells)
    known = vessels is not None
    if vessels is not None:
        if clean0 is None:
            clean0 = truth.remove_vessels(image, vessels, fov)
        cover = (vessels[..., -1] if vessels.ndim == 3 else vessels).astype(np.float32) / 255
        green = image[..., 1].astype(np.float32)
        without = clean0[..., 1].astype(np.float32)
        seen = truth.visibility(green, without, cover, scene.fov, effects, cells)
    codes = truth.codes(seen)
    return Degraded(
        out,
        truth.quality(seen),
        truth.details(plan, effects, scene.fov),
        tuple(f"{KINDS[item.name].cause}:{item.name}" for item in plan),
        codes if known else np.where(codes > 0, 255, 0).astype(np.uint8),
        seen if known else np.full_like(seen, np.nan),
        {item.name: item.severity for item in plan},
        {
            item.name: (255 * effect.where).round().astype(np.uint8)
            for item, effect in zip(plan, effects, strict=True)
        },
    )
