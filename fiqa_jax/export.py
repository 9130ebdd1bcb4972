"""A model as a file for other programs: ONNX, or StableHLO.

    fiqa export fundus --format onnx
    fiqa export runs/multitask/model --format stablehlo --output served --photographs photos/

Writes a folder: model.onnx or model.stablehlo; export.json with inputs, outputs, how photographs
are prepared, thresholds and temperature; the model's licence. The file is run and compared with
the model before the folder appears; where they differ there is none.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fiqa_jax import command
from fiqa_jax.pretrained import shipped
from input_pipeline import sums

if TYPE_CHECKING:
    from fiqa_jax.inference.model_dir import Model

FORMATS = ("onnx", "stablehlo")
ABOUT = "export.json"
KEPT = ("LICENSE", "model_card.md")  # of the model directory
MOST = 64  # photographs to compare on
SCHEMA = 1
Batch = dict[str, np.ndarray]


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa export", description=__doc__.split("\n", 1)[0])
    text = "a recipe's WORKDIR/model, or the name of a model that comes with the package"
    p.add_argument("model", metavar="MODEL", help=text)
    p.add_argument("--format", required=True, choices=FORMATS)
    text = "folder to make (MODEL-FORMAT in the working directory)"
    p.add_argument("--output", default="", metavar="DIR", help=text)
    text = f"photographs or a folder to compare on, up to {MOST}, beside synthetic ones"
    p.add_argument("--photographs", nargs="+", default=[], metavar="PATH", help=text)
    p.add_argument(
        "--trust", action="append", default=[], metavar="MODULE", help="see fiqa predict"
    )
    p.add_argument("--encoder", default="", metavar="NAME", help="see fiqa predict")
    return p


def run(args: argparse.Namespace) -> None:
    """Exports, compares, writes the folder.

    Raises:
      ExportError: no way to this format, a mismatch, or a folder that is there.
      ModelError: no model directory.
    """
    from fiqa_jax.exports import equality
    from fiqa_jax.exports.onnx_graph import ExportError
    from fiqa_jax.inference import model_dir

    source = shipped.find(args.model)
    model = model_dir.load(args.model, trust=args.trust, encoder=args.encoder)
    name = shipped.model_name(source)
    out = Path(args.output or f"{model.config['name']}-{args.format}")
    if out.exists():
        raise ExportError(f"{out} is there: give another --output, or remove it")
    data, predict = made(model, args.format, name)
    checked = examples(model)
    checked += photographs(model, args.photographs) if args.photographs else []
    worst, count = 0.0, 0
    for batch in checked:
        count += len(batch["image"])
        expected = model.predict(batch)
        worst = max(worst, equality.check(expected, predict(batch), args.format))
    about = description(model, args.format, name, checked[0]) | {
        "compared": {"photographs": count, "largest_difference": worst}
    }
    _write(out, f"model.{args.format}", data, about, source)
    print(
        f"{out / f'model.{args.format}'}  {len(data) / 1e6:.1f} MB\n"
        f"compared on {count} photographs: largest difference {worst:.1g}"
    )


def made(model: "Model", kind: str, name: str) -> tuple[bytes, Any]:
    """The file of a model and the file as a function; see `exports`. Raises: ExportError."""
    from fiqa_jax.exports import onnx_file, stablehlo
    from fiqa_jax.inference import model_method

    given = model_method.inputs(model.config)
    if kind == "stablehlo":
        data = stablehlo.convert(model.program, given)
        return data, stablehlo.loaded(data)
    notes = {"model": name, "licence": str(model.config.get("licence", ""))}
    data = onnx_file.convert(model.program, given, notes)
    return data, onnx_file.session(data)


def description(model: "Model", kind: str, name: str, batch: Batch) -> dict[str, Any]:
    """What export.json says: enough to prepare photographs and to read the outputs."""
    from fiqa_jax.inference import model_method

    config, given = model.config, model_method.inputs(model.config)
    outputs = model.predict(batch)
    prepared: tuple[str, ...] = ("modality", "side", "crop", "resample", "erase")
    prepared += ("quality_names", "detail_names", "diagnosis_names")
    return {
        "schema": SCHEMA,
        "format": kind,
        "model": name,
        "inputs": {k: [["batch", *s], np.dtype(d).name] for k, (s, d) in given.items()},
        "outputs": {k: [["batch", *v.shape[1:]], v.dtype.name] for k, v in outputs.items()},
        "data": {key: config["data"][key] for key in prepared if key in config["data"]},
        "thresholds": config["thresholds"],
        "temperature": config["temperature"],
        "licence": config.get("licence", ""),
    }


def examples(model: "Model") -> list[Batch]:
    """Synthetic photographs, one of them degraded, and noise, in batches of three and of one."""
    from fiqa_jax.inference import model_method
    from input_pipeline import synthetic

    (side, _, channels), _ = model_method.inputs(model.config)["image"]
    rng = np.random.default_rng(0)
    drawn = [synthetic.draw(n, side, "a").image for n in (0, 1)]
    noise = rng.integers(0, 256, (side, side, 3), np.uint8)
    image = np.stack([*drawn, noise, drawn[0] // 3])[..., :channels]
    fov = np.ascontiguousarray((image.max(-1) > 8).astype(np.uint8))
    size = np.array([400, 3000, np.nan, 1200], np.float32)
    whole = {"image": np.ascontiguousarray(image), "fov": fov, "field_px": size}
    parts = (slice(0, 3), slice(3, 4))
    return [{key: value[part] for key, value in whole.items()} for part in parts]


def photographs(model: "Model", paths: Sequence[str]) -> list[Batch]:
    """The first photographs of `paths` as the model sees them, in batches of 16.

    Raises:
      InputError: a path that is not there; ExportError: none of them can be read.
    """
    from fiqa_jax.exports.onnx_graph import ExportError
    from fiqa_jax.inference import inputs as files
    from fiqa_jax.inference.predictor import Predictor, stacked
    from input_pipeline.photo.reader import Photo

    reader = Predictor(model, allow_frame=True)
    opened = [reader.read(item.path) for item in files.collect(paths, recursive=True)[:MOST]]
    seen = [photo for photo in opened if isinstance(photo, Photo)]
    if not seen:
        raise ExportError(f"no photograph of {', '.join(paths)} can be read")
    return [stacked(seen[at : at + 16]) for at in range(0, len(seen), 16)]


def _write(out: Path, file: str, data: bytes, about: Mapping[str, Any], source: Path) -> None:
    """The folder, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as made_in:
        folder = Path(made_in) / "whole"
        folder.mkdir()
        (folder / file).write_bytes(data)
        (folder / ABOUT).write_text(json.dumps(about, indent=1, default=list) + "\n", "utf-8")
        for name in KEPT:
            if (source / name).is_file():
                shutil.copyfile(source / name, folder / name)
        sums.write(folder, sorted(written.name for written in folder.iterdir()))
        folder.rename(out)


main = command.entry(parser, run)

if __name__ == "__main__":
    sys.exit(main())
