"""Runs a compiled predict over batches and gathers what every process saw, without padding."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from fiqa_jax.training.devices import Devices
from fiqa_jax.training.method import Method

Predictor = Callable[[Any, Any], Mapping[str, jax.Array]]


# Whole pictures: only an apply stage stores them.
LARGE = ("vessels", "inpainted", "anomaly", "features")


def predictor(
    method: Method, devices: Devices, leave_out: Sequence[str] = (), keep: Sequence[str] = ()
) -> Predictor:
    """A method's predict, compiled; its outputs carry the rows they belong to.

    Args:
      method: any.
      devices: where it runs.
      leave_out: outputs that are not wanted; what only they need is not computed.
      keep: arrays of the batch that come out as they are, where the batch has them and the method
        gives none of that name.
    """

    def outputs(variables: Any, batch: Any) -> dict[str, jax.Array]:
        out = {k: batch[k] for k in keep if k in batch}
        out |= method.predict(variables, batch)
        wanted = {k: v for k, v in out.items() if k not in leave_out}
        return {**wanted, "index": batch["index"], "mask": batch["mask"]}

    return devices.predict(outputs)


def run(
    predict: Predictor,
    variables: Any,
    batches: Iterable[Mapping[str, np.ndarray]],
    devices: Devices,
) -> dict[str, np.ndarray]:
    """Outputs for every row of a split, in the order the batches bring them.

    Args:
      predict: from `predictor`.
      variables: weights and statistics, placed on the devices.
      batches: dicts with `index [B] int32` and `mask [B] float32`; 0 marks padding.
      devices: the same that compiled `predict`.

    Returns:
      Arrays `[N, ...]`: the method's outputs and `index [N]`, padding removed. Equal on every
      process.
    """
    return join(stream(predict, variables, batches, devices))


def stream(
    predict: Predictor,
    variables: Any,
    batches: Iterable[Mapping[str, np.ndarray]],
    devices: Devices,
) -> Iterator[dict[str, np.ndarray]]:
    """The parts of `run`, one for each batch, for outputs too large to hold together."""
    pending: Mapping[str, jax.Array] | None = None

    def taken(outputs: Mapping[str, jax.Array]) -> dict[str, np.ndarray]:
        host = {k: np.asarray(v) for k, v in jax.device_get(dict(outputs)).items()}
        rows = host.pop("mask") > 0
        return {k: v[rows] for k, v in host.items()}

    for batch in batches:
        outputs = predict(variables, devices.put(batch))
        if pending is not None:  # fetched while the next batch computes
            yield taken(pending)
        pending = outputs
    if pending is not None:
        yield taken(pending)


def join(parts: Iterable[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Parts of equal names behind each other. Raises: ValueError where there is none."""
    names = list(parts)
    if not names:
        raise ValueError("nothing to predict: the split has no rows")
    return {k: np.concatenate([p[k] for p in names]) for k in names[0]}
