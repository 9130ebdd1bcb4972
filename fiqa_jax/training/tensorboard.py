"""Scalars to TensorBoard by clu's writers, where TensorFlow is installed; nothing otherwise."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax


class Writer:
    """Writes scalars as TensorBoard event files, one folder per split, without waiting for disk."""

    def __init__(self, directory: Path) -> None:
        """Args: directory: event files go to its sub-folders."""
        self._directory = directory
        self._writers: dict[str, Any] = {}

    def __call__(self, step: int, values: Mapping[str, float], split: str) -> None:
        """Adds finite scalars of one step."""
        if split not in self._writers:
            import tensorflow as tf
            from clu import metric_writers

            tf.config.set_visible_devices([], "GPU")  # its memory is JAX's
            plain = metric_writers.SummaryWriter(str(self._directory / split))
            self._writers[split] = metric_writers.AsyncWriter(plain)
        self._writers[split].write_scalars(step, dict(values))

    def close(self) -> None:
        """Writes out what is pending and ends the writers' threads."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()


def writer(directory: Path) -> Writer | None:
    """A writer, or None on other processes than the first or without TensorFlow and TensorBoard."""
    if jax.process_index() != 0 or not (_installed("tensorflow") and _installed("tensorboard")):
        return None
    return Writer(directory)


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # switched off by sys.modules[package] = None
        return False
