"""TensorFlow Datasets builders of prepared crops: one function makes the builder of every set.

The crops come from a folder that `storage.store` fills, so that a preparation that fails,
after which TFDS removes its own folder, loses nothing: it goes on where it stopped.
"""

import dataclasses
import hashlib
import io
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath
from PIL import Image

from input_pipeline import readers, synthetic
from input_pipeline.readers import Labels
from input_pipeline.sources import tfds_records
from input_pipeline.sources.dataset_source import dataset_source
from input_pipeline.sources.generated import synthetic_source
from input_pipeline.storage import store
from input_pipeline.tables.examples import GRADABLE, QUALITY, Arrays, Source

VERSION = "1.0.0"
RELEASE_NOTES = {
    "1.0.0": "Square crops about the field of view, lossless, with the field beside; in all labels "
    "higher is worse.",
}
_PICTURES = {"image", "fov", "map", "vessels"}
_DRAWN = Labels(QUALITY, synthetic.DETAILS, readers.dataset.DR_GRADES)


@dataclasses.dataclass(eq=False)
class Crops(tfds.core.BuilderConfig):
    """What is prepared of a data set, and how. See `datasetsource.dataset_source`.

    Attributes:
      side: pixels of the square.
      variant: of the set; '' for its default.
      lists: whose training and test photographs; '' for the set's default.
      counts: 'published' | 'any'.
      no_field: 'frame' | 'error'.
      erase: boxes in original pixels, painted black; the set's own when empty.
      on_bad: 'error' | 'skip': photographs that cannot be read end the preparation or are left out.
      store: folder of prepared examples; `prepared` in TFDS's data_dir when empty.
      workers: processes that read photographs.
    """

    side: int = 512
    variant: str = ""
    lists: str = ""
    counts: str = "published"
    no_field: str = "frame"
    erase: tuple[tuple[int, int, int, int], ...] = ()
    on_bad: str = "error"
    store: str = ""
    workers: int = 2


@dataclasses.dataclass(eq=False)
class Drawings(tfds.core.BuilderConfig):
    """Which photographs are drawn. See `drawnsource.drawn_source`."""

    side: int = 128
    style: str = "a"
    count: int = 600
    seed: int = 0
    lq_ratio: float = 0.5
    store: str = ""
    workers: int = 2


def crops(name: str, side: int, **settings: Any) -> Crops:
    """A config of a data set, named after all that decides its contents.

    Args:
      name: of the set, such as 'eyeq' or 'iqad/EYEQ'.
      side: pixels of the square.
      **settings: further fields of `Crops`.
    """
    dataset, variant = readers.named(name)
    config = Crops(name="", side=side, variant=variant, **settings)
    config.lists = config.lists or dataset.lists[0]
    parts = [variant, "" if config.lists == dataset.lists[0] else config.lists, str(side)]
    parts.append("" if config.no_field == "frame" else "field")
    if config.erase:
        parts.append("erase" + hashlib.sha256(repr(config.erase).encode()).hexdigest()[:8])
    words = dataset.variants[variant] if variant else dataset.title
    config.name = "-".join(filter(None, parts))
    config.description = f"{words}, {side} x {side} pixels"
    return config


def drawings(side: int, style: str, count: int, seed: int, lq_ratio: float, **how: Any) -> Drawings:
    """A config of synthetic photographs, named after what decides them; `how`: store, workers."""
    name = f"{style}-{seed}-{count}-{side}" + ("" if lq_ratio == 0.5 else f"-lq{lq_ratio:g}")
    about = f"{count} drawings of style {style}, {side} x {side} pixels"
    return Drawings(
        name=name,
        description=about,
        side=side,
        style=style,
        count=count,
        seed=seed,
        lq_ratio=lq_ratio,
        **how,
    )


def dataset_builder(name: str, module: str, side: int = 512) -> type:
    """The builder class of a data set.

    Args:
      name: of the set, without a variant.
      module: in which the class is to stand.
      side: pixels of the configs that are there by name; others by `crops`.
    """
    dataset, _ = readers.named(name)
    configs = [
        crops(f"{name}/{variant}" if variant else name, side, lists=lists)
        for variant in dataset.variants
        for lists in dataset.lists
    ]
    return _builder(name, module, dataset.title, configs, dataset.instructions)


def drawn_builder(name: str, module: str) -> type:
    """The builder class of synthetic photographs."""
    configs = [drawings(128, style, 600, 0, 0.5) for style in synthetic.STYLES]
    return _builder(name, module, "Drawn fundus photographs with known quality", configs, None)


def _builder(
    name: str, module: str, title: str, configs: list[Any], instructions: str | None
) -> type:
    """A class, not a base class: TFDS knows builders by their classes."""
    space = {
        "__module__": module,
        # TFDS 4.9.10 finds it by a package (importlib_resources) that it does not declare.
        "code_path": epath.Path(str(sys.modules[module].__file__)),
        "__doc__": title,
        "VERSION": tfds.core.Version(VERSION),
        "RELEASE_NOTES": RELEASE_NOTES,
        "MANUAL_DOWNLOAD_INSTRUCTIONS": instructions,
        "BUILDER_CONFIGS": configs,
        "__init__": _init,
        "_info": _info,
        "_split_generators": _split_generators,
        "_generate_examples": _generate_examples,
        "download_and_prepare": _download_and_prepare,
    }
    camel = "".join(part.title() for part in name.split("_"))
    return type(camel, (tfds.core.GeneratorBasedBuilder,), space)


def _init(self: Any, *, file_format: str | None = None, **kwargs: Any) -> None:
    """Records that can be read in any order, unless the user asks for another format."""
    tfds.core.GeneratorBasedBuilder.__init__(
        self, file_format=file_format or "array_record", **kwargs
    )


def _labels(config: Any, name: str) -> tuple[Labels, str, str]:
    """What is labelled, what the annotation is, and 'fundus' | 'slice'."""
    if isinstance(config, Drawings):
        return _DRAWN, "drawn", "fundus"
    full = f"{name}/{config.variant}" if config.variant else name
    dataset, variant = readers.named(full)
    return dataset.labels[variant], dataset.annotation, readers.modality(full)


def _info(self: Any) -> tfds.core.DatasetInfo:
    config = self.builder_config
    labels, annotation, modality = _labels(config, self.name)
    side = config.side
    features: dict[str, Any] = {
        "id": tfds.features.Text(),
        "patient": tfds.features.Text(),
        "image": tfds.features.Image(shape=(side, side, 1 if modality == "slice" else 3)),
        "fov": tfds.features.Image(shape=(side, side, 1)),
    }
    if labels.quality == QUALITY:
        features["quality"] = tfds.features.ClassLabel(names=list(QUALITY))
    if labels.quality:
        features["ungradable"] = tfds.features.ClassLabel(names=list(GRADABLE))
    if labels.details:
        defect = tfds.features.ClassLabel(names=["fine", "defect"])
        features["details"] = dict.fromkeys(labels.details, defect)
    if labels.diagnosis:
        features["diagnosis"] = tfds.features.ClassLabel(names=list(labels.diagnosis))
    if annotation in ("map", "drawn"):
        cells = side if annotation == "map" else None
        features["map"] = tfds.features.Image(shape=(cells, cells, 1))
    if annotation in ("vessels", "drawn"):
        features["vessels"] = tfds.features.Image(shape=(side, side, 3))
        features["vessels_valid"] = tfds.features.Tensor(shape=(3,), dtype=np.float32)
    return tfds.core.DatasetInfo(
        builder=self,
        description=f"{config.description}. A label of -1 is absent; in all of them higher is "
        "worse: quality 0 good, 1 usable, 2 reject; a detail is 1 where the defect is there.",
        features=tfds.features.FeaturesDict(features),
    )


def _split_generators(self: Any, dl_manager: Any) -> Mapping[str, Iterator]:
    config = self.builder_config
    folder = config.store or str(Path(self.data_dir).parents[2] / "prepared")
    source, rows = _open(self.name, config, dl_manager, folder)
    split = np.where(source.table.split == "", tfds_records.UNSPLIT, source.table.split)
    return {
        str(name): self._generate_examples(source, rows[split[rows] == name])
        for name in dict.fromkeys(split[rows].tolist())
    }


def _open(name: str, config: Any, dl_manager: Any, folder: str) -> tuple[Source, np.ndarray]:
    """The source, prepared, and the rows that could be read."""
    if isinstance(config, Drawings):
        source = synthetic_source.drawn_source(
            count=config.count,
            seed=config.seed,
            side=config.side,
            style=config.style,
            lq_ratio=config.lq_ratio,
            classes=len(QUALITY),
            details=_DRAWN.details,
            diagnosis=_DRAWN.diagnosis,
            workers=config.workers,
            store=folder,
        )
        return source, np.arange(len(source.table))
    full = f"{name}/{config.variant}" if config.variant else name
    source = dataset_source(
        full,
        dl_manager.manual_dir,
        side=config.side,
        modality=readers.modality(full),
        erase=config.erase,
        lists=config.lists,
        counts=config.counts,
        no_field=config.no_field,
        require_files=config.on_bad == "error",
    )
    rows = np.arange(len(source.table))
    source, bad = store.prepare(source, rows, folder, config.workers, config.on_bad)
    return source, np.array([row for row in rows if row not in bad], np.int64)


def _generate_examples(
    self: Any, source: Source, rows: np.ndarray
) -> Iterator[tuple[str, dict[str, Any]]]:
    del self
    table = source.table
    for row in rows.tolist():
        example: dict[str, Any] = {"id": table.id[row], "patient": table.patient[row]}
        for label, values in table.labels.items():
            if label == "details":
                example[label] = dict(zip(table.detail_names, values[row].tolist(), strict=True))
            else:
                example[label] = int(values[row])
        yield str(table.id[row]), example | _pictures(source.read(row))


def _pictures(arrays: Arrays) -> dict[str, Any]:
    """Arrays as TFDS takes them: pictures as the bytes of a PNG file, which need no TensorFlow."""
    out: dict[str, Any] = {}
    for name, array in arrays.items():
        if name in _PICTURES:
            data = io.BytesIO()
            flat = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
            Image.fromarray(flat).save(data, "PNG", compress_level=3)
            out[name] = io.BytesIO(data.getvalue())
        else:
            out[name] = array
    return out


def _download_and_prepare(self: Any, **kwargs: Any) -> None:
    """Prepares the records, and beside them the table that they are found by.

    Formats that cannot be read in any order, such as tfrecord for `as_dataset`, get no table.
    """
    tfds.core.GeneratorBasedBuilder.download_and_prepare(self, **kwargs)
    if self.info.file_format not in tfds.core.FileFormat.with_random_access():
        return
    labels, _, modality = _labels(self.builder_config, self.name)
    tfds_records.write_table(self.data_dir, labels, modality, self.builder_config.side)
