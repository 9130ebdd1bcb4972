"""Drills: damage, hostile models and mutated pictures by the thousand, with counts.

    make drill                       the whole, by hand
    python benchmarks/drill.py --scale 0.01 --output drill.json

Each drill knows what must never come out (`silent`, `uncaught`, `executed`); the exit status is 3
where one of them did. Damage is done with and without the digests beside it made to fit, so that
the checks behind the digests are reached as well.
"""

import argparse
import collections
import io
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fiqa_jax.inference import model_dir
from fiqa_jax.pretrained import shipped
from input_pipeline import sums, synthetic
from input_pipeline.photo.errors import PhotoError
from input_pipeline.photo.reader import read_photo
from input_pipeline.storage import shards

FULL = {"arrays": 1200, "model": 800, "pictures": 100_000, "hostile": 60}  # cases at scale 1
NEVER = ("silent", "uncaught", "executed")
SLOW = 10.0  # seconds that a picture may take
Counts = collections.Counter[str]


def damaged(rng: random.Random, data: bytes) -> bytes:
    """One bit flipped, the end cut off, or 512 bytes set to zero."""
    out, place = bytearray(data), rng.randrange(len(data))
    way = rng.randrange(3)
    if way == 0:
        out[place] ^= 1 << rng.randrange(8)
    elif way == 1:
        del out[place:]
    else:
        out[place : place + 512] = bytes(len(out[place : place + 512]))
    return bytes(out)


def tally(
    cases: int, seed: int, files: list[Path], read: Callable[[], bytes], renew: Callable[[], None]
) -> Counts:
    """Damages one file after the other; `read` must refuse or give what it gave before."""
    want, out = read(), collections.Counter()
    for case in range(cases):
        rng = random.Random(f"{seed} {case}")
        file = rng.choice(files)
        whole = file.read_bytes()
        file.write_bytes(damaged(rng, whole))
        if file.read_bytes() == whole:
            out["no change"] += 1
            continue
        try:
            out["harmless" if read() == want else "silent"] += 1
        except (ValueError, OSError):
            out["refused"] += 1
        except Exception as error:
            out["uncaught"] += 1
            print(f"uncaught in {file.name}, case {case}: {error!r}"[:300], file=sys.stderr)
        file.write_bytes(whole)
        renew()
    return out


def arrays(cases: int, root: Path) -> Counts:
    """Stored arrays of a stage, and the list of their rows."""
    rng = np.random.default_rng(0)
    part = {"x": rng.random((64, 8, 8), np.float32), "y": rng.integers(0, 9, (64, 4))}
    shards.fill(root, [f"id{k}" for k in range(64)], 16, lambda first: [part])

    def read() -> bytes:
        shards._mapped.cache_clear()
        found = shards.opened(root)
        return b"".join(found.all(n).tobytes() for n in found.names) + str(found.id).encode()

    files = [f for f in sorted(root.iterdir()) if f.is_file()]
    return tally(cases, 1, files, read, lambda: None)


def model(cases: int, root: Path) -> Counts:
    """A model directory's files, read in whole."""
    source = shipped.FOLDER / shipped.DEFAULT
    model_dir.copy(source, root, model_dir.read_config(source))

    def read() -> bytes:
        config = model_dir.read_config(root)
        model_dir.check_files(root, config)
        return json.dumps(config).encode() + (root / model_dir.WEIGHTS).read_bytes()

    return tally(cases, 2, sorted(root.iterdir()), read, lambda: None)


def hostile(cases: int, root: Path) -> Counts:
    """Models whose config names code, paths or values that cannot be; digests are made to fit."""
    out: Counts = collections.Counter()
    source = json.loads((shipped.FOLDER / shipped.DEFAULT / "config.json").read_text())
    values = [None, [], {}, "../../x", "=1", -1, 10**9, 1e308, True, "evil", "a\x1b", ["x"] * 999]
    fields = [("method",), ("name",), ("data",), ("encoder",), ("thresholds",), ("temperature",)]
    fields += [("data", name) for name in source["data"]] + [("encoder", "name")]
    mark = root / "EXECUTED"
    for case in range(cases):
        rng = random.Random(f"hostile {case}")
        target = root / f"m{case}"
        shutil.copytree(shipped.FOLDER / shipped.DEFAULT, target)
        config = json.loads(json.dumps(source))
        way = rng.choice(fields)
        here = config if len(way) == 1 else config[way[0]]
        here[way[-1]] = f"m{case}.evil" if case % 6 == 0 else rng.choice(values)
        (target / "config.json").write_text(json.dumps(config))
        (target / "evil.py").write_text(f"open({str(mark)!r}, 'w').write('x')\n")
        sums.write(target, ["config.json", model_dir.WEIGHTS])
        try:
            model_dir.load(target, trust=[f"m{case}.evil"] if case % 12 == 0 else ())
            out["loaded"] += 1
        except (ValueError, OSError):
            out["refused"] += 1
        except Exception as error:
            out["uncaught"] += 1
            print(f"uncaught: {way} {here[way[-1]]!r}: {error!r}"[:300], file=sys.stderr)
        out["executed"] += mark.exists()
        shutil.rmtree(target)
    return out


def pictures(cases: int, root: Path) -> Counts:
    """Mutated pictures of every format that Pillow writes, through the reader."""
    del root
    image, seeds = Image.fromarray(synthetic.draw(7, 180, "a").image), []
    for kind in ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000", "AVIF"):
        for mode in ("RGB", "L", "P", "CMYK", "RGBA", "1"):
            data = io.BytesIO()
            try:
                image.convert(mode).save(data, kind)
            except (OSError, KeyError, ValueError):
                continue
            seeds.append(data.getvalue())
    out: Counts = collections.Counter({"seeds": len(seeds)})
    for case in range(cases):
        rng = random.Random(f"picture {case}")
        data = seeds[case % len(seeds)]
        for _ in range(rng.randrange(1, 4)):
            data = damaged(rng, data) or b"x"
        began = time.monotonic()
        try:
            read_photo(data, 64)
            out["read"] += 1
        except PhotoError:
            out["refused"] += 1
        except Exception as error:
            out["uncaught"] += 1
            print(f"uncaught in picture {case}: {error!r}"[:300], file=sys.stderr)
        out["slow"] += time.monotonic() - began > SLOW
    return out


DRILLS = {"arrays": arrays, "model": model, "hostile": hostile, "pictures": pictures}


def run(scale: float) -> dict[str, dict[str, int]]:
    """Counts of every drill at a share of the full number of cases."""
    found: dict[str, dict[str, int]] = {}
    for name, drill in DRILLS.items():
        with tempfile.TemporaryDirectory() as folder:
            found[name] = dict(drill(max(int(FULL[name] * scale), 12), Path(folder)))
        print(name, found[name], flush=True)
    return found


def main() -> int:
    """Command line; 3 where something came out that never must."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full counts")
    parser.add_argument("--output", default="", help="JSON file with counts and commit")
    args = parser.parse_args()
    found = run(args.scale)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    if args.output:
        made = {"commit": commit.stdout.strip(), "scale": args.scale, "counts": found}
        Path(args.output).write_text(json.dumps(made, indent=1) + "\n")
    return 3 if any(one.get(name) for one in found.values() for name in NEVER) else 0


if __name__ == "__main__":
    sys.exit(main())
