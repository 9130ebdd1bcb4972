"""Small artefacts of quality maps: the threshold of anomaly, and the model that draws maps."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fiqa_jax.inference import model_dir, segmentors
from fiqa_jax.maps import drawing
from fiqa_jax.methods import efiqa_labels
from fiqa_jax.pretrained import encoders, shipped, tensors
from fiqa_jax.recipe import photo_selection, stored
from fiqa_jax.recipe.data import Data
from fiqa_jax.recipe.jobs import Job, RecipeError
from fiqa_jax.report import maps_page, page
from input_pipeline import atomic, records
from input_pipeline.storage import shards
from input_pipeline.tables.file_paths import expanded

log = logging.getLogger(__name__)
SHOWN = 8  # photographs in the report
Opened = Callable[[], Data]  # the stage's photographs, opened when they are needed


def threshold_fit(job: Job, stage_folder: Path, data: Opened) -> dict[str, Any]:
    """The threshold that a share of some cells exceeds, put into a copy of the model.

    Without any label: of held-out good maps 1 % of the cells are flagged, by construction. `inputs`
    gives `cells` and `seen`; the stage's settings `flagged` (the share; 0 leaves the model's
    threshold as it is) and `field` (cells outside are left out) say the rest.

    Raises:
      RecipeError: too few cells, or a network that was hardly trained.
    """
    del data
    arrays = stored.arrays(job)
    config, settings = model_dir.read_config(stage_folder / "model"), job.config.method
    seen = arrays["seen"] if settings.field else np.ones_like(arrays["seen"])
    value = config["settings"]["method"]["threshold"]
    try:
        if settings.flagged:
            value = efiqa_labels.threshold(arrays["cells"], seen, settings.flagged)
    except ValueError as error:
        raise RecipeError(f"stage {job.title!r}: {error}") from None
    config["settings"]["method"]["threshold"] = value
    model_dir.copy(stage_folder / "model", job.directory / "model", config)
    cells = arrays["cells"][seen >= 0.5]
    return {
        "threshold": value,
        "flagged": float((cells > value).mean()),
        "median of the cells": float(np.median(cells)),
        "cells": len(cells),
        "published": efiqa_labels.PUBLISHED,
    }


def map_fit(job: Job, stage_folder: Path, data: Opened) -> dict[str, Any]:
    """An adapter and the encoder it was trained on, as one model that draws maps of photographs.

    `inputs` names the stage whose features the adapter read.
    """
    del data
    target = job.directory / "model"
    encoder, facts = put_encoder(job, target)
    config = model_dir.read_config(stage_folder / "model") | {"encoder": encoder}
    config["data"]["side"] = facts["side"]
    model_dir.copy(stage_folder / "model", target, config)
    return facts


def put_encoder(job: Job, target: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Puts the encoder of the features that a stage's `inputs` name into a model directory.

    An encoder of a file or folder travels with the model as one file; one of a hub id is taken
    from the hub's cache wherever the model is used. Its digest is checked either way.

    Returns:
      What the model's config.json says as `encoder`; facts for stage.json, `side` among them.
    """
    (stage,) = {other for name, other, _ in job.config.inputs if name == "features"}
    record = records.read(job.needs[stage][0] / "stage.json")
    settings = record["settings"]
    trained = job.needs[stage][0].parent / settings["of"] / "model" if settings["of"] else None
    name = str(trained) if trained else settings["encoder"]
    encoder = encoders.load(name)
    target.mkdir(parents=True, exist_ok=True)
    if trained or Path(name).is_dir():
        encoders.save(encoder, target / model_dir.ENCODER)
    elif Path(name).is_file():
        shutil.copyfile(name, target / model_dir.ENCODER)
    entry = {
        "name": "" if trained else Path(name).name if Path(name).exists() else name,
        "digest": encoder.digest,
        "size": settings["size"],
    }
    facts = {
        "encoder": settings["of"] or name,
        "channels": encoder.channels,
        "side": settings["data.side"],
        "size": settings["size"],
    }
    return entry, facts


def model_fit(job: Job, stage_folder: Path, data: Opened) -> dict[str, Any]:
    """A model that was trained elsewhere, `path`, in place of a stage that trains one.

    A file holds converted weights of a published vessel segmentor.

    Raises:
      RecipeError: no model directory there, or a file of something else.
    """
    del stage_folder, data
    flag = f"--config.stage.{job.stage}.path"
    if not job.config.path:
        raise RecipeError(f"stage {job.title!r} takes a model that is there: give {flag}=DIRECTORY")
    given = shipped.find(expanded(job.config.path))
    try:
        if given.is_file():
            return _segmentor(given, job.directory / "model")
        config = model_dir.read_config(given)
    except ValueError as error:
        raise RecipeError(f"stage {job.title!r}, {flag}: {error}") from None
    model_dir.copy(given, job.directory / "model", config)
    return {"model": config["name"], "side": config["data"]["side"]}


def _segmentor(file: Path, target: Path) -> dict[str, Any]:
    """Puts converted weights where apply stages find them. Raises: ValueError, not a segmentor."""
    segmentors.load(file)
    target.mkdir(parents=True, exist_ok=True)
    atomic.write(target / segmentors.WEIGHTS, file.read_bytes())
    _, metadata = tensors.read(file)
    known = ("model", "prepared", "channels", "base", "source", "source_sha256")
    return {name: metadata[name] for name in known if name in metadata}


def select_fit(job: Job, stage_folder: Path, data: Opened) -> dict[str, Any]:
    """Stores the vessel maps that inpainting learns from; see `fiqa_jax.recipe.photo_selection`.

    `inputs` gives `vessels` and `fov` of the photographs, and `good_vessels` and `good_fov` of the
    built-in synthetic photographs that take their place where too few are kept. Writes
    kept.csv and a contact sheet.
    """
    del stage_folder
    folders = {name: (stored.folder(job, stage), what) for name, stage, what in job.config.inputs}

    def row(prefix: str, number: int) -> dict[str, np.ndarray]:
        pair = ((n, *folders[prefix + n]) for n in ("vessels", "fov"))
        return {n: f.row(number, (what,))[what] for n, f, what in pair}

    ids = folders["vessels"][0].id
    numbers = [photo_selection.measure(**row("", i)) for i in range(len(ids))]
    chosen = photo_selection.choose(*zip(*numbers, strict=True))
    source = data().source
    place = {name: i for i, name in enumerate(source.table.id.tolist())}
    paths = [str(source.table.path[place[name]]) for name in ids.tolist()]
    photo_selection.write_list(job.directory / "kept.csv", ids.tolist(), paths, chosen)
    rows = np.flatnonzero(chosen.kept)
    prefix, names = ("", ids[rows]) if chosen.enough else ("good_", folders["good_vessels"][0].id)
    taken = rows if chosen.enough else np.arange(len(names))
    parts = ({n: v[None] for n, v in row(prefix, int(i)).items()} for i in taken)
    shards.fill(job.directory, names.tolist(), 256, lambda _: parts)
    for note in chosen.notes:
        log.info("%s: %s", job.title, note)
    best = rows[np.argsort(-(chosen.density * chosen.field)[rows], kind="stable")]
    shown = [source.read(place[ids[i]])["image"] for i in best[: photo_selection.SHEET]]
    items: list[page.Item] = list(chosen.notes)
    if shown:
        items.append(
            page.Picture("kept", photo_selection.sheet(shown), "The photographs that were kept.")
        )
    page.save_section(job.directory, page.Section("Photographs to learn from", tuple(items)))
    return {"photographs": len(ids), "kept": len(rows), "used": "own" if chosen.enough else "drawn"}


def pictures_fit(job: Job, stage_folder: Path, data: Opened) -> dict[str, Any]:
    """The report's section of maps, from what the stages stored of some photographs.

    `stage_folder` is the inpainting network with its threshold; `inputs` gives `fov`,
    `vessels`, `inpainted`, `anomaly` and `map`, and the photographs are those of which
    all are stored. Writes ranking.csv, too: means of maps over the field, and whether the field is
    round or a frame, which may be no photograph of a fundus.
    """
    folders = {name: (stored.folder(job, stage), what) for name, stage, what in job.config.inputs}
    photographs = data().source
    place = {name: row for row, name in enumerate(photographs.table.id.tolist())}
    shared = [n for n in folders["map"][0].id.tolist() if n in place]
    row_of = {k: {n: i for i, n in enumerate(f.id.tolist())} for k, (f, _) in folders.items()}
    shared = [n for n in shared if all(n in rows for rows in row_of.values())]
    maps, fields = (
        folders[k][0].all(folders[k][1])[[row_of[k][n] for n in shared]] for k in ("map", "fov")
    )
    seen = np.stack([drawing.seen_share(fov, *maps.shape[1:]) for fov in fields])
    score = (maps * seen).sum((1, 2)) / np.maximum(seen.sum((1, 2)), 1e-6)
    framed = np.array([photo_selection.framed(fov) for fov in fields])
    shown = np.flatnonzero(~framed) if not framed.all() else np.arange(len(shared))
    known = np.where(seen > 0, maps, np.nan)[shown]
    threshold = model_dir.read_config(stage_folder / "model")["settings"]["method"]["threshold"]
    rows = []
    for chosen in shown[maps_page.choose(known, score[shown], SHOWN)]:
        name = shared[chosen]
        photograph = photographs.read(place[name])
        arrays = {k: f.row(row_of[k][name], (what,))[what] for k, (f, what) in folders.items()}
        if "map" in photograph and (photograph["map"] != efiqa_labels.ABSENT).any():
            arrays["truth"] = photograph["map"]
        arrays["image"] = photograph["image"]
        rows.append((f"{name}: mean of the map {score[chosen]:.2f}", arrays))
    page.save_section(job.directory, maps_page.section(rows, threshold))
    order = np.argsort(-score, kind="stable")
    paths = photographs.table.path
    ranked = [
        (
            shared[i],
            str(paths[place[shared[i]]]),
            f"{score[i]:.4f}",
            "frame" if framed[i] else "round",
        )
        for i in order
    ]
    header = ("id", "path", "mean_of_map", "field")
    atomic.write_csv(job.directory / "ranking.csv", header, ranked)
    return {"photographs": len(shared), "shown": len(rows)}
