"""Packs a data set for TensorFlow Datasets from the command line of `input_pipeline.prepare`."""

import importlib
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from input_pipeline.builders.crops import crops, drawings
from input_pipeline.tables.file_paths import expanded


def pack(name: str, data_dir: str, *, side: int, manual_dir: str, **settings: Any) -> Path:
    """Prepares the builder of a set in TFDS's folder.

    Args:
      name: of the set, such as 'eyeq' or 'iqad/EYEQ'.
      data_dir: TFDS's folder.
      side: pixels of the square.
      manual_dir: the set's own folder.
      **settings: further fields of `crops.Crops`.

    Returns:
      Folder of the prepared version, for `data.source='tfds'`.

    Raises:
      TableError, PhotoError: labels or photographs that are not as expected.
    """
    first = name.partition("/")[0]
    module = importlib.import_module(f"input_pipeline.builders.{first}")
    builder = module.BUILDER(data_dir=data_dir, config=crops(name, side, **settings))
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=expanded(manual_dir))
    )
    return Path(builder.data_dir)


def pack_drawn(data_dir: str, **settings: Any) -> Path:
    """Prepares the builder of synthetic photographs; see `pack`.

    Args:
      data_dir: TFDS's folder.
      **settings: see `crops.drawings`.
    """
    from input_pipeline.builders import drawn

    builder = drawn.BUILDER(data_dir=data_dir, config=drawings(**settings))
    builder.download_and_prepare()
    return Path(builder.data_dir)
