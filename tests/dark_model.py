"""A stand-in for the network that calls a photograph bad in the measure in which it is dark.

Every row's outcome follows from the file. `here` is a fixture, for a test file to name.
"""

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from fiqa_jax import predict
from fiqa_jax.inference import model_dir, predictor
from fiqa_jax.predictions import schema
from input_pipeline.photo.reader import Photo, PhotoError

SIDE = 16


@dataclasses.dataclass(frozen=True)
class Model:
    config: dict
    predict: Callable


def config(**changes):
    data = {"side": SIDE, "modality": "fundus", "erase": [], "detail_names": ["illumination"]}
    data |= {"quality_names": ["good", "usable", "reject"], "diagnosis_names": []}
    return {"name": "dark", "thresholds": {}, "temperature": {}, "data": data} | changes


def network(batch, seen=None):
    if seen is not None:
        seen.append(batch["image"].shape)
    bad = 1 - batch["image"].mean((1, 2, 3)) / 255
    out = {"p_quality": np.stack([1 - bad, 0 * bad, bad], -1), "p_details": bad[:, None]}
    cells = batch["image"][..., 0].reshape(-1, 4, 4, 4, 4).mean((2, 4))
    return {key: value.astype(np.float32) for key, value in {**out, "map": 1 - cells / 255}.items()}


def fake_read(source, side, *, modality, erase, **crop):
    assert (side, modality) == (SIDE, "fundus")
    if isinstance(source, np.ndarray):
        image, name = Image.fromarray(source), ""
    else:
        name = str(source)
        try:
            image = Image.open(source).convert("RGB")
        except OSError as error:
            raise PhotoError(f"{source}: no photograph\n({error})") from None
    pixels = np.asarray(image.resize((side, side)))
    scope = "no eye: a page of print" if "frame" in name else ""
    fov = np.ones((side, side), np.uint8)
    return Photo(pixels, fov, (0, 0, 1, 1), image.size, "circle", {}, scope)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A model directory, a folder of photographs, and the shapes that the network saw."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(config()))
    (model / "model.safetensors").write_bytes(b"weights")
    photos = tmp_path / "photos"
    (photos / "below").mkdir(parents=True)
    for name, grey in (("a", 250), ("b", 10), ("c", 200), ("below/d", 30), ("frame", 100)):
        Image.new("RGB", (32, 32), (grey,) * 3).save(photos / f"{name}.png")
    (photos / "broken.jpg").write_bytes(b"not a photograph")
    seen = []
    loaded = Model(config(), lambda batch: network(batch, seen))
    monkeypatch.setattr(model_dir, "load", lambda path, **known: loaded)
    monkeypatch.setattr(predictor, "read_photo", fake_read)
    return tmp_path, seen


def run(root, *extra, out="out"):
    argv = [str(root / "photos"), "--model", str(root / "model"), "--output", str(root / out)]
    return predict.main([*argv, *extra])


def read(root, out="out"):
    rows = schema.read_rows(root / out / "predictions.csv")
    return {row["path"].rsplit("/", 1)[-1]: row for row in rows}
