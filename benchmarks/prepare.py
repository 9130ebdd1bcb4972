"""Prepares thousands of generated photographs, killed at random moments, and compares the stores.

    python benchmarks/prepare.py --work DIR [--count 10000] [--kills 8] [--side 64] [--workers 2]

Photographs are discs with noise of their own. One store is filled by a command that is killed with
SIGKILL at random moments and started again, the other in one go; both must hold the same bytes.
"""

import argparse
import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

_SIZE = 160  # pixels of a generated photograph


def generate(folder: Path, count: int) -> None:
    """Photographs that are all different, kept between runs."""
    folder.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:_SIZE, :_SIZE] + 0.5
    inside = np.hypot(x - _SIZE / 2, y - _SIZE / 2) < 0.45 * _SIZE
    light = 1.0 - 0.4 * np.hypot(x / _SIZE - 0.5, y / _SIZE - 0.5)
    disc = (inside * light)[..., None] * np.float32([190, 95, 35])
    for number in range(count):
        path = folder / f"{number:06d}.jpg"
        if path.is_file():
            continue
        noise = np.random.default_rng(number).normal(0, 8, (_SIZE, _SIZE, 1)) * inside[..., None]
        Image.fromarray(np.clip(disc + noise, 0, 255).astype(np.uint8)).save(path, quality=90)


def start(photos: Path, store: Path, args: argparse.Namespace) -> subprocess.Popen:
    """The command as a user starts it."""
    how = ["--side", str(args.side), "--workers", str(args.workers), "--out", str(store)]
    command = [sys.executable, "-m", "input_pipeline.prepare", "--folder", str(photos), *how]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def examples(store: Path) -> int:
    """How many examples a store holds."""
    return sum(1 for _ in store.rglob("*.png"))


def digest(store: Path) -> tuple[int, str]:
    """Number of files, and a hash of all names and bytes."""
    files = sorted(path for path in store.rglob("*") if path.is_file())
    total = hashlib.sha256()
    for path in files:
        total.update(path.relative_to(store).as_posix().encode() + path.read_bytes())
    return len(files), total.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    photos = args.work / "photographs"
    generate(photos, args.count)
    stores = {name: args.work / name for name in ("whole", "killed")}
    for store in stores.values():
        shutil.rmtree(store, ignore_errors=True)
    began = time.time()
    if start(photos, stores["whole"], args).wait() != 0:
        raise SystemExit("the preparation in one go failed")
    seconds = time.time() - began
    moments = random.Random(args.seed)
    held = []
    for kill in range(args.kills):
        process = start(photos, stores["killed"], args)
        # Up to twice its even share of the time, so that kills fall on every part of the work.
        time.sleep(moments.uniform(0, 2 * seconds / (args.kills + 1)))
        ended = process.poll() is not None
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(1)  # the processes that it had started see that it is gone
        held.append(examples(stores["killed"]))
        print(f"kill {kill + 1}: {held[-1]} examples{' (had ended)' if ended else ''}", flush=True)
    if start(photos, stores["killed"], args).wait() != 0:
        raise SystemExit("the preparation did not go on after the kills")
    whole, killed = digest(stores["whole"]), digest(stores["killed"])
    print(
        f"| {args.count} photographs | {args.kills} kills at {held} examples | "
        f"{examples(stores['killed'])} examples, {killed[0]} files | "
        f"{'identical' if whole == killed else 'DIFFERENT'} | {args.count / seconds:.0f} a second |"
    )
    if whole != killed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
