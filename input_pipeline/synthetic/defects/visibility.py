"""What can still be seen in each cell: contrast over noise, against the good photograph's.

I is the photograph's light without noise, I0 the same without vessels, D the defect. In grey levels
of green, c0 is the contrast of a cell between I and I0: the mean of I0 - I over its vessel pixels
less the mean over vessel-free pixels of the cell and its neighbours; cD that between D(I) and
D(I0), rendered with the same noise and compressed; n0 and nD the standard deviation in the cell of
the noisy, compressed picture less the picture without noise. Then

    v = min(1, cD / c0 * sqrt((n0^2 + F0^2) / (nD^2 + FD^2))),

F0 = 6 grey levels, the contrast of the thinnest vessels that HRF's annotators drew: below it the
texture of the retina hides them. That texture is dimmed and brightened with the picture, down to
the steps of a display: FD = max(2, 6 meanD / mean0). So a gain changes nothing, and the noise that
a dark picture brought with it costs what it costs. Pixels behind a thing of opacity 0.5 or more
show nothing.

Cells without a vessel, or photographs without a map of vessels, get a probe: a cross whose bars
take 30 % of the light and are as wide as the usual vessel.
"""

import numpy as np
from scipy import ndimage

from input_pipeline.synthetic.defects import linear_light, render
from input_pipeline.synthetic.defects.defect import Base
from input_pipeline.synthetic.optics import PROFILE
from input_pipeline.synthetic.truth import pool

CLUTTER = 6.0  # grey levels, F0
LEAST = 2.0  # grey levels, the smallest FD
DENSITY = 0.3  # of the light, that a probe takes
FAINT = 4.0  # grey levels: vessels of less contrast than that do not tell
OPAQUE = 0.5
SHOTS = 4  # renders with different noise
PAIRS = 2  # of them also without vessels


def probe(
    seen: np.ndarray, bare: np.ndarray, cover: np.ndarray, fov: np.ndarray, cells: int
) -> tuple[np.ndarray, np.ndarray]:
    """Puts probes into the cells that show no vessel.

    Args:
      seen: [S, S] float32 linear green with vessels; bare: without.
      cover: [S, S] float32, share of each pixel that is vessel.
      fov: [S, S] bool; cells: edge of a cell in pixels.

    Returns:
      [S, S] float32 linear green with vessels and probes; [S, S] float32 coverage by the vessels
      or probes that count.
    """
    side = seen.shape[0]
    contrast = (linear_light.encode(bare) - linear_light.encode(seen)) * cover
    area = pool(cover * fov, cells)
    depth = pool(contrast * fov, cells) / np.maximum(area, 1e-6)
    empty = (area < 0.25 * cells) | (depth < FAINT)
    h = side // cells
    index = np.minimum(np.arange(side) // cells, h - 1)
    angle = (np.add.outer(np.arange(h) * 3, np.arange(h) * 5) % 4) * (np.pi / 4)
    theta = angle[index][:, index].astype(np.float32)
    offset = (np.arange(side) - index * cells - (cells - 1) / 2).astype(np.float32)
    across = np.abs(offset[None, :] * np.sin(theta) - offset[:, None] * np.cos(theta))
    along = np.abs(offset[None, :] * np.cos(theta) + offset[:, None] * np.sin(theta))
    sigma = max(PROFILE * side, 0.5)
    bar = np.maximum(  # a cross: no direction of a movement leaves all of it sharp
        np.exp(-0.5 * (across / sigma) ** 2) * (along < 0.4 * cells),
        np.exp(-0.5 * (along / sigma) ** 2) * (across < 0.4 * cells),
    ) * (fov > 0)
    bar = (bar * empty[index][:, index]).astype(np.float32)
    probed = np.where(empty[index][:, index], bare * (1 - DENSITY * bar), seen)
    return probed.astype(np.float32), np.where(empty[index][:, index], bar, cover * fov)


def contrasts(base: Base, difference: np.ndarray) -> np.ndarray:
    """Contrast [h, w] of a difference [S, S] between pictures without and with vessels."""
    cells = base.cells
    weight = pool(base.at, cells)
    free = base.free.astype(np.float32)
    around = _around(pool(difference * free, cells)) / np.maximum(_around(pool(free, cells)), 1e-6)
    return pool(difference * base.at, cells) / np.maximum(weight, 1e-6) - around


def _around(values: np.ndarray) -> np.ndarray:
    return ndimage.uniform_filter(values, 3, mode="constant")


def levels(base: Base, picture: np.ndarray) -> np.ndarray:
    """Mean [h, w] of a picture [S, S] over the part of each cell inside the field."""
    count = pool(base.scene.fov.astype(np.float32), base.cells)
    return pool(picture * base.scene.fov, base.cells) / np.maximum(count, 1)


def measured(
    way: render.Way, seen: np.ndarray, bare: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Contrast cD, noise nD and mean grey level meanD, [h, w] each.

    Args:
      way: what happens.
      seen, bare: [S, S] linear green at the sensor with and without vessels, without noise.
      rng: of the noise.
    """
    base = way.base
    still, clear = render.clean(way, seen), (way.opacity() < OPAQUE).astype(np.float32)
    contrast = np.zeros((base.at.shape[0] // base.cells,) * 2, np.float32)
    noise = np.zeros_like(contrast)
    for k in range(SHOTS):
        grain = way.noise(rng, 1)[..., 0]
        shot = render.noisy(way, seen, grain)
        error = shot - still
        noise += levels(base, error**2) - levels(base, error) ** 2
        if k < PAIRS:
            difference = render.noisy(way, bare, grain) - shot
            contrast += contrasts(base, difference * clear) / PAIRS
    return contrast, np.sqrt(np.maximum(noise, 0) / SHOTS), levels(base, still)


def of(
    before: tuple[np.ndarray, np.ndarray, np.ndarray],
    after: tuple[np.ndarray, np.ndarray, np.ndarray],
    inside: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Visibility and the share of contrast left.

    Args:
      before, after: contrast, noise, mean level [h, w] each, see `measured`.
      inside: [h, w] bool, cells of the field.

    Returns:
      Both [h, w] float32 in [0, 1], nan outside.
    """
    clutter = np.maximum(LEAST, CLUTTER * after[2] / np.maximum(before[2], 1))
    share = np.maximum(after[0], 0) / np.maximum(before[0], 1e-3)
    v = share * np.sqrt((before[1] ** 2 + CLUTTER**2) / (after[1] ** 2 + clutter**2))
    known = [np.where(inside, np.minimum(x, 1), np.nan).astype(np.float32) for x in (v, share)]
    return known[0], known[1]
