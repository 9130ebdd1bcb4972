"""Stages of configs/efiqa.py:grades: a classifier of cells learns the three grades of quality."""

from ml_collections import ConfigDict

from fiqa_jax import defaults


def add_stages(c: ConfigDict, features: tuple[str, str, str], read: tuple, tiny: bool) -> None:
    """The three grades from cells, each cell pulled towards the adapter's map."""
    defaults.add_stage(
        c, "drawn_maps", "apply", of="adapter", split="all", inputs=read, store=("map",)
    )
    defaults.add_stage(
        c,
        "grades",
        "train",
        uses="cell_grades",
        inputs=(features, ("seen", "labels", "seen"), ("target_map", "drawn_maps", "map")),
        optim={"lr": 1e-2},
        train={"steps": 3} if tiny else {"epochs": 60.0},
    )
    defaults.add_stage(c, "graded", "fit", of="grades", artefact="map", inputs=(features,))
    c.deliver = "graded"


def add_eyeq_stages(c: ConfigDict, tiny: bool) -> None:
    """The grades as published: of EyeQ's photographs, on the same encoder and the same adapter."""
    data = {"source": "eyeq", "path": "", "classes": 3, "lists": ""}
    defaults.add_stage(c, "eyeq_features", "apply", features=True, split="all", data=data)
    c.stage.eyeq_features.encoder = c.stage.features.get_oneway_ref("encoder")
    read = (("features", "eyeq_features", "features"),)
    defaults.add_stage(
        c, "eyeq_maps", "apply", of="adapter", split="all", data=data, inputs=read, store=("map",)
    )
    learned = {"steps": 3} if tiny else {"epochs": 120.0, "batch": 32}
    defaults.add_stage(
        c,
        "grades",
        "train",
        uses="cell_grades",
        data=data,
        inputs=(*read, ("target_map", "eyeq_maps", "map")),
        train=learned,
    )
    for name in ("eyeq_maps", "grades"):
        c.stage[name].data.path = c.stage.eyeq_features.data.get_oneway_ref("path")
    defaults.add_stage(c, "graded", "fit", of="grades", artefact="map", inputs=read)
    c.deliver = "graded"
