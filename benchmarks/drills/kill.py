"""Work that is killed at random moments and begun again ends as work that was left alone.

See `killing`. What the children need is imported here, so that each of them starts at once.
"""

import importlib.util
import json
import random
import time
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import jax
import numpy as np
import safetensors.numpy
import sklearn.metrics  # noqa: F401  otherwise imported by every child

from drills import seeds
from drills.killing import Note, begin, digest, digests, kill, killed
from drills.outcomes import Counts
from fiqa_jax import predict as command
from fiqa_jax.inference import model_dir
from fiqa_jax.pretrained import shipped
from fiqa_jax.recipe import runner
from fiqa_jax.report import build
from fiqa_jax.training import tensorboard
from input_pipeline import atomic
from input_pipeline.sources import folder_source
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.storage import shards, store

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
PASSING = (".lock", ".lock.owner")  # of a folder: who writes there


def model(cases: int, root: Path, note: Note) -> Counts:
    """One of two models is written over the other; what is there loads as one of them, or not."""
    source = shipped.FOLDER / shipped.DEFAULT
    config = model_dir.read_config(source)
    both, target = (root / "a", root / "b"), root / "model"
    for place, folder in enumerate(both):
        model_dir.copy(source, folder, {**config, "name": folder.name})
        tensors = safetensors.numpy.load((source / model_dir.WEIGHTS).read_bytes())
        tensors = {k: np.asarray(v + np.asarray(place, v.dtype)) for k, v in tensors.items()}
        whole = (source / model_dir.WEIGHTS).read_bytes()
        head = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])
        metadata = head.get("__metadata__")
        (folder / model_dir.WEIGHTS).write_bytes(safetensors.numpy.save(tensors, metadata))
        model_dir.write_config(folder, {**config, "name": folder.name})
    weights = {one.name: (one / model_dir.WEIGHTS).read_bytes() for one in both}

    def work() -> None:
        for turn in range(1000):
            one = both[turn % 2]
            model_dir.copy(one, target, model_dir.read_config(one))

    out, rng = Counts(), random.Random("model")
    for _ in range(cases):
        child = begin(work, root / "log")
        while not (target / model_dir.WEIGHTS).exists():
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        out["kills"] += kill(child, root / "log")
        try:
            found = model_dir.read_config(target)
            model_dir.check_files(target, found)
            same = (target / model_dir.WEIGHTS).read_bytes() == weights[found["name"]]
            out["whole" if same else "differs"] += 1
        except ValueError:
            out["refused"] += 1
    note(out)
    return out


def prepare(cases: int, root: Path, note: Note) -> Counts:
    """Preparation of photographs."""
    photos = _photographs(root / "photographs", 24)

    def work(folder: Path) -> None:
        reader = PhotoReader(64, "fundus", ())
        source = folder_source.folder_source(str(photos), reader=reader, classes=0)
        store.prepare(source, np.arange(24), folder, 1)

    return killed(cases, root, note, work, _all_files)


def arrays(cases: int, root: Path, note: Note) -> Counts:
    """Outputs of a stage, such as an encoder's features, stored shard by shard."""

    def work(folder: Path) -> None:
        def stream(first: int) -> object:
            for row in range(first, 256, 4):
                rng = np.random.default_rng(row)
                yield {"features": rng.random((4, 16, 16, 32), np.float32).astype(np.float16)}

        folder.mkdir(exist_ok=True)
        atomic.clean(folder)  # as the runner does when a stage begins
        shards.fill(folder, [f"id{k}" for k in range(256)], 8, stream)

    return killed(cases, root, note, work, _all_files)


def predict(cases: int, root: Path, note: Note) -> Counts:
    """`fiqa predict --maps`, gone on with by --resume.

    The network is `_dark`: it is the files that are drilled, and nothing is compiled at each start.
    """
    photos = _photographs(root / "photographs", 12)

    def work(folder: Path) -> None:
        config = model_dir.read_config(shipped.FOLDER / shipped.DEFAULT)
        config["data"]["side"] = 64  # pixels
        made = model_dir.Model(config, {}, _dark, _dark)
        flags = ["--model", shipped.DEFAULT, "--output", str(folder), "--batch", "2", "--maps"]
        flags += ["--resume"] if (folder / command.LOG).exists() else []
        with mock.patch.object(model_dir, "load", return_value=made):
            if status := command.main([*flags, str(photos)]):
                raise RuntimeError(f"predict ended with status {status}")

    return killed(cases, root, note, work, _all_files)


def _dark(batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Calls a photograph bad where it is dark: `image [B, S, S, 3] uint8` to a map and grades."""
    light = batch["image"].astype(np.float32).mean(-1) / 255
    size, side, _ = light.shape
    cells = light.reshape(size, 16, side // 16, 16, side // 16).mean((2, 4))
    bad = 1 - light.mean((1, 2))
    return {"p_quality": np.stack([1 - bad, 0 * bad, bad], -1), "map": 1 - cells}


def training(cases: int, root: Path, note: Note) -> Counts:
    """A training with checkpoints, its calibration and the model that it delivers.

    The method is `mean_colour`, which compiles at once; without TensorBoard's files and the report.
    """

    photos = _photographs(root / "photographs", 36)
    grades = ("good", "usable", "reject")
    lines = [f"{file},{grades[k % 3]}\n" for k, file in enumerate(sorted(photos.iterdir()))]
    (root / "graded.csv").write_text("path,quality\n" + "".join(lines))

    def work(folder: Path) -> None:
        jax.config.update("jax_compilation_cache_dir", str(root / "compiled"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        spec = importlib.util.spec_from_file_location("multitask", CONFIGS / "multitask.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        config = module.get_config("tiny,single")
        config.stage.single.uses = "drills.mean_colour"
        config.data.update({"source": "csv", "path": str(root / "graded.csv"), "details": ()})
        config.data.update({"driver": "threads", "side": 32})
        config.train.update({"steps": 24, "save_every": 1 / 12, "eval_every": 0.25})
        with (
            mock.patch.object(tensorboard, "writer", return_value=None),
            mock.patch.object(build, "write_report", return_value=folder / "report.html"),
        ):
            runner.run(config, folder)

    def seen(folder: Path) -> object:
        names = ("single/metrics.jsonl", "single/predictions_test.csv", "model/model.safetensors")
        return [digest(folder / name) for name in names]

    return killed(cases, root, note, work, seen)


def _photographs(folder: Path, count: int) -> Path:
    folder.mkdir()
    for k in range(count):
        image = seeds.encoded(seeds.photograph(k, 96), "JPEG", quality=90)
        (folder / f"{k:03d}.jpg").write_bytes(image)
    return folder


def _all_files(folder: Path) -> object:
    """All that a folder holds, but for what says who writes there and when."""
    return digests(folder, (*PASSING, "run.json"))
