"""What one photograph costs `fiqa predict`, part by part, beside decoding its file alone.

    OMP_NUM_THREADS=1 python benchmarks/predict_rate.py FOLDER [--photographs 64] [--rounds 3] \
        [--maps] [--side 3000]

Printed are milliseconds of processor time per photograph (all threads together, the model compiled
and warm), the least of the rounds, which take turns; their ratio to decoding the same files at full
size by Pillow; and photographs a second if two cores did nothing else. Processor time on a machine
that is shared is larger than on a quiet one, the ratio less so.

With --maps also what maps cost: as arrays alone, as `fiqa_jax.judge(..., maps=True)` gives them,
saved as npy; and drawn, by `fiqa predict --maps`. With --side the photographs are first written
anew as JPEGs of so many pixels along the longer side.
"""

import argparse
import io
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import resized
from PIL import Image

from fiqa_jax import predict
from fiqa_jax.inference import inputs, photos
from fiqa_jax.inference.file_states import FileStates
from input_pipeline.photo.reader import Photo


def milliseconds(work: Callable[[], object], count: int) -> float:
    """Of processor time per photograph."""
    start = time.process_time()
    work()
    return (time.process_time() - start) / count * 1e3


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("folder", type=Path)
    p.add_argument("--model", default="open")
    p.add_argument("--photographs", type=int, default=64, help="at most (%(default)s)")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--batch", type=int, default=0, help="photographs at a time; 0: predict's own")
    p.add_argument("--maps", action="store_true", help="also maps, bare and drawn")
    p.add_argument("--side", type=int, default=0, help="pixels; 0: the files as they are")
    given = p.parse_args()
    with tempfile.TemporaryDirectory() as work:
        out, folder = Path(work) / "out", given.folder
        if given.side:
            folder = Path(work) / "photographs"
            folder.mkdir()
            found = [Path(item.path) for item in inputs.collect([given.folder], recursive=False)]
            found = found[: given.photographs]
            for file, data in zip(found, resized.jpegs(found, given.side), strict=True):
                (folder / f"{file.stem}.jpg").write_bytes(data)
        flags = ["--model", given.model, "--output", str(out), str(folder)]
        flags += ["--batch", str(given.batch)] if given.batch else []
        args = predict.parser().parse_args(flags)
        items = inputs.gather(args.inputs, recursive=False).items[: given.photographs]
        predictor = photos.predictor_of(args, min(args.batch, len(items)))
        files = [Path(item.path).read_bytes() for item in items]
        read = [predictor.read(data) for data in files]
        batch = predictor.filled([one for one in read if isinstance(one, Photo)][: predictor.batch])
        predictor.model.predict(batch)

        def decode() -> None:
            for data in files:
                Image.open(io.BytesIO(data)).load()

        def judged() -> None:
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            for _ in predict._predicted(predictor, items, args, out, FileStates(out)):
                pass

        def bare() -> None:
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            ahead = photos.read_ahead(items, predictor.batch, args.workers, predictor.read)
            for group, read in ahead:
                names = [item.id for item in group]
                for name, one in zip(
                    names, predictor.judge(read, names, names, names), strict=True
                ):
                    if one.map is not None:
                        np.save(out / f"{Path(name).name}.npy", one.map)

        def drawn() -> None:
            args.maps = True
            judged()
            args.maps = False

        ways: dict[str, tuple[Callable[[], object], int]] = {
            "decoding alone": (decode, len(files)),
            "reader": (lambda: [predictor.read(data) for data in files], len(files)),
            "model": (lambda: predictor.model.predict(batch), len(batch["image"])),
            "predict": (judged, len(items)),
        }
        if given.maps:
            ways["rows and bare maps"] = (bare, len(items))
            ways["predict --maps"] = (drawn, len(items))
        times: dict[str, list[float]] = {}
        for _ in range(given.rounds):
            for name, (way, count) in ways.items():
                times.setdefault(name, []).append(milliseconds(way, count))
    print(f"{len(items)} photographs, {predictor.name}\n")
    print("| part | ms | times decoding | a second on two cores |\n|---|---|---|---|")
    for name, values in times.items():
        ratio = min(values) / min(times["decoding alone"])
        print(f"| {name} | {min(values):.1f} | {ratio:.1f} | {2e3 / min(values):.0f} |")


if __name__ == "__main__":
    main()
