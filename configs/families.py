"""Other families of methods that draw maps of quality, on the photographs of EFIQA-CP's recipe.

    python -m fiqa_jax.main --config configs/families.py

Everything of configs/efiqa_cp.py, and beside it:

    patchcore   distance of a cell from cells of good photographs (PatchCore, anomaly detection)
    eyequal     every patch judged, learned from labels of photographs (EyeQual, explainable)
    classifier  a small ResNet that grades photographs, for maps found afterwards (Grad-CAM)

PatchCore reads the features that the adapter reads, and its good photographs are the drawings that
inpainting learns from. EyeQual and the classifier are the only ones that see labels: whether a
photograph is ungradable, of those that all others learn from without. All maps in one table:

    python -m fiqa_jax.benchmark efiqa --workdir runs/families \
        --model linear=runs/families/maps/model --model cnn=runs/families/cnn/model \
        --model patchcore=runs/families/patchcore/model \
        --model eyequal=runs/families/eyequal/model --classifier runs/families/classifier/model

The argument `tiny` runs the machinery, hardly trained. There is no `photos`: without labels two of
the three have nothing to learn from.
"""

import runpy
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from fiqa_jax import defaults

EFIQA_CP = runpy.run_path(str(Path(__file__).with_name("efiqa_cp.py")))
GOOD = ("source", "style", "path", "classes", "lq_ratio", "count", "seed", "split")


def get_config(arg: str = "") -> ConfigDict:
    """The recipe; see the module's docstring for the arguments."""
    args = defaults.parse_arg(arg, tiny=False)
    c = EFIQA_CP["get_config"]("tiny" if args.tiny else "")
    c.name = "families"
    _patchcore(c)
    _eyequal(c, args.tiny)
    _classifier(c, args.tiny)
    return c


def _patchcore(c: ConfigDict) -> None:
    """Features of good synthetic photographs, their coreset, and its maps of the tested ones."""
    good = {name: c.stage.good.data[name] for name in GOOD}
    defaults.add_stage(
        c, "good_features", "apply", features=True, of="segmentor", split="all", data=good
    )
    defaults.add_stage(
        c,
        "patchcore",
        "fit",
        artefact="coreset",
        data=good,
        inputs=tuple((name, "good_features", name) for name in ("features", "seen")),
    )
    read = tuple((name, "features", name) for name in ("features", "seen", "map"))
    defaults.add_stage(
        c, "patchcore_tested", "apply", of="patchcore", split="test", inputs=read, store=("map",)
    )


def _eyequal(c: ConfigDict, tiny: bool) -> None:
    train: dict[str, Any] = {"steps": 3} if tiny else {"steps": 300, "batch": 8}
    own = {"width": 4} if tiny else {}
    defaults.add_stage(
        c, "eyequal", "train", uses="eyequal", method=own, augment={"train": "flip"}, train=train
    )


def _classifier(c: ConfigDict, tiny: bool) -> None:
    """As in configs/multitask.py, at the photographs' full size: small places count."""
    defaults.add_stage(
        c,
        "classifier",
        "train",
        uses="multitask",
        method={"heads": ("ungradable",)},
        model={"name": "tiny"} if tiny else {"width": 0.25},
        augment={"train": "flip|tint(0.3)|gamma(0.4)"},
        optim={"schedule": "cosine", "warmup": 0.05, "clip": 1.0},
        train={"steps": 3} if tiny else {"steps": 300, "batch": 8},
    )
