"""Writes drawn.json: what six drawn examples look like, to the grey level.

    python tests/golden/make_drawn.py

A seed must give the same eye in every process and under every Python and numpy version, or a
cached drawing and its labels would belong to different eyes. Statistics, not hashes, are kept:
another processor may round a grey value the other way.
"""

import json
from pathlib import Path

import numpy as np

from input_pipeline import synthetic

OUT = Path(__file__).with_name("drawn.json")
SEED, COUNT, SIDE = 3, 6, 96


def describe(arrays: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """Labels, and means over quarters of the picture."""
    out = {k: np.ravel(arrays[k]).tolist() for k in ("quality", "details", "diagnosis")}
    half = SIDE // 2
    for name in ("image", "fov", "vessels"):
        blocks = arrays[name].reshape(2, half, 2, half, -1).astype(np.float64)
        out[name] = np.ravel(blocks.mean((1, 3))).round(3).tolist()
    return out


def drawn() -> list[dict[str, list[float]]]:
    """The six examples, described."""
    return [describe(synthetic.example(SEED, k, SIDE, "abc")) for k in range(COUNT)]


if __name__ == "__main__":
    OUT.write_text(json.dumps(drawn()) + "\n")
