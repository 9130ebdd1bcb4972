"""What can still be seen: the visibility map and the labels that follow from it.

Visibility. I is the photograph, I0 the same without vessels, D the degradation without its noise.
The contrast of a cell is the mean difference of I and I0 in green over its vessel pixels, less the
mean over vessel-free pixels of the cell and its eight neighbours (a difference that neighbours
share, as after heavy blur, shows no vessel). Visibility is

    v = contrast(D(I), D(I0)) / contrast(I, I0) / g,    clipped to [0, 1],

with the noise gain g = sqrt(1 + n^2 / FLOOR^2), n the standard deviation of noise added in the cell
(sensor noise as drawn, and the local error of compression), FLOOR the contrast of the thinnest
vessels that human annotators drew (6 grey levels on HRF). A cell with hardly any vessel, or with
vessels of less than 4 grey levels, takes a probe: a straight piece of vessel with the mean calibre
and contrast of its surroundings, put into I.

Map (FunPiQ's codes): 0 background, less than half of the cell inside the field; 1 good;
2 usable, v < 0.6; 3 bad, v < 0.25; 255 not known (a photograph without vessel annotation).

Quality, from the map: 2 reject when 25 % or more of the field is bad (screening asks for more than
three quarters of the field to be readable); 1 usable when 10 % or more is usable or bad; else 0.
Without a map the product of (1 - local severity) stands in for v.

Details, from the severities: local severities of one detail combine as 1 - prod(1 - s); the detail
is 1 where that reaches `LEVEL` over at least `EXTENT` of the field.
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from input_pipeline.synthetic.effects import Effect
from input_pipeline.synthetic.plans import DETAILS, KINDS, Degradation
from input_pipeline.synthetic.sensor import FLOOR

USABLE, BAD = 0.6, 0.25  # visibility below which a cell is usable, bad
REJECT_SHARE, USABLE_SHARE = 0.25, 0.1  # of the field
LEVEL = {"illumination": 0.25, "clarity": 0.4, "contrast": 0.4, "artefact": 0.3}
EXTENT = {"illumination": 0.1, "clarity": 0.1, "contrast": 0.1, "artefact": 0.01}
FAINT = 4.0  # grey levels


def pool(pixels: np.ndarray, cells: int) -> np.ndarray:
    """Sums of [S, S] over cells of `cells` x `cells` pixels, [S // cells, S // cells]."""
    h = pixels.shape[0] // cells
    cut = pixels[: h * cells, : h * cells]
    return cut.reshape(h, cells, h, cells).sum((1, 3))


def _around(values: np.ndarray) -> np.ndarray:
    """Mean over each cell and its eight neighbours."""
    return ndimage.uniform_filter(values, 3, mode="constant")


def _mean(total: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return total / np.maximum(weight, 1e-6)


def probes(
    cover: np.ndarray, depth: np.ndarray, fov: np.ndarray, cells: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of vessel for the cells that have none.

    Args:
      cover: [S, S] float32, share of each pixel that is vessel.
      depth: [S, S] float32, contrast I0 - I in green.
      fov: [S, S] bool.
      cells: edge of a cell in pixels.

    Returns:
      bars [S, S] float32 grey levels to take from I, and their coverage [S, S] float32 in [0, 1].
    """
    side = cover.shape[0]
    area = pool(cover, cells)
    slope = np.hypot(*np.gradient(cover))
    contrast = _mean(pool(depth * cover, cells), area)
    empty = (area < 0.25 * cells) | (contrast < FAINT)
    # a strip of width w and length l has area w l and edges of total slope 2 l; means over 5 x 5
    # cells, over all where there is too little
    edges = pool(slope, cells)
    total = 2 * area.sum() / max(edges.sum(), 1e-6) if area.sum() > 0 else side / 180
    wide = ndimage.uniform_filter(area, 5, mode="constant")
    long = ndimage.uniform_filter(edges, 5, mode="constant") / 2
    width = np.where(long > 0.2 * cells, wide / np.maximum(long, 1e-6), total)
    near = ~empty
    local = _around(np.where(near, contrast, 0)) / np.maximum(_around(near.astype(float)), 1e-6)
    usual = float(np.median(contrast[near])) if near.any() else 15.0
    height = np.where(local > FAINT, local, max(usual, 2 * FAINT)) * empty
    h = side // cells
    row = np.arange(h * cells)
    offset = (row % cells - (cells - 1) / 2).astype(np.float32)
    index = np.minimum(row // cells, h - 1)
    angle = (np.add.outer(np.arange(h) * 3, np.arange(h) * 5) % 4) * (np.pi / 4)
    theta = angle[index][:, index].astype(np.float32)
    across = np.abs(offset[None, :] * np.sin(theta) - offset[:, None] * np.cos(theta))
    along = np.abs(offset[None, :] * np.cos(theta) + offset[:, None] * np.sin(theta))
    sigma = np.maximum(width / 3, 0.5)[index][:, index].astype(np.float32)
    bar = np.exp(-0.5 * (across / sigma) ** 2) * (along < 0.4 * cells)
    out, where = np.zeros((side, side), np.float32), np.zeros((side, side), np.float32)
    shape = bar * empty[index][:, index] * fov[: h * cells, : h * cells]
    out[: h * cells, : h * cells] = shape * height[index][:, index]
    where[: h * cells, : h * cells] = shape
    return out, where


def visibility(
    green: np.ndarray,
    without: np.ndarray,
    cover: np.ndarray,
    fov: np.ndarray,
    effects: Sequence[Effect],
    cells: int,
) -> np.ndarray:
    """How much of the vessels' contrast is left.

    Args:
      green: [S, S] float32, I.
      without: [S, S] float32, I0.
      cover: [S, S] float32, share of each pixel that is vessel.
      fov: [S, S] bool.
      effects: what is done, in order.
      cells: edge of a cell in pixels.

    Returns:
      [h, w] float32 in [0, 1], nan in cells less than half inside the field.
    """
    bars, bar_cover = probes(cover, without - green, fov, cells)
    has_bar = pool(bar_cover, cells) > 0
    in_cell = np.zeros_like(cover)
    h = cover.shape[0] // cells
    in_cell[: h * cells, : h * cells] = np.kron(has_bar, np.ones((cells, cells)))
    at = np.where(in_cell > 0, bar_cover, cover) * fov
    free = (ndimage.maximum_filter(np.maximum(cover, bar_cover), 3) < 0.05) & fov
    weight, ground = pool(at, cells), _around(pool(free.astype(np.float32), cells))

    def contrast(difference: np.ndarray) -> np.ndarray:
        shared = _mean(_around(pool(difference * free, cells)), ground)
        return _mean(pool(difference * at, cells), weight) - shared

    first, second = (green - bars)[..., None], without[..., None]
    before = contrast((second - first)[..., 0])
    noise = np.zeros((h, h), np.float32)
    count = np.maximum(pool(fov.astype(np.float32), cells), 1)
    for effect in effects:
        first, plain = effect.apply(first, (1,)), effect.apply(second, (1,))
        if effect.lossy:
            noise += pool((plain - second)[..., 0] ** 2 * fov, cells) / count
        second = plain
        noise += effect.sigma**2
    after = contrast((second - first)[..., 0])
    gain = np.sqrt(1 + noise / FLOOR**2)
    v = np.clip(after / np.maximum(before, 1e-3) / gain, 0, 1)
    return np.where(count >= cells * cells / 2, v, np.nan).astype(np.float32)


def codes(seen: np.ndarray) -> np.ndarray:
    """FunPiQ codes [h, w] uint8 of a visibility map; nan is background."""
    out = np.where(seen < BAD, 3, np.where(seen < USABLE, 2, 1))
    return np.where(np.isnan(seen), 0, out).astype(np.uint8)


def quality(seen: np.ndarray) -> int:
    """0 good, 1 usable, 2 reject, of a visibility map [h, w] with nan outside the field."""
    known = seen[~np.isnan(seen)]
    if (known < BAD).mean() >= REJECT_SHARE:
        return 2
    return int((known < USABLE).mean() >= USABLE_SHARE)


def expected(effects: Sequence[Effect], fov: np.ndarray, cells: int) -> np.ndarray:
    """Visibility [h, w] that the severities promise, nan outside the field."""
    left = np.ones(fov.shape, np.float32)
    for effect in effects:
        left = left * (1 - effect.where)
    count = pool(fov.astype(np.float32), cells)
    v = pool(left * fov, cells) / np.maximum(count, 1)
    return np.where(count >= cells * cells / 2, v, np.nan).astype(np.float32)


def details(
    plan: Sequence[Degradation], effects: Sequence[Effect], fov: np.ndarray
) -> dict[str, int]:
    """Which details are degraded, 0 or 1 each."""
    out = {}
    for name in DETAILS:
        left = np.ones(fov.shape, np.float32)
        for item, effect in zip(plan, effects, strict=True):
            if KINDS[item.name].detail == name:
                left = left * (1 - effect.where)
        out[name] = int((1 - left[fov] >= LEVEL[name]).mean() >= EXTENT[name])
    return out


def remove_vessels(image: np.ndarray, vessels: np.ndarray, fov: np.ndarray) -> np.ndarray:
    """The photograph without its vessels: annotated pixels filled in from around them.

    Each vessel pixel takes the weighted mean of vessel-free pixels near it, from the smallest of
    several Gaussian windows that holds enough of them.

    Args:
      image: [S, S, 3] uint8.
      vessels: [S, S] or [S, S, 3] uint8, annotation 0..255 (the last channel counts).
      fov: [S, S] uint8.

    Returns:
      [S, S, 3] uint8.
    """
    cover = vessels[..., -1] if vessels.ndim == 3 else vessels
    wide = ndimage.maximum_filter(cover > 30, 5)  # annotators stay inside the vessel's edge
    free = ((fov > 0) & ~wide).astype(np.float32)[..., None]
    values = image.astype(np.float32)
    out, open_ = values.copy(), wide & (fov > 0)
    sigma = 1.5
    while open_.any() and sigma < image.shape[0]:
        share = ndimage.gaussian_filter(free, (sigma, sigma, 0))
        ready = open_ & (share[..., 0] > 0.08)
        mean = ndimage.gaussian_filter(values * free, (sigma, sigma, 0))
        out[ready] = mean[ready] / share[ready]
        open_ &= ~ready
        sigma *= 2
    return np.clip(out.round(), 0, 255).astype(np.uint8)
