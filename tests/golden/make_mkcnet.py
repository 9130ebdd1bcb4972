"""Makes mkcnet.npz: what MKCNet's networks compute in PyTorch, float64, eighth width.

    pip install torch
    python tests/golden/make_mkcnet.py

Weights come from golden/seeded.py under the released names. Quality is in the published order (the
highest code is the best); the test puts it into ours.
"""

import json
from pathlib import Path

import numpy as np
import seeded
import torch
from mkcnet_reference import MetaLearner, TaskNet

BASE, DIAGNOSES, GRADES, PSI = 8, 3, 3, 5
SIDE, BATCH = 96, 4
JOINT = np.array([0, 4, 8, 5])  # published numbers


def drawn(shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """The seed rule's weights, with a trunk and heads that pass on what they see."""
    state = seeded.louder(seeded.state_dict(shapes), r"model\.", 1.6)
    return seeded.louder(state, r"branch|classifier", 2.0)


def filled(net: torch.nn.Module) -> tuple[torch.nn.Module, dict[str, list[int]]]:
    """The network with the seed rule's weights, float64, and the shapes of its state dict."""
    shapes = {k: list(v.shape) for k, v in net.state_dict().items()}
    state = {k: torch.from_numpy(v) for k, v in drawn(shapes).items()}
    net = net.double()
    net.load_state_dict(state)
    return net, shapes


def outputs() -> dict[str, np.ndarray]:
    """Everything that is stored."""
    x = torch.from_numpy(seeded.images(BATCH, SIDE, SIDE)).double().permute(0, 3, 1, 2)
    out = {"torch": np.array(torch.__version__)}
    with torch.no_grad():
        for pool in (True, False):
            net, shapes = filled(TaskNet(BASE, DIAGNOSES, GRADES, PSI, 3, pool))
            for train in (False, True):
                found = net.train(train)(x)
                for name, logits in zip(("diagnosis", "auxiliary", "quality"), found, strict=True):
                    out[f"{name}/{'pooled' if pool else 'map'}/{train}"] = logits.numpy()
        out["task_shapes"] = np.array(json.dumps(shapes))
        net, shapes = filled(MetaLearner(BASE, PSI * DIAGNOSES * GRADES))
        out["meta_shapes"] = np.array(json.dumps(shapes))
        for train in (False, True):
            found = net.train(train)(x, torch.from_numpy(JOINT), PSI)
            out[f"labels/{train}"] = found.numpy()
    return out


if __name__ == "__main__":
    path = Path(__file__).with_name("mkcnet.npz")
    np.savez_compressed(path, **outputs())
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")
