"""Makes resnet18.npz, resnet34.npz and resnet50.npz: what torchvision computes, in float64.

    pip install torch torchvision
    python tests/golden/make_resnet.py

Weights come from golden/seeded.py, the image has odd sides, and batch statistics are those of the
seed (evaluation) or of the batch (training). Stored are only outputs.
"""

import json
from pathlib import Path

import numpy as np
import seeded
import torch
from torchvision_reference import torchvision_models

HEIGHT, WIDTH = 75, 62
BATCH = {"eval": 2, "train": 6}


def thin(maps: np.ndarray) -> np.ndarray:
    """Some rows, columns and channels of `[B, H, W, C]`, corners included."""
    return maps[:, ::3, ::3, :: maps.shape[-1] // 16]


def network(name: str) -> torch.nn.Module:
    """torchvision's network with the seed rule's weights, float64."""
    model = getattr(torchvision_models(), name)().double()
    shapes = {k: tuple(v.shape) for k, v in model.state_dict().items()}
    state = {k: torch.from_numpy(v) for k, v in seeded.state_dict(shapes).items()}
    model.load_state_dict(state)
    return model


def image(batch: int) -> torch.Tensor:
    """Channels-first float64."""
    return torch.from_numpy(seeded.images(batch, HEIGHT, WIDTH)).double().permute(0, 3, 1, 2)


def outputs(name: str) -> dict[str, np.ndarray]:
    """Everything that is stored, channels last."""
    model = network(name)
    shapes = {k: tuple(v.shape) for k, v in model.state_dict().items()}
    out = {"shapes": np.array(json.dumps(shapes)), "torch": np.array(torch.__version__)}

    def keep(stage: str, maps: torch.Tensor) -> None:
        out[stage] = thin(maps.permute(0, 2, 3, 1).numpy())

    hooks = [
        getattr(model, f"layer{i}").register_forward_hook(
            lambda _m, _x, y, i=i: keep(f"stage{i}", y)
        )
        for i in range(1, 5)
    ]
    with torch.no_grad():
        out["eval_logits"] = model.eval()(image(BATCH["eval"])).numpy()
    for hook in hooks:
        hook.remove()

    # A step in training mode: the loss is the cross-entropy of classes 0, 1, 2...
    logits = model.train()(image(BATCH["train"]))
    loss = torch.nn.functional.cross_entropy(logits, torch.arange(BATCH["train"]))
    loss.backward()
    out["loss"] = np.array(loss.item())
    out["stem_mean"] = model.bn1.running_mean.numpy()
    out["stem_var"] = model.bn1.running_var.numpy()
    for key, parameter in model.named_parameters():
        out[f"gradient/{key}"] = np.array(parameter.grad.norm().item())
    return out


if __name__ == "__main__":
    for depth in (18, 34, 50):
        path = Path(__file__).with_name(f"resnet{depth}.npz")
        np.savez_compressed(path, **outputs(f"resnet{depth}"))
        print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")
