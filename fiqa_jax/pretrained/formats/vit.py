"""Vision Transformers: DINOv3, DINOv2, RETFound and timm's, under all their published names.

Files differ in names, not in tensors. Names are first brought to timm's with query, key and value
apart, then translated. Sizes are read off the tensors; heads have 64 channels in all these models.
"""

import functools
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from fiqa_jax.pretrained.formats import fits
from fiqa_jax.pretrained.formats.rules import (
    Format,
    FormatError,
    Rule,
    affine,
    layer_norm,
    linear_kernel,
    translate,
)

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
VISIONFM = (
    (0.423737496, 0.260946065, 0.128403902),
    (0.294825345, 0.201673657, 0.136680201),
)
HEAD_CHANNELS = 64

# Hugging Face (transformers 4 and 5) and Meta -> timm
_ALIASES = (
    (r"^embeddings\.(cls_token|mask_token)$", r"\1"),
    (r"^(embeddings\.register_tokens|register_tokens|storage_tokens)$", "reg_token"),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.(?:projection\.)?(weight|bias)$", r"patch_embed.proj.\1"),
    (r"^(?:model\.|encoder\.)?layer\.(\d+)\.", r"blocks.\1."),
    (r"\.attention\.(?:attention\.)?(q|k|v)(?:uery|ey|alue|_proj)\.", r".attn.\1."),
    (r"\.attention\.(?:output\.dense|o_proj)\.", ".attn.proj."),
    (r"\.attn\.(q|v)_bias$", r".attn.\1.bias"),
    (r"\.(?:layer_scale(\d)\.lambda1|gamma_(\d))$", r".ls\1\2.gamma"),
    (r"\.mlp\.up_proj\.", ".mlp.fc1."),
    (r"\.mlp\.down_proj\.", ".mlp.fc2."),
    (r"^layernorm\.", "norm."),
)
_GATED = r".*\.mlp\.(gate_proj|weights_in|w12|w1|fc1_g)\..*"
_UNUSED = r"mask_token|decoder_.*|rope_embed\..*|.*\.qkv\.bias_mask|(head|fc_norm|head_drop)\..*"


def patch_kernel(x: np.ndarray) -> np.ndarray:
    """`[O, I, p, p]` to `[p * p * I, O]`: rows, columns, channels as `models.vit.patchify`."""
    return x.transpose(2, 3, 1, 0).reshape(-1, len(x))


def _vector(x: np.ndarray) -> np.ndarray:
    return x.reshape(x.shape[-1])


def _table(x: np.ndarray) -> np.ndarray:
    return x.reshape(x.shape[-2:])


_BLOCK = r"blocks\.(\d+)"
_RULES = (
    Rule("cls_token", "params/cls", _vector),
    Rule("reg_token", "params/registers", _table),
    Rule("pos_embed", "params/position", _table),
    *affine(r"patch_embed\.proj", "patch", patch_kernel),
    *layer_norm(rf"{_BLOCK}\.norm([12])", r"block\1/norm\2"),
    *affine(rf"{_BLOCK}\.attn\.q", r"block\1/attention/query", linear_kernel),
    *affine(rf"{_BLOCK}\.attn\.k", r"block\1/attention/key", linear_kernel),
    *affine(rf"{_BLOCK}\.attn\.v", r"block\1/attention/value", linear_kernel),
    *affine(rf"{_BLOCK}\.attn\.proj", r"block\1/attention/out", linear_kernel),
    *affine(rf"{_BLOCK}\.mlp\.fc([12])", r"block\1/fc\2", linear_kernel),
    Rule(rf"{_BLOCK}\.ls([12])\.gamma", r"params/block\1/scale\2"),
    *layer_norm("norm", "norm"),
)


def canonical(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """timm's names, query, key and value apart, without what an encoder does not use.

    Raises:
      FormatError: a gated MLP (ViT-H+, -g, -7B), which this network does not have.
    """
    out: dict[str, np.ndarray] = {}
    for name, value in tensors.items():
        if re.fullmatch(_GATED, name):
            raise FormatError(
                f"{name} belongs to a gated MLP (sizes H+, g and 7B); ViT-Ti, -S, -B and -L are"
                " understood"
            )
        for pattern, replacement in _ALIASES:
            name = re.sub(pattern, replacement, name)
        if re.fullmatch(_UNUSED, name):
            continue
        joined = re.fullmatch(r"(.*\.attn\.)qkv\.(weight|bias)", name)
        if joined:
            if len(value) % 3:
                raise FormatError(f"{name} of shape {value.shape}: its rows do not divide by 3")
            for part, third in zip("qkv", np.split(value, 3), strict=True):
                out[f"{joined[1]}{part}.{joined[2]}"] = third
        else:
            out[name] = value
    return out


def _needed(tensors: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name not in tensors:
        raise FormatError(f"there is no {name}, under any of its names, among the tensors")
    return tensors[name]


def convert(
    tensors: Mapping[str, np.ndarray],
    position: str,
    epsilon: float,
    statistics: tuple[tuple[float, ...], tuple[float, ...]],
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Parameters of `models.vit.ViT(**settings)`.

    Args:
      tensors: by name.
      position: learnt or rope; what the format has.
      epsilon: of its layer normalisations, which no tensor tells.
      statistics: mean and deviation of RGB in [0, 1] that it was trained with.

    Returns:
      Tensors, and metadata: `settings` of the network, `mean`, `std`.

    Raises:
      FormatError: tensors that are missing, too many, of another shape, or of another format.
    """
    from fiqa_jax.models.vit import ViT

    named = canonical(tensors)
    patch = _needed(named, "patch_embed.proj.weight")
    if patch.ndim != 4 or patch.shape[2] != patch.shape[3]:
        raise FormatError(f"patch_embed.proj.weight of shape {patch.shape} is no square patch")
    dim, depth = len(patch), len({n.split(".")[1] for n in named if n.startswith("blocks.")})
    if ("pos_embed" in named) != (position == "learnt"):
        has = "has a" if "pos_embed" in named else "has no"
        other = "dinov2, retfound_mae or timm_vit" if "pos_embed" in named else "dinov3"
        raise FormatError(f"it {has} table of positions (pos_embed): try --format {other}")
    settings: dict[str, Any] = {
        "dim": dim,
        "depth": depth,
        "heads": max(dim // HEAD_CHANNELS, 1),
        "patch": patch.shape[2],
        "hidden": len(_needed(named, "blocks.0.mlp.fc1.weight")),
        "registers": named["reg_token"].shape[1] if "reg_token" in named else 0,
        "layer_scale": "blocks.0.ls1.gamma" in named,
        "position": position,
        "epsilon": epsilon,
    }
    if position == "learnt":
        named["pos_embed"], settings["grid"] = _square(named["pos_embed"])
        settings["antialias"] = settings["registers"] > 0
        settings["qkv_bias"] = "blocks.0.attn.q.bias" in named
    else:  # DINOv3: the key has no bias, and files without the other two mean zeros
        settings["key_bias"] = False
        for i in range(depth):
            named.pop(f"blocks.{i}.attn.k.bias", None)
            for part in "qv":
                named.setdefault(f"blocks.{i}.attn.{part}.bias", np.zeros(dim, np.float32))
    out = translate(named, _RULES)
    side = 2 * settings["patch"]
    words = f"a ViT of {dim} channels and {depth} blocks"
    fits.check(ViT(**settings), (1, side, side, patch.shape[1]), out, words)
    mean, std = statistics
    return out, {"model": "vit", "settings": settings, "mean": list(mean), "std": list(std)}


def _square(table: np.ndarray) -> tuple[np.ndarray, int]:
    """Table with a row for the class token (zero where the file has none), and its grid."""
    count = table.shape[1]
    grid = math.isqrt(count)
    if grid**2 == count:  # timm folds that row into the class token of networks with registers
        return np.concatenate([np.zeros_like(table[:, :1]), table], 1), grid
    if math.isqrt(count - 1) ** 2 != count - 1:
        raise FormatError(f"pos_embed of {count} positions is no square grid")
    return table, math.isqrt(count - 1)


def _format(
    description: str,
    origin: str,
    position: str = "learnt",
    epsilon: float = 1e-6,
    statistics: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET,
) -> Format:
    how = functools.partial(convert, position=position, epsilon=epsilon, statistics=statistics)
    return Format(description, origin, how, use="name {output} as the encoder of a recipe")


FORMATS: dict[str, Format] = {
    "dinov3": _format(
        "DINOv3 ViT-S, -B, -L with rotary positions; names of Hugging Face, Meta or timm",
        "Hugging Face facebook/dinov3-vitl16-pretrain-lvd1689m, model.safetensors (accept its"
        " licence there first), Meta's .pth, or timm's vit_large_patch16_dinov3",
        position="rope",
        epsilon=1e-5,
    ),
    "dinov2": _format(
        "DINOv2 ViT-S, -B, -L, with or without registers; names of Hugging Face, Meta or timm",
        "Hugging Face facebook/dinov2-large or dinov2-with-registers-large, model.safetensors;"
        " RETFound_dinov2_*.pth (--key teacher --prefix backbone.)",
    ),
    "retfound_mae": _format(
        "RETFound, a ViT-L trained on fundus photographs as a masked autoencoder",
        "Hugging Face YukunZhou/RETFound_mae_natureCFP, RETFound_mae_natureCFP.pth (--key model)",
    ),
    "timm_vit": _format(
        "timm's ViT-Ti, -S, -B, -L for ImageNet's mean and deviation (DINO, DeiT, MAE)",
        "timm's vit_*_patch*_*.dino, .mae or deit_*, model.safetensors or state_dict",
    ),
    "timm_vit_augreg": _format(
        "timm's ViT-Ti, -S, -B, -L for mean and deviation 0.5 (augreg)",
        "timm's vit_*_patch*_*.augreg_*, model.safetensors or state_dict",
        statistics=HALF,
    ),
    "visionfm": _format(
        "VisionFM's fundus encoder, a ViT-B",
        "VFM_Fundus_weights.pth (--key teacher --prefix module.backbone.)",
        statistics=VISIONFM,
    ),
}
