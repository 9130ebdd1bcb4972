"""transformers' and timm's Vision Transformers, small: 128 channels, 2 heads, 2 blocks."""

import warnings

SIZE = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}


def networks():
    """name -> (network, (height, width) of an image that needs another grid than its own).

    Call torchvision_reference.torchvision_models() before: both libraries import torchvision, whose
    operators may have to be declared.

    Raises:
      ImportError: torch, transformers or timm is not installed.
    """
    import timm
    import transformers as hf

    warnings.simplefilter("ignore")
    two = hf.Dinov2Config(**SIZE, mlp_ratio=3, image_size=70, patch_size=14)
    registers = hf.Dinov2WithRegistersConfig(**SIZE, mlp_ratio=3, image_size=70, patch_size=14)
    three = hf.DINOv3ViTConfig(**SIZE, intermediate_size=384, num_register_tokens=4)
    small = {"embed_dim": 128, "depth": 2, "num_heads": 2, "mlp_ratio": 3, "num_classes": 0}

    def from_timm(name, **kw):
        return timm.create_model(name, pretrained=False, **small, **kw)

    return {
        "hf_dinov3": (hf.DINOv3ViTModel(three), (64, 48)),
        "hf_dinov2": (hf.Dinov2Model(two), (56, 98)),
        "hf_dinov2_registers": (hf.Dinov2WithRegistersModel(registers), (56, 98)),
        "timm_dinov3": (from_timm("vit_small_patch16_dinov3"), (64, 48)),
        "timm_dinov3_bias": (from_timm("vit_small_patch16_dinov3_qkvb"), (64, 48)),
        "timm_dinov2": (from_timm("vit_small_patch14_reg4_dinov2", img_size=56), (56, 56)),
        "timm_vit": (from_timm("vit_small_patch16_224", img_size=64), (64, 64)),
    }


def shapes_of(net):
    """Names and shapes of its state dict."""
    return {k: tuple(v.shape) for k, v in net.state_dict().items()}


def tokens(net, image):
    """All tokens after the final normalisation: class, registers, patches. `[B, N, C]`."""
    if hasattr(net, "forward_features"):
        return net.forward_features(image)
    return net(pixel_values=image).last_hidden_state
