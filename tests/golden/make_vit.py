"""Makes vit.npz: outputs of transformers' and timm's Vision Transformers, float64, two blocks.

    pip install torch torchvision transformers timm
    python tests/golden/make_vit.py

Weights come from golden/seeded.py. Stored are outputs and the names of the tensors.
"""

import json
from pathlib import Path

import numpy as np
import seeded
import torch
from torchvision_reference import torchvision_models
from vit_reference import networks, shapes_of, tokens

if __name__ == "__main__":
    torchvision_models()
    import timm
    import transformers

    versions = {"torch": torch, "transformers": transformers, "timm": timm}
    out = {name: np.array(module.__version__) for name, module in versions.items()}
    for name, (net, sides) in networks().items():
        names = shapes_of(net)
        state = {k: torch.from_numpy(v) for k, v in seeded.state_dict(names).items()}
        net.load_state_dict(state, strict=False)
        image = torch.from_numpy(seeded.images(2, *sides)).double().permute(0, 3, 1, 2)
        with torch.no_grad():
            out[name] = tokens(net.double().eval(), image).numpy().astype(np.float32)
        out[f"{name}_shapes"] = np.array(json.dumps(names))
    path = Path(__file__).with_name("vit.npz")
    np.savez_compressed(path, **out)
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")
