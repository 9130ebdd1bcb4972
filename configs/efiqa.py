"""Quality maps without one quality label: vessels, what is missing of them, a frozen encoder.

    python -m fiqa_jax.main --config configs/efiqa.py

EFIQA (Wang et al. 2026) on synthetic photographs. A segmentor turns them into vessel maps; a
network that only knows vessel maps of good photographs fills in what it misses; where it adds much,
the photograph is bad; and one linear unit on an encoder's cells learns to tell such places from the
photograph alone. `python -m fiqa_jax.benchmark efiqa --workdir runs/efiqa` scores the maps.

Arguments behind a colon: `tiny` (under a minute), `train_all` (trains the segmentor as well,
where the shipped one would be used), `photos` (a folder of your own, no labels), `paper`,
`grades` (photographs with the three grades of quality: a classifier of cells learns them and is
what is delivered), `encoders` (adapters on other encoders beside: raw pixels, the segmentor's
network with initial weights, and one of your own, --config.stage.features_other.encoder=FILE),
`known` (a second adapter learns from what is known of drawn or degraded photographs, which part of
them is bad, in place of labels from inpainting; it is what is delivered).

`photos` needs nothing but the folder. Inpainting is learned from its own best photographs where
there are enough of them; the report says so, and ranks all:

    python -m fiqa_jax.main --config configs/efiqa.py:photos --config.data.path=FOLDER

`paper` has the published settings (docs/paper_settings.md lists them, and what differs): all of
MSHF, Messidor-2 but for the photographs of a list for inpainting, DINOv3, and a segmentor, which is
a converted file (published: R2-V2, which prepares photographs at 1,408 pixels) or the directory of
a model of configs/vessels.py. What is not given is asked for:

    python -m fiqa_jax.convert --format r2v2 --input bv.pth --output bv.safetensors
    python -m fiqa_jax.main --config configs/efiqa.py:paper --config.data.path=MSHF \
        --config.stage.good.data.path=MESSIDOR2 \
        --config.stage.good.data.exclude=Messidor_NSFS.txt \
        --config.stage.segmentor.path=bv.safetensors

`paper,grades` also learns EyeQ's three grades as published: a linear classifier on the same
features and the same adapter's maps, 120 epochs, with EyeQ's own lists of training and test
photographs (--config.stage.eyeq_features.data.path=EYEQ; its features take 15 GB).

Vessel maps of 1,408 x 1,408 pixels take 6 MB a photograph, 13 GB in all; a model directory has a
side of its own, which --config.stage.good.data.side=256 tells all stages. The threshold of anomaly
calls 9.45 % of MSHF's cells bad, as published ones are. Released weights, converted, take the place
of trained ones by `model.weights` and no epochs; the released threshold of 0.02 belongs to them:

    --config.stage.inpaint.model.weights=vuad.safetensors --config.stage.inpaint.train.epochs=0 \
    --config.stage.threshold.method.flagged=0 \
    --config.stage.adapter.model.weights=linear.safetensors --config.stage.adapter.train.epochs=0
"""

import runpy
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from fiqa_jax import defaults
from fiqa_jax.pretrained import shipped

DINOV3 = "facebook/dinov3-vitl16-pretrain-lvd1689m"
CELLS = ("cells", "seen")
FLAGGED = 19402 / 205312  # share of MSHF's cells with a positive label (released settings)
ASKS = (
    (
        "segmentor.path",
        "a vessel segmentor, published: R2-V2's bv (`python -m fiqa_jax.convert --format r2v2` "
        "makes the file), or else the directory of a model of configs/vessels.py",
    ),
    ("good.data.path", "the folder of Messidor-2, 1,748 photographs"),
    (
        "good.data.exclude",
        "the list of the 342 photographs of Messidor-2 whose vessel maps are incomplete, "
        "src/vuad/config/Messidor_NSFS.txt of EFIQA's repository (with nothing behind the = all "
        "photographs train)",
    ),
)
OTHERS = {"pixels": "pixels", "random": "random:unet", "other": "random:mobilenet"}
GRADES = runpy.run_path(str(Path(__file__).parent / "parts" / "efiqa_grades.py"))
READER = runpy.run_path(str(Path(__file__).with_name("vessels.py")))["READER"]


def get_config(arg: str = "") -> ConfigDict:
    """The recipe; see the module's docstring for the arguments."""
    args = defaults.parse_arg(
        arg,
        tiny=False,
        train_all=False,
        photos=False,
        paper=False,
        grades=False,
        encoders=False,
        known=False,
    )
    if args.known and (args.photos or args.paper):
        raise ValueError(
            "`known` learns from drawn or degraded photographs: leave photos and paper"
        )
    c = defaults.base()
    c.name = "efiqa"
    c.data.side = 64 if args.tiny else 256
    c.data.details = ()
    c.data.split = (0.5, 0.1, 0.4)
    c.data.seed = 3
    c.augment.train = ""
    c.optim.update({"schedule": "constant", "lr": 1e-3, "weight_decay": 0.01, "clip": 0.0})
    c.optim.decay = ((".*", 1.0),)  # PyTorch's AdamW leaves nothing out
    c.train.batch = 8 if args.tiny else 16
    c.train.eval_every = 1.0 if args.tiny else 0.25
    c.train.save_every = 1.0 if args.tiny else 0.25
    (_paper if args.paper else _photos if args.photos else _drawn)(c, args)
    _stages(c, args)
    return c


def _drawn(c: ConfigDict, args: ConfigDict) -> None:
    """Synthetic photographs, most of them degraded: those that labels and adapter are made from."""
    c.data.style = "abc"
    c.data.count = 24 if args.tiny else 300
    c.data.lq_ratio = 0.9
    c.data.severity_mix = (0.3, 0.7)
    c.data.kinds = ("local",)  # bad in a part, which is what a map is for


def _photos(c: ConfigDict, args: ConfigDict) -> None:
    """A folder of photographs, some of them bad."""
    c.data.source = "folder"
    c.data.on_bad = "skip"
    c.data.split = (0.8, 0.1, 0.1)


def _paper(c: ConfigDict, args: ConfigDict) -> None:
    """All of MSHF, squashed to squares as DINOv3's features were extracted."""
    c.data.source = "mshf"
    c.data.lists = "all"
    c.data.split = (1.0, 0.0, 0.0)
    c.data.crop = "squash"
    c.data.resample = "bicubic"
    c.asks = ASKS


def _stages(c: ConfigDict, args: ConfigDict) -> None:
    """Segmentor, inpainting on good maps, pseudo-labels, features, adapter, maps."""
    drawn = {"source": "drawn", "style": "abc", "path": "", "classes": 0}
    good = {**drawn, "lq_ratio": 0.0, "count": 200, "seed": 2, "split": (0.85, 0.15, 0.0)}
    if args.tiny:
        good |= {"count": 24, "split": (0.5, 0.5, 0.0)}
    whole: dict[str, Any] = {}
    if args.paper:  # vessel maps in the pixels of R2-V2's preparation, too many to be cached
        whole = {"side": c.data.side if args.tiny else 1408, "cache": "none"}
        good = {"source": "folder", "path": "", "classes": 0, "split": (1.0, 0.0, 0.0)}
        good |= {"exclude": "?", "crop": "field", **whole}
    _segmentor(c, args, drawn)
    maps = ("vessels", "fov")
    truth = () if args.photos or args.paper else ("map",)
    defaults.add_stage(c, "good", "apply", of="segmentor", split="all", data=good, store=maps)
    defaults.add_stage(
        c, "vessels", "apply", of="segmentor", split="all", data=whole, store=(*maps, *truth)
    )
    learn = "good"
    if args.photos:
        learn = "select"
        good = {"source": "stored", "seed": 2, "split": good["split"]}
        own = (("vessels", "vessels", "vessels"), ("fov", "vessels", "fov"))
        built_in = (("good_vessels", "good", "vessels"), ("good_fov", "good", "fov"))
        defaults.add_stage(
            c, "select", "fit", of="segmentor", artefact="select", inputs=own + built_in
        )
    if args.paper:
        good = {"source": "stored", "split": (1.0, 0.0, 0.0), **whole}  # what `good` was given
    _inpaint(c, args, good, (("image", learn, "vessels"), ("fov", learn, "fov")))
    defaults.add_stage(
        c,
        "labels",
        "apply",
        of="threshold",
        split="all",
        data=whole,
        inputs=(("image", "vessels", "vessels"), ("fov", "vessels", "fov")),
        store=("bad", *CELLS, "inpainted", "anomaly"),
    )
    _features(c, args)
    read = [("features", "features", "features"), ("bad", "labels", "bad")]
    read += [("seen", "labels", "seen"), *(("map", "vessels", name) for name in truth)]
    _adapter(c, args, tuple(read), "")
    split = "test" if truth else "all"
    defaults.add_stage(
        c, "tested", "apply", of="adapter", split=split, inputs=tuple(read), store=("map",)
    )
    stored = {"fov": "vessels", "vessels": "vessels", "inpainted": "labels", "anomaly": "labels"}
    defaults.add_stage(
        c,
        "pictures",
        "fit",
        of="threshold",
        artefact="pictures",
        data=whole,
        inputs=tuple((what, stage, what) for what, stage in (stored | {"map": "tested"}).items()),
    )
    if args.paper:  # one flag tells all stages that read vessel maps their side
        for name in ("vessels", "inpaint", "rated", "threshold", "labels", "pictures"):
            c.stage[name].data.side = c.stage.good.data.get_oneway_ref("side")
    c.deliver = "maps"
    if truth or args.paper:
        found = (("map", "tested", "map"),)
        defaults.add_stage(c, "scores", "fit", of="adapter", artefact="scores", inputs=found)
    for name, encoder in OTHERS.items() if args.encoders else ():
        defaults.add_stage(
            c, f"features_{name}", "apply", features=True, split="all", encoder=encoder
        )
        features = ("features", f"features_{name}", "features")
        _adapter(c, args, (features, *read[1:]), f"_{name}")
    if args.known:
        own = {"labels": "known", "pos_weight": 1.0}
        _adapter(c, args, (read[0], *read[2:]), "_known", **own)
        c.deliver = "maps_known"
    if args.grades and args.paper:
        GRADES["add_eyeq_stages"](c, args.tiny)
    elif args.grades:
        GRADES["add_stages"](c, read[0], tuple(read), args.tiny)


def _adapter(c: ConfigDict, args: ConfigDict, read: tuple, which: str, **changes: Any) -> None:
    """An adapter, and the model that draws maps with it."""
    own: dict[str, Any] = {"ridge": 3.0, "around": 1.3, **changes}
    optim: dict[str, Any] = {"lr": 1e-2, "schedule": "cosine"}  # few photographs: few steps
    if args.photos:
        own["pos_weight"] = 0.0  # as many bad cells as a folder has
    if args.paper:
        own, optim = {"field": False, "standardise": False, "cells": 16 if args.tiny else 4096}, {}
    defaults.add_stage(
        c,
        f"adapter{which}",
        "train",
        uses="adapter",
        method=own,
        inputs=read,
        optim=optim,
        train={"steps": 3} if args.tiny else {"epochs": 20.0 if args.paper else 60.0},
    )
    of = f"adapter{which}"
    defaults.add_stage(c, f"maps{which}", "fit", of=of, artefact="map", inputs=(read[0],))


def _segmentor(c: ConfigDict, args: ConfigDict, drawn: dict[str, Any]) -> None:
    """The shipped segmentor, one that is given, or one trained on synthetic eyes."""
    ready = shipped.FOLDER / "segmentor"
    if args.paper or (ready.is_dir() and not args.train_all and not args.tiny):
        path = "" if args.paper else str(ready)
        defaults.add_stage(c, "segmentor", "fit", artefact="model", path=path)
        return
    sections = {name: dict(changes) for name, changes in READER.items()}
    if args.tiny:
        sections["method"] = {"base": 2, "levels": 2}
        sections["augment"] = {"train": "flip|rotate(180)|patch(0.5, 32)"}
        sections["train"] = {"steps": 3}
        sections["data"] |= {"count": 16, "split": (0.5, 0.5, 0.0)}
    sections["data"] = {**drawn, **sections["data"], "seed": 1}
    sections["optim"] |= {"schedule": "cosine", "clip": 1.0}
    defaults.add_stage(c, "segmentor", "train", uses="vessels", **sections)


def _inpaint(c: ConfigDict, args: ConfigDict, good: dict[str, Any], read: tuple) -> None:
    """Inpainting of good vessel maps, and the anomaly that hardly any cell of them reaches."""
    # The published floor makes black what a soft map shows faintly: here that hides good places.
    own: dict[str, Any] = {"side": 128, "base": 16, "floor": -1.0, "measure": "lost"}
    train: dict[str, Any] = {"steps": 500, "batch": 8}
    if args.tiny:
        own |= {"side": 32, "base": 2, "levels": 2, "grid": 4}
        own["measure"] = "added"  # after three steps nothing is expected that is not there
        train = {"steps": 3, "batch": 8}
    if args.paper:
        published: dict[str, Any] = {"field": False, "as_pictures": True}
        own = published | (own | {"floor": 50.0} if args.tiny else {})
        train = train if args.tiny else {"epochs": 100.0}
    defaults.add_stage(
        c, "inpaint", "train", uses="inpaint", method=own, data=good, inputs=read, train=train
    )
    judged, split = "held_out", "val"
    rule: dict[str, Any] = {}
    if args.paper:  # the threshold is that of the photographs to be labelled
        judged, split, good = "rated", "all", {k: good[k] for k in ("side", "cache")}
        read = tuple((name, "vessels", what) for name, _, what in read)
        rule = {"field": False, "flagged": FLAGGED}
    defaults.add_stage(
        c, judged, "apply", of="inpaint", split=split, data=good, inputs=read, store=CELLS
    )
    defaults.add_stage(
        c,
        "threshold",
        "fit",
        of="inpaint",
        artefact="threshold",
        method=rule,
        data=good,
        inputs=tuple((name, judged, name) for name in CELLS),
    )


def _features(c: ConfigDict, args: ConfigDict) -> None:
    """Features of the segmentor, which is small and at hand; published: of DINOv3."""
    which = {"encoder": DINOV3} if args.paper else {"of": "segmentor"}
    defaults.add_stage(c, "features", "apply", features=True, split="all", **which)
