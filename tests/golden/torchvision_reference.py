"""torchvision's networks as the other side of a comparison."""

import types
import warnings


def torchvision_models() -> types.ModuleType:
    """`torchvision.models`; raises ImportError where torch or torchvision is not installed.

    A torchvision built for another torch than the one installed (its CUDA wheel beside a CPU torch)
    cannot load its compiled operators. The networks are plain Python and use none of them, so the
    two that its import insists on are declared.
    """
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Failed to load image Python extension"
        try:
            import torchvision.models
        except RuntimeError:
            for name in ("nms", "qnms"):
                arguments = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
                torch.library.define(f"torchvision::{name}", arguments)
            import torchvision.models
    return torchvision.models
