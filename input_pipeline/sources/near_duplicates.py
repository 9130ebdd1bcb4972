"""Finds photographs that are copies of one another: re-saved, resized, brightened, cropped alike.

Two tests, both on the crop about the field of view with its shading taken out, so that vessels and
lesions decide and not the disc of light that all fundus photographs share: a perceptual hash
(Zauner 2010: signs of the low frequencies of a cosine transform) finds candidates among all pairs,
correlation of small pictures confirms them.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import fft, ndimage

from input_pipeline import chunks
from input_pipeline.photo.reader import PhotoError
from input_pipeline.tables.examples import Source

GRID = 64  # cells of the flattened picture, each way
KEPT = 16  # frequencies each way that make the hash: 255 bits without the mean
SHADING = 6.0  # cells; what is smoother than that is shading
SMALL = 32  # pixels of the pictures that are correlated
# Of the 16,471 pairs of different photographs in HRF, CHASE_DB1 and DRIMDB none differs in fewer
# than 38 bits, and none correlates by more than 0.92. Copies saved at JPEG quality 40, at half the
# size, with 60 % of the light or blurred differ in up to 22 bits and correlate by 0.97 or more.
MAX_BITS = 32
MIN_CORRELATION = 0.95

_BLOCK = 256  # rows compared with all others at a time


@dataclasses.dataclass(frozen=True)
class Signatures:
    """What N photographs are compared by.

    Attributes:
      bits: [N, 4] uint64, the hash.
      small: [N, SMALL * SMALL] float16, mean 0 and length 1; 0 where a photograph is flat.
      failed: row -> reason, for those that could not be read; they match nothing.
    """

    bits: np.ndarray
    small: np.ndarray
    failed: dict[int, str]


def signature(image: np.ndarray, fov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What one photograph is compared by.

    Args:
      image: [S, S, C] uint8, S at least `GRID`.
      fov: [S, S] uint8, 1 inside the field.

    Returns:
      Hash [4] uint64 and small picture [SMALL * SMALL] float16.
    """
    flat = _flat(image, fov)
    waves = fft.dctn(flat, norm="ortho")[:KEPT, :KEPT].ravel()[1:]
    bits = np.packbits(np.append(waves > np.median(waves), False)).view(np.uint64)
    small = flat.reshape(SMALL, GRID // SMALL, SMALL, GRID // SMALL).mean(axis=(1, 3)).ravel()
    small = small - small.mean()
    length = float(np.linalg.norm(small))
    return bits, (small / length if length > 1e-6 else small * 0).astype(np.float16)


def signatures(source: Source, workers: int) -> Signatures:
    """Signatures of every photograph of a source, in several processes."""
    rows = np.arange(len(source.table))
    bits = np.zeros((len(rows), 4), np.uint64)
    small = np.zeros((len(rows), SMALL * SMALL), np.float16)
    failed: dict[int, str] = {}
    work = functools.partial(_signatures, source)
    done = chunks.run_chunks(work, rows.tolist(), workers, f"comparing {source.name}")
    for row, (digest, picture, reason) in done:
        if reason:
            failed[row] = reason
        else:
            bits[row], small[row] = digest, picture
    return Signatures(bits, small, dict(sorted(failed.items())))


def pairs(
    signs: Signatures, max_bits: int = MAX_BITS, min_correlation: float = MIN_CORRELATION
) -> list[tuple[int, int, float]]:
    """Pairs of rows (i < j) that show the same photograph, with their correlation, closest first.

    Args:
      signs: N photographs.
      max_bits: of the hash that may differ.
      min_correlation: of the small pictures.
    """
    out = []
    for i, j in _candidates(signs.bits, max_bits):
        close = float(signs.small[i].astype(np.float32) @ signs.small[j].astype(np.float32))
        if close >= min_correlation:
            out.append((i, j, close))
    return sorted(out, key=lambda pair: (-round(pair[2], 4), pair[0], pair[1]))


def _candidates(bits: np.ndarray, max_bits: int) -> Iterator[tuple[int, int]]:
    for start in range(0, len(bits), _BLOCK):
        block = bits[start : start + _BLOCK]
        apart = np.zeros((len(block), len(bits) - start), np.uint16)
        for word in range(bits.shape[1]):
            apart += np.bitwise_count(block[:, word, None] ^ bits[None, start:, word])
        near = apart <= max_bits
        for i, j in zip(*np.nonzero(near), strict=True):
            if i < j:
                yield start + int(i), start + int(j)


def _signatures(
    source: Source, rows: Sequence[int]
) -> list[tuple[np.ndarray | None, np.ndarray | None, str]]:
    out: list[tuple[np.ndarray | None, np.ndarray | None, str]] = []
    for row in rows:
        try:
            example = source.read(row)
        except PhotoError as error:
            out.append((None, None, str(error)))
            continue
        out.append((*signature(example["image"], example["fov"]), ""))
    return out


def _flat(image: np.ndarray, fov: np.ndarray) -> np.ndarray:
    """[GRID, GRID] float32: brightness less its shading, 0 outside the field."""
    weight = _cells(fov.astype(np.float32))
    light = _cells(image.mean(axis=2, dtype=np.float32) * fov) / np.maximum(weight, 1e-6)
    inside = (weight > 0.5).astype(np.float32)
    shade = ndimage.gaussian_filter(light * inside, SHADING)
    shade /= np.maximum(ndimage.gaussian_filter(inside, SHADING), 1e-3)
    return (light - shade) * inside


def _cells(picture: np.ndarray) -> np.ndarray:
    """Means over GRID x GRID equal parts of a square picture [S, S], whatever S is."""
    for axis in (0, 1):
        rows = np.moveaxis(picture, axis, 0)
        total = np.concatenate([np.zeros_like(rows[:1]), np.cumsum(rows, axis=0)])
        edges = np.linspace(0, len(rows), GRID + 1)
        low = np.minimum(edges.astype(np.int64), len(rows) - 1)
        at = total[low] + (edges - low)[:, None] * rows[low]
        picture = np.moveaxis(np.diff(at, axis=0) * (GRID / len(rows)), 0, axis)
    return picture.astype(np.float32)
