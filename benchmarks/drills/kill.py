"""Work that is killed at random moments and begun again ends as work that was left alone.

The work is done by a child of this process, which has not used JAX and so may fork.
"""

import contextlib
import hashlib
import importlib.util
import json
import logging
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors.numpy

from drills import seeds
from drills.outcomes import Counts, say
from fiqa_jax.inference import model_dir
from fiqa_jax.pretrained import shipped
from input_pipeline import atomic
from input_pipeline.sources import folder_source
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.storage import shards, store

Note = Callable[[Counts], None]
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
        child = _begin(work, root / "log")
        _wait_for(target / model_dir.WEIGHTS)
        time.sleep(rng.uniform(0, 0.3))
        out["kills"] += _kill(child)
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

    return _killed(cases, root, note, work, _all_files)


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

    return _killed(cases, root, note, work, _all_files)


def predict(cases: int, root: Path, note: Note) -> Counts:
    """`fiqa predict --maps`, gone on with by --resume."""
    photos = _photographs(root / "photographs", 12)

    def work(folder: Path) -> None:
        from fiqa_jax import predict as command

        _compiled_at(root / "compiled")
        flags = ["--model", "efiqa", "--output", str(folder), "--batch", "2", "--maps"]
        flags += ["--resume"] if (folder / command.LOG).exists() else []
        if command.main([*flags, str(photos)]):
            raise RuntimeError("predict failed")

    return _killed(cases, root, note, work, _all_files)


def training(cases: int, root: Path, note: Note) -> Counts:
    """A training with checkpoints, up to the model and the report."""

    def work(folder: Path) -> None:
        from fiqa_jax.recipe import runner

        _compiled_at(root / "compiled")
        spec = importlib.util.spec_from_file_location("multitask", CONFIGS / "multitask.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        config = module.get_config("tiny,single")
        config.data.driver = "threads"
        config.train.update({"steps": 60, "save_every": 0.05, "eval_every": 0.2})
        runner.run(config, folder)

    def seen(folder: Path) -> object:
        names = ("single/metrics.jsonl", "single/predictions_test.csv", "model/model.safetensors")
        return [_digest(folder / name) for name in names]

    return _killed(cases, root, note, work, seen)


def _killed(
    cases: int,
    root: Path,
    note: Note,
    work: Callable[[Path], None],
    seen: Callable[[Path], object],
) -> Counts:
    """Kills `work(folder)` until there were so many kills; what it ends as is compared each time.

    Args:
      seen: of a folder that is done: what has to be that of work which was left alone.
    """
    out, rng = Counts(), random.Random(root.parent.name)
    whole, folder = root / "whole", root / "killed"
    _finished(_begin(lambda: work(whole), root / "log"))
    began = time.monotonic()  # once more: what is compiled is kept
    shutil.rmtree(whole)
    _finished(_begin(lambda: work(whole), root / "log"))
    seconds, want = time.monotonic() - began, seen(whole)
    while True:
        child = _begin(lambda: work(folder), root / "log")
        if out["kills"] < cases:
            _wait(child, rng.uniform(0, 1.2 * seconds))
            if _kill(child):
                out["kills"] += 1
                note(out)
                continue
        else:
            _finished(child)
        same = seen(folder) == want
        out["ended alike" if same else "differs"] += 1
        if not same:
            say(f"differs: {folder}")
        if out["kills"] >= cases:
            return out
        shutil.rmtree(folder)


def _begin(work: Callable[[], None], log: Path) -> int:
    """Does the work in a child; returns its number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        logging.disable(logging.CRITICAL)
        told = contextlib.redirect_stdout
        with log.open("a") as file, contextlib.redirect_stderr(file), told(file):
            work()
        status = 0
    except BaseException as error:
        print(f"the work failed: {error!r}", file=sys.__stderr__, flush=True)
    finally:
        os._exit(status)


_ended: dict[int, int] = {}  # children that came to their end by themselves: their status


def _alive(child: int) -> bool:
    if child in _ended:
        return False
    found, status = os.waitpid(child, os.WNOHANG)
    if found:
        _ended[child] = os.waitstatus_to_exitcode(status)
    return not found


def _wait(child: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and _alive(child):
        time.sleep(0.01)


def _wait_for(file: Path) -> None:
    while not file.exists():
        time.sleep(0.01)


def _kill(child: int) -> bool:
    """Ends a child at once; False where it had come to its end. Raises: RuntimeError: it failed."""
    if _alive(child):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return True
    _finished(child)
    return False


def _finished(child: int) -> None:
    while _alive(child):
        time.sleep(0.02)
    if _ended[child]:
        raise RuntimeError(f"the work ended with status {_ended[child]}")


def _compiled_at(folder: Path) -> None:
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def _photographs(folder: Path, count: int) -> Path:
    folder.mkdir()
    for k in range(count):
        image = seeds.encoded(seeds.photograph(k, 96), "JPEG", quality=90)
        (folder / f"{k:03d}.jpg").write_bytes(image)
    return folder


def _all_files(folder: Path) -> object:
    """Names and digests of all that a folder holds, but for what says who writes there and when."""
    files = [f for f in folder.rglob("*") if f.is_file() and f.name not in PASSING]
    return {f.relative_to(folder).as_posix(): _digest(f) for f in files if f.name != "run.json"}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
