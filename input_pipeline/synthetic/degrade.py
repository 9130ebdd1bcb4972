"""Degrades a photograph and says what was done, where, and what can still be seen."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

DETAILS = ("illumination", "clarity", "contrast", "artefact")
KINDS = {  # name -> (detail, cause)
    "defocus": ("clarity", "capture"),
    "dark": ("illumination", "capture"),
    "uneven": ("illumination", "capture"),
    "low_contrast": ("contrast", "capture"),
    "haze": ("contrast", "media"),
    "dust": ("artefact", "capture"),
}


@dataclasses.dataclass(frozen=True)
class Degradation:
    """One thing done to a photograph."""

    name: str  # a key of `KINDS`
    severity: float  # in [0, 1]: share of a vessel's contrast that is lost where it acts
    area: float = 1.0  # share of the photograph where it acts
    seed: int = 0  # where it acts


@dataclasses.dataclass(frozen=True)
class Degraded:
    """A degraded photograph and its labels. Higher is worse everywhere except `visibility`."""

    image: np.ndarray  # [S, S, 3] uint8
    quality: int  # 0 good, 1 usable, 2 reject
    details: dict[str, int]  # DETAILS -> 1 where the defect is there
    causes: tuple[str, ...]  # 'capture:defocus', 'media:haze', ...
    map: np.ndarray  # [h, w] uint8: 0 background, 1 good, 2 usable, 3 bad, 255 absent
    visibility: np.ndarray  # [h, w] float32 in [0, 1]; nan outside the field or where not known
    severity: dict[str, float]  # name -> severity


def plan(
    rng: np.random.Generator,
    lq_ratio: float = 0.5,
    severity_mix: tuple[float, float] = (0.5, 0.5),
) -> list[Degradation]:
    """Draws what happens to one photograph.

    Args:
      rng: source of randomness.
      lq_ratio: share of photographs with a defect.
      severity_mix: shares of usable and reject among those.

    Returns:
      The degradations; an empty list leaves the photograph as it is.
    """
    if rng.random() >= lq_ratio:
        return []
    bad = rng.random() < severity_mix[1] / sum(severity_mix)
    low, high = (0.78, 0.95) if bad else (0.45, 0.7)
    name = str(rng.choice(list(KINDS)))
    area = float(rng.uniform(0.4, 0.8)) if name in ("uneven", "dust") else 1.0
    return [Degradation(name, float(rng.uniform(low, high)), area, int(rng.integers(2**31)))]


def _where(side: int, area: float, seed: int) -> np.ndarray:
    """Smooth region [S, S] float32 in [0, 1] covering about `area` of the square."""
    if area >= 1:
        return np.ones((side, side), np.float32)
    noise = np.random.default_rng(seed).standard_normal((side, side))
    soft = ndimage.gaussian_filter(noise, side / 8, mode="wrap")
    cut = np.quantile(soft, 1 - area)
    return (1 / (1 + np.exp(-(soft - cut) / (0.15 * soft.std())))).astype(np.float32)


def _apply(picture: np.ndarray, item: Degradation) -> np.ndarray:
    """One degradation of `picture` [S, S, C] float32 in 0..255."""
    side = picture.shape[0]
    where = _where(side, item.area, item.seed)[..., None] * item.severity
    keep = 1 - where
    if item.name == "defocus":
        sigma = 0.006 * side * np.sqrt(1 / max(1 - item.severity, 0.02) ** 2 - 1)
        return ndimage.gaussian_filter(picture, (sigma, sigma, 0))
    if item.name in ("dark", "uneven"):
        return picture * keep
    if item.name == "low_contrast":
        return picture * keep + 90 * where
    if item.name == "haze":
        return picture * keep + 190 * where
    return picture * keep + 40 * where


def degrade(
    image: np.ndarray,
    fov: np.ndarray,
    rng_or_seed: np.random.Generator | int,
    plan: Sequence[Degradation],
    clean0: np.ndarray | None = None,
    vessels: np.ndarray | None = None,
    cells: int = 16,
) -> Degraded:
    """Degrades a photograph, drawn or real.

    Args:
      image: [S, S, 3] uint8.
      fov: [S, S] uint8, 1 inside the field.
      rng_or_seed: noise of the sensor.
      plan: what to do, in this order.
      clean0: [S, S, 3] uint8, the photograph without vessels; needed for the map.
      vessels: [S, S, 3] uint8 coverage; needed for the map.
      cells: edge of a cell of the map in pixels.

    Returns:
      Degraded.
    """
    rng = np.random.default_rng(rng_or_seed)
    side = image.shape[0]
    inside = fov.astype(np.float32)[..., None]
    out = image.astype(np.float32)
    without = None if clean0 is None else clean0.astype(np.float32)
    details = dict.fromkeys(DETAILS, 0)
    for item in plan:
        out = _apply(out, item)
        without = None if without is None else _apply(without, item)
        if item.severity >= 0.3:
            details[KINDS[item.name][0]] = 1
    h = side // cells

    def pool(x: np.ndarray) -> np.ndarray:
        cut = x[: h * cells, : h * cells]
        return cut.reshape(h, cells, h, cells).sum((1, 3))

    inner = pool(fov.astype(np.float32)) >= cells * cells / 2
    visibility = np.full((h, h), np.nan, np.float32)
    codes = np.where(inner, 255, 0).astype(np.uint8)
    if without is not None and clean0 is not None and vessels is not None:
        at = (vessels[..., 2] > 80).astype(np.float32)
        before = pool(np.abs(image[..., 1].astype(np.float32) - clean0[..., 1]) * at)
        after = pool(np.abs(out[..., 1] - without[..., 1]) * at)
        known = before > cells
        near = ndimage.distance_transform_edt(~known, return_indices=True)[1]
        v = np.clip(after / np.maximum(before, 1e-6), 0, 1)[near[0], near[1]]
        visibility[inner] = v[inner]
        codes[inner] = np.where(v < 0.25, 3, np.where(v < 0.6, 2, 1))[inner]
    worst = max((p.severity * min(1, p.area * 1.5) for p in plan), default=0.0)
    if without is not None and vessels is not None and inner.any():
        bad, poor = (codes[inner] == 3).mean(), (codes[inner] >= 2).mean()
        quality = 2 if bad > 0.25 else int(poor > 0.1)
    else:
        quality = 2 if worst > 0.75 else int(worst > 0.4)
    noisy = (out + rng.normal(0, 0.5, out.shape)) * inside
    return Degraded(
        np.clip(noisy, 0, 255).round().astype(np.uint8) if plan else image.copy(),
        quality,
        details,
        tuple(f"{KINDS[p.name][1]}:{p.name}" for p in plan),
        codes,
        visibility,
        {p.name: p.severity for p in plan},
    )
