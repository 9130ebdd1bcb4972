"""What a run keeps on the disk, small, and how it is read back: what the damage drill damages."""

import dataclasses
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from drills import seeds
from fiqa_jax.inference import model_dir
from fiqa_jax.pretrained import shipped
from fiqa_jax.recipe import stage_files
from fiqa_jax.training import checkpoints, devices, run_log, state
from input_pipeline import sums
from input_pipeline.sources import folder_source
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.storage import shards, store


@dataclasses.dataclass(frozen=True)
class Thing:
    """Something kept.

    Attributes:
      files: that may be damaged.
      read: all that a run takes from it, as something to compare; raises where it is damaged.
      again: puts back what reading may have changed.
    """

    files: Callable[[], list[Path]]
    read: Callable[[], object]
    again: Callable[[], None] = lambda: None


def arrays(root: Path) -> Thing:
    """Stored arrays of a stage, and the list of their rows."""
    rng = np.random.default_rng(0)
    part = {"x": rng.random((64, 8, 8), np.float32), "y": rng.integers(0, 9, (64, 4))}
    shards.fill(root, [f"id{k}" for k in range(64)], 16, lambda first: [part])

    def read() -> object:
        shards._mapped.cache_clear()
        found = shards.opened(root)
        return [found.all(n).tobytes() for n in found.names], found.id.tolist()

    return Thing(lambda: _files(root), read)


def model(root: Path) -> Thing:
    """A model directory, read in whole."""
    source = shipped.FOLDER / shipped.DEFAULT
    model_dir.copy(source, root, model_dir.read_config(source))

    def read() -> object:
        config = model_dir.read_config(root)
        model_dir.check_files(root, config)
        return json.dumps(config), (root / model_dir.WEIGHTS).read_bytes()

    return Thing(lambda: _files(root), read)


def prepared(root: Path) -> Thing:
    """Prepared photographs, their index and the list of digests."""
    photos, kept = root / "photos", root / "store"
    photos.mkdir()
    for k in range(6):
        image = seeds.photograph(k, 96)
        (photos / f"{k}.jpg").write_bytes(seeds.encoded(image, "JPEG"))
    reader = PhotoReader(64, "fundus", ())

    def read() -> object:
        source = folder_source.folder_source(str(photos), reader=reader, classes=0)
        found, failures = store.prepare(source, np.arange(6), kept, 1)
        examples = [found.fetch(item) for item in source.items]
        return [{k: v.tobytes() for k, v in one.items()} for one in examples], failures

    read()
    whole = root / "whole"
    shutil.copytree(kept, whole)

    def again() -> None:  # what was damaged may have been made anew, in place
        shutil.rmtree(kept)
        shutil.copytree(whole, kept)

    return Thing(lambda: [f for f in _files(kept) if not f.name.startswith(".lock")], read, again)


def stage(root: Path) -> Thing:
    """A finished stage: its record, its predictions, the metrics of its training."""
    folder = root / "single"
    folder.mkdir()
    lines = [{"step": k, "split": "train", "loss": 1 / k} for k in range(1, 40)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "predictions_test.csv").write_text("id,p_good\n" + "a,0.5\n" * 40)
    record = {"name": "single", "settings": {"seed": 0}, "inputs": {}, "result": "x" * 64}
    stage_files.write(folder / "stage.json", record)
    sums.write(folder, stage_files.lasting(folder))

    def read() -> object:
        found = stage_files.read(folder / "stage.json")
        stage_files.check(folder, "single")
        metrics = run_log.read_lines(folder / "metrics.jsonl")
        return found, metrics, (folder / "predictions_test.csv").read_bytes()

    return Thing(lambda: _files(folder), read)


def checkpoint(root: Path) -> Thing:
    """Two checkpoints; where the newer is damaged the older is used, and that is said."""
    folder, whole = root / "checkpoints", root / "whole"
    told = _Told()
    logging.getLogger("fiqa_jax.training.checkpoints").addHandler(told)
    logging.getLogger("fiqa_jax.training.checkpoints").propagate = False
    place = devices.make("jit", jax.devices()[:1])

    def fresh() -> state.TrainState:
        return state.create({"w": jnp.zeros((8, 8))}, {}, {}, ema=False)

    saved = checkpoints.Checkpoints(folder, 3, place)
    weights = jnp.arange(64.0).reshape(8, 8)
    for step in (4, 8):
        made = state.create({"w": weights * step}, {}, {}, ema=False)
        saved.save(step, place.place(made), None)
    saved.close()
    shutil.copytree(folder, whole)

    def read() -> object:
        told.heard = False
        open_ = checkpoints.Checkpoints(folder, 3, place)
        try:
            found = open_.newest(fresh)
        finally:
            open_.close()
        assert found is not None
        step, its = found
        same = np.array_equal(its.params["w"], weights * step)
        if step == 4 and same and told.heard:
            raise ValueError("the older checkpoint is used, and that was said")
        return step, same

    def again() -> None:
        shutil.rmtree(folder)
        shutil.rmtree(root / checkpoints.ASIDE, ignore_errors=True)
        shutil.copytree(whole, folder)

    return Thing(lambda: [*_files(folder / "8"), folder / sums.FILE], read, again)


class _Told(logging.Handler):
    heard = False

    def emit(self, record: logging.LogRecord) -> None:
        self.heard = True


def _files(root: Path) -> list[Path]:
    return sorted(f for f in root.rglob("*") if f.is_file() and f.stat().st_size)


KINDS: dict[str, Callable[[Path], Thing]] = {
    "arrays": arrays,
    "model": model,
    "prepared": prepared,
    "stage": stage,
    "checkpoint": checkpoint,
}
