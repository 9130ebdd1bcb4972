"""Makes efiqa_cp.npz: outputs of EFIQA-CP's network in PyTorch, float64, ratios 1 and 4.

    pip install torch
    python tests/golden/make_efiqa_cp.py

Weights come from golden/seeded.py, the network from golden/efiqa_cp_reference.py. Stored are only
outputs and the names of the tensors.
"""

import json
from pathlib import Path

import efiqa_cp_reference
import numpy as np
import seeded
import torch

CHANNELS, WIDTH, GRID = 12, 8, (16, 24)


def features() -> np.ndarray:
    """`[2, 16, 24, 12] float32`."""
    x = seeded.images(2, *GRID)
    return np.concatenate([x, x[:, ::-1], x[:, :, ::-1], x[::-1]], -1)


if __name__ == "__main__":
    out = {"torch": np.array(torch.__version__)}
    for ratio in (1, 4):
        net = efiqa_cp_reference.Wrapped(channels=CHANNELS, width=WIDTH, ratio=ratio)
        shapes = {k: tuple(v.shape) for k, v in net.state_dict().items()}
        state = {k: torch.from_numpy(v) for k, v in seeded.state_dict(shapes).items()}
        net.load_state_dict(state)
        with torch.no_grad():
            x = torch.from_numpy(features()).double().permute(0, 3, 1, 2)
            out[f"ratio{ratio}"] = net.double()(x)[:, 0].numpy().astype(np.float32)
        out[f"ratio{ratio}_shapes"] = np.array(json.dumps(shapes))
    path = Path(__file__).with_name("efiqa_cp.npz")
    np.savez_compressed(path, **out)
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")
