"""Speed of the input pipeline, side by side with the least that could do the same work.

    python benchmarks/input.py --photos DIR [--work DIR] [--side 224] [--batch 16] [--rounds 7]

The photographs of DIR are enlarged to `--width` pixels first, as cameras deliver them. Printed are
ratios of medians over interleaved rounds of one run: absolute speeds differ between machines.

1. Reading: each driver against two plain threads that call the same reader and keep nothing, on
   the enlarged JPEGs and on crops prepared from them. Goal: tf.data at least 0.95.
2. Training: a step of a small network fed by each driver, against the same step on batches that
   are in memory. Goal: at most 1.10. A network on the CPU uses the cores that the reader needs, so
   that originals read anew each epoch cannot reach it on few cores; prepared crops, or what the
   default cache keeps, do.
"""

import argparse
import concurrent.futures
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import timing
from PIL import Image

from input_pipeline.loading import batches
from input_pipeline.sources.folder_source import folder_source
from input_pipeline.sources.opening import Source
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.storage import cache, store

Step = Callable[[dict, np.ndarray], tuple[dict, jax.Array]]


def enlarge(photos: Path, work: Path, width: int) -> Path:
    """JPEGs of `width` pixels made from the photographs, kept between runs."""
    out = work / f"enlarged-{width}"
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(photos.iterdir()):
        target = out / f"{path.stem}.jpg"
        if path.suffix.lower() in (".jpg", ".jpeg", ".png") and not target.exists():
            with Image.open(path) as image:
                size = (width, round(width * image.height / image.width))
                image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(target, quality=90)
    return out


def plain(source: Source, rows: np.ndarray, workers: int) -> None:
    """Threads that read the rows and do nothing else."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(source.read, rows.tolist()):
            pass


def drain(source: Source, rows: np.ndarray, batch: int, workers: int, driver: str) -> None:
    """All batches of the rows by a driver."""
    for _ in batches.eval_batches(source, rows, batch=batch, workers=workers, driver=driver):
        pass


def reading(source: Source, name: str, args: argparse.Namespace, images: int) -> None:
    """Prints a row per driver: images per second relative to plain threads."""
    rows = np.arange(images) % len(source.table)
    rows = rows[: len(rows) // args.batch * args.batch]
    ways = {"plain": lambda: plain(source, rows, args.workers)}
    for driver in batches.DRIVERS:
        ways[driver] = lambda driver=driver: drain(source, rows, args.batch, args.workers, driver)
    for way in ways.values():
        way()
    times = timing.interleaved(ways, args.rounds)
    for driver in batches.DRIVERS:
        ratios = [p / d for p, d in zip(times["plain"], times[driver], strict=True)]
        rate = len(rows) / statistics.median(times[driver])
        ratio = timing.spread(ratios)
        print(f"| reading {name} | {driver} / plain threads | {ratio} | {rate:.0f} |")


def network(side: int, width: int) -> tuple[dict, Step]:
    """A small convolutional network and its jitted training step."""
    keys = jax.random.split(jax.random.key(0), 5)
    sizes = [3, width, 2 * width, 4 * width, 4 * width]
    params = {
        f"conv{i}": jax.random.normal(keys[i], (3, 3, sizes[i], sizes[i + 1]))
        / (9 * sizes[i]) ** 0.5
        for i in range(4)
    }

    def loss(params: dict, image: jax.Array) -> jax.Array:
        x = image.astype(jnp.float32) / 255
        for i in range(4):
            stride = 2 if i else 1
            x = jax.nn.relu(
                jax.lax.conv_general_dilated(
                    x,
                    params[f"conv{i}"],
                    (stride, stride),
                    "SAME",
                    dimension_numbers=("NHWC", "HWIO", "NHWC"),
                )
            )
        return jnp.mean(jnp.square(x))

    @jax.jit
    def step(params: dict, image: jax.Array) -> tuple[dict, jax.Array]:
        value, grads = jax.value_and_grad(loss)(params, image)
        return jax.tree.map(lambda p, g: p - 1e-3 * g, params, grads), value

    return params, step


def training(source: Source, name: str, args: argparse.Namespace) -> None:
    """Prints a row per driver: seconds per step relative to batches in memory."""
    params, step = network(args.side, args.net_width)
    rows = np.arange(len(source.table))

    def feed(driver: str) -> Iterator[dict[str, np.ndarray]]:
        return batches.train_batches(
            source, rows, batch=args.batch, seed=0, workers=args.workers, driver=driver
        )

    for row in rows:  # a source that keeps what it read is past its first epoch
        source.read(row)
    ready = feed("threads")
    kept = [next(ready)["image"] for _ in range(4)]
    ready.close()

    def run(images: Iterator[np.ndarray]) -> None:
        state = params
        for _ in range(args.steps):
            state, value = step(state, next(images))
            value.block_until_ready()

    def cycle() -> Iterator[np.ndarray]:
        while True:
            yield from kept

    streams = {driver: feed(driver) for driver in batches.DRIVERS}
    ways = {"memory": lambda: run(cycle())}
    for driver, stream in streams.items():
        ways[driver] = lambda stream=stream: run(batch["image"] for batch in stream)
    run(cycle())
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.rounds):
        for way, work in ways.items():
            if way == "memory":  # nothing may be read meanwhile: let the other streams fill up
                time.sleep(1.0)
            else:
                next(streams[way])
            times[way].append(timing.seconds(work) / args.steps)
    for stream in streams.values():
        stream.close()
    base = statistics.median(times["memory"])
    for driver in batches.DRIVERS:
        ratios = [d / m for m, d in zip(times["memory"], times[driver], strict=True)]
        ratio = timing.spread(ratios)
        print(f"| training on {name} | {driver} / memory | {ratio} | {base:.2f} s |")


def main() -> None:
    """Runs everything and prints rows of a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--work", type=Path, help="folder for enlarged and prepared files")
    parser.add_argument("--width", type=int, default=3072, help="pixels of the enlarged JPEGs")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=512, help="JPEGs read in a round; crops x 8")
    parser.add_argument("--steps", type=int, default=6, help="training steps in a round")
    parser.add_argument("--net_width", type=int, default=16, help="channels of the small network")
    parser.add_argument("--only", choices=("reading", "training"), help="one half of it")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        photos = enlarge(args.photos, work, args.width)
        source = folder_source(photos, reader=PhotoReader(args.side, "fundus"), classes=0)
        rows = np.arange(len(source.table))
        crops, _ = store.prepare(source, rows, work / "prepared", args.workers)
        name = f"{args.width}-px JPEGs"
        print("| what | ratio | median (quartiles) | images/s, or s/step in memory |")
        print("|---|---|---|---|")
        if args.only != "training":
            reading(source, name, args, images=args.images)
            reading(crops, "prepared crops", args, images=8 * args.images)
        if args.only != "reading":
            training(source, name, args)
            training(crops, "prepared crops", args)
            training(cache.in_memory(source), f"{name} kept in memory", args)


if __name__ == "__main__":
    main()
