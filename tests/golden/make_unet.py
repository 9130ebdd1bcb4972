"""Makes unet.npz: VUAD's and RRWNet's outputs in PyTorch, float64, base 4.

    pip install torch
    python tests/golden/make_unet.py

Weights come from golden/seeded.py, the networks from golden/unet_reference.py. Stored are only
outputs and the names of the tensors.
"""

import json
from pathlib import Path

import numpy as np
import seeded
import torch
import unet_reference

BASE, ITERATIONS, SIDES = 4, 2, (48, 32)


def networks() -> dict[str, torch.nn.Module]:
    """The networks with the seed rule's weights; each pair of names is given the first one's."""
    nets = {
        "vuad": unet_reference.UNet(3, 3, BASE),
        "rrwnet": unet_reference.RRWNet(6, BASE, ITERATIONS),
    }
    for net in nets.values():
        own = {k: tuple(v.shape) for k, v in net.named_parameters()}  # without the second names
        state = {k: torch.from_numpy(v) for k, v in seeded.state_dict(own).items()}
        net.load_state_dict(state, strict=False)
        net.double().eval()
    return nets


if __name__ == "__main__":
    image = torch.from_numpy(seeded.images(2, *SIDES)).double().permute(0, 3, 1, 2)
    out = {"torch": np.array(torch.__version__)}
    for name, net in networks().items():
        x = torch.cat([image, image.flip(-1)], 1) if name == "rrwnet" else image
        with torch.no_grad():
            result = net(x)
        result = torch.stack(result) if isinstance(result, list) else result
        out[name] = result.movedim(-3, -1).numpy().astype(np.float32)
        shapes = {k: tuple(v.shape) for k, v in net.named_parameters()}
        out[f"{name}_shapes"] = np.array(json.dumps(shapes))
    path = Path(__file__).with_name("unet.npz")
    np.savez_compressed(path, **out)
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")
