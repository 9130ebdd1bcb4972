"""Quality maps from cells that are surely bad and cells nobody judged: EFIQA-CP (2026).

    python -m fiqa_jax.main --config configs/efiqa_cp.py

Everything up to pseudo-labels and the linear adapter is that of configs/efiqa.py. Pseudo-labels
miss bad places where no vessels were expected, and a classifier learns to miss them too. Here a
small network reads the photograph, a cell without a label counts as unlabelled, and the
non-negative PU risk takes the place of cross-entropy. The ablation stands beside it:

    adapter     linear unit on a frozen encoder's cells, cross-entropy (EFIQA)
    cnn         the network, cross-entropy: unlabelled cells are good ones
    efiqa_cp    the network, nnPU; this one is delivered

    python -m fiqa_jax.benchmark efiqa --workdir runs/efiqa_cp \
        --model linear=runs/efiqa_cp/maps/model --model cnn=runs/efiqa_cp/cnn/model

(with `features` or `paper` the last is cnn_maps/model, which has the encoder in it).
Arguments behind a colon: `tiny` (the machinery, hardly trained), `photos` (a folder of your own, no
labels: --config.data.path=FOLDER), `paper` (the published settings: MSHF, DINOv3 at 1024 pixels, a
network of width 512, 100 epochs for the linear unit, too; what is given, and how, is that of
configs/efiqa.py:paper), `grades` (as in configs/efiqa.py, beside the others), `features` (the
network reads what the adapter reads, 16 x 16 cells of a frozen encoder, as the published one reads
its encoder's, and so the three differ in one thing each), `sweep` (the same with other priors
beside).

The prior is the share of bad cells among the unlabelled, 0.05 as published, and a guess: estimators
of a prior need positives that are a random sample of all positives, while these are the cells of
which inpainting is sure. `sweep` trains 0.01, 0.02, 0.1 and 0.2 as well; one value alone is
--config.stage.efiqa_cp.method.prior=0.1. The risk as in Kiryo et al. 2017, which climbs where the
released one stands still: --config.stage.efiqa_cp.method.variant=ascent.
"""

import runpy
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from fiqa_jax import defaults

EFIQA = runpy.run_path(str(Path(__file__).with_name("efiqa.py")))
SHARED = ("tiny", "photos", "paper", "grades")
PERCENT = (1, 2, 10, 20)  # priors of `sweep` beside the published 5 %


def get_config(arg: str = "") -> ConfigDict:
    """The recipe; see the module's docstring for the arguments."""
    args = defaults.parse_arg(
        arg, tiny=False, photos=False, paper=False, grades=False, features=False, sweep=False
    )
    c = EFIQA["get_config"](",".join(name for name in SHARED if args[name]))
    c.name = "efiqa_cp"
    c.stages = tuple(name for name in c.stages if name != "pictures")  # of the last maps instead
    if args.paper and not args.tiny:
        c.stage.adapter.train.epochs = 100.0  # the linear row of EFIQA-CP's ablation
    read = _inputs(c, args)
    own, common = _settings(args)
    network = {"uses": "nnpu", "inputs": read, **common}
    defaults.add_stage(c, "cnn", "train", method={**own, "risk": "bce"}, **network)
    defaults.add_stage(c, "efiqa_cp", "train", method=own, **network)
    for percent in PERCENT if args.sweep else ():
        prior = {**own, "prior": percent / 100}
        defaults.add_stage(c, f"prior_{percent}", "train", method=prior, **network)
    split = c.stage.tested.split
    defaults.add_stage(
        c, "cp_tested", "apply", of="efiqa_cp", split=split, inputs=read, store=("map",)
    )
    found = (("map", "cp_tested", "map"),)
    if "scores" in c.stages:
        defaults.add_stage(c, "cp_scores", "fit", of="efiqa_cp", artefact="scores", inputs=found)
    before = tuple(triple for triple in c.stage.pictures.inputs if triple[0] != "map")
    c.stage.pictures.inputs = before + found
    c.stages = (*c.stages, "pictures")
    c.deliver = "efiqa_cp"
    if args.paper or args.features:
        for name, of in (("cnn_maps", "cnn"), ("cp_maps", "efiqa_cp")):
            defaults.add_stage(c, name, "fit", of=of, artefact="map", inputs=(read[0],))
        c.deliver = "cp_maps"
    return c


def _inputs(c: ConfigDict, args: ConfigDict) -> tuple[tuple[str, str, str], ...]:
    """What the network reads: photographs, or features: with `paper` of 64 x 64 cells."""
    labels = ("bad", "labels", "bad")
    if args.paper:
        side = 4 * c.data.side if args.tiny else 1024
        fine = defaults.add_stage(
            c, "fine_features", "apply", features=True, split="all", data={"side": side}
        )
        fine.encoder = c.stage.features.get_oneway_ref("encoder")  # one flag names both
        return (("features", "fine_features", "features"), labels, ("seen", "labels", "seen"))
    kept = c.stage.vessels.store
    truth = tuple(("map", "vessels", "map") for name in kept if name == "map")
    if args.features:
        return (("features", "features", "features"), labels, ("seen", "labels", "seen"), *truth)
    c.stage.vessels.store = (*kept, "image")
    return (("image", "vessels", "image"), ("fov", "vessels", "fov"), labels, *truth)


def _settings(args: ConfigDict) -> tuple[dict[str, Any], dict[str, Any]]:
    """The method's settings, and the sections that all networks share."""
    if args.paper:
        train = {"steps": 3} if args.tiny else {"epochs": 100.0}
        return {"width": 8 if args.tiny else 512, "field": False}, {"train": train}
    if args.features:
        own = {"width": 8, "blocks": (1,)} if args.tiny else {"blocks": (3,)}
        return own, {"train": {"steps": 3 if args.tiny else 100}}
    # A flipped photograph has flipped labels, cell for cell; any other turn would blur them.
    common: dict[str, Any] = {"augment": {"train": "flip"}}
    if args.tiny:
        return {"width": 8, "stem": 4, "blocks": (1, 1, 1)}, {**common, "train": {"steps": 3}}
    return {}, {**common, "train": {"steps": 100, "batch": 8}}
