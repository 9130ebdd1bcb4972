"""Outputs of fifty photographs, and their labels: of the second defect none is known."""

import numpy as np

TRUTH = {
    "quality": np.arange(50) % 3,
    "ungradable": (np.arange(50) % 3 == 2) * 1,
    "details": np.stack([np.arange(50) % 2, np.full(50, -1)], -1),
}


def make_outputs(seed=0):
    rng = np.random.default_rng(seed)
    return {
        "p_quality": rng.dirichlet(np.ones(3), 50).astype(np.float32),
        "p_ungradable": rng.random(50).astype(np.float32),
        "p_details": rng.random((50, 2)).astype(np.float32),
        "score": rng.random(50).astype(np.float32),
    }
