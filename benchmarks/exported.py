"""Exported models beside Flax: sizes, photographs a second, largest difference.

    python benchmarks/exported.py --photographs HRF/images CHASE/images

Every engine in turn, round after round, on the same photographs; the fastest round of each.
"""

import argparse
import time

import numpy as np

from fiqa_jax import export
from fiqa_jax.exports import equality
from fiqa_jax.inference import model_dir
from fiqa_jax.pretrained import shipped

ROUNDS = 9


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--photographs", nargs="+", required=True)
    p.add_argument("--models", nargs="+", default=["efiqa", "fundus"])
    args = p.parse_args()
    print("| model | engine | file, MB | largest difference | photographs/s, 1 | of 16 |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in args.models:
        folder = shipped.find(name)
        model = model_dir.load(folder)
        batches = export.photographs(model, args.photographs)
        folders = [folder]
        if "encoder" in model.config:  # the shipped one is the segmentor's network, in its folder
            folders.append(shipped.FOLDER / "segmentor")
        size = sum(f.stat().st_size for one in folders for f in one.glob("*.safetensors"))
        engines = {"Flax": (size, model.predict)}
        for kind in export.FORMATS:
            data, predict = export.made(model, kind, name)
            engines[kind] = (len(data), predict)
        count = sum(len(batch["image"]) for batch in batches)
        expected = [model.predict(batch) for batch in batches]
        batch = {k: np.concatenate([b[k] for b in batches])[:16] for k in batches[0]}
        alone = {k: v[:1] for k, v in batch.items()}
        times = {(kind, n): [] for kind in engines for n in (1, 16)}
        for _ in range(ROUNDS + 1):
            for kind, (_, predict) in engines.items():
                for n, given in ((1, alone), (16, batch)):
                    began = time.perf_counter()
                    predict(given)
                    times[kind, n].append(time.perf_counter() - began)
        for kind, (size, predict) in engines.items():
            worst = max(
                equality.largest_difference(want, predict(given))
                for want, given in zip(expected, batches, strict=True)
            )
            # The first round compiles.
            one, many = (n / min(times[kind, n][1:]) for n in (1, 16))
            told = "" if kind == "Flax" else f"{worst:.1g} on {count}"
            print(f"| {name} | {kind} | {size / 1e6:.2f} | {told} | {one:.1f} | {many:.1f} |")


if __name__ == "__main__":
    main()
