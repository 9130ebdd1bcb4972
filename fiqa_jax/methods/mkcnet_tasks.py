"""What MKCNet is made of: which networks a row has, and how much its tasks conflict."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from fiqa_jax.models.layers.norm import parameter_dtype
from fiqa_jax.models.mkcnet import Branches, MetaLearner, TaskNet
from fiqa_jax.training import losses, method

Tree = Any


class Row(NamedTuple):
    """Which parts of MKCNet there are.

    Attributes:
      quality: the quality branch.
      auxiliary: the joint classes, with labels of the Meta Learner.
      learns: how the Meta Learner learns: '' (not at all), 'first' or 'second' order.
    """

    quality: bool
    auxiliary: bool
    learns: str


ROWS = {
    "vanilla": Row(False, False, ""),
    "multitask": Row(True, False, ""),
    "no_meta": Row(True, True, ""),
    "first_order": Row(True, True, "first"),
    "second_order": Row(True, True, "second"),
}


@dataclasses.dataclass(frozen=True)
class Parts:
    """Networks, labels and settings of one row, all fixed."""

    row: Row
    task: TaskNet
    learner: MetaLearner
    config: ConfigDict
    data: method.DataSpec
    graded: str  # label of the quality: quality | ungradable


def conflict(parts: Parts, variables: Tree, shared: jax.Array, batch: method.Batch) -> jax.Array:
    """Cosine `[B]` between what diagnosis and quality ask of the shared map of each photograph.

    The gradients of both focal losses by the map (as in Sener and Koltun 2018, section 3.3), on
    running statistics; below 0 they conflict. NaN where a label is absent or a gradient is 0.

    Args:
      parts: of the method.
      variables: of the Task Net.
      shared: `[B, h, w, F]`.
      batch: with both labels.
    """
    net = parts.task
    dtype = parameter_dtype(net.dtype)
    branches = Branches(net.diagnoses, net.grades, net.joint, net.width, dtype)
    of_branches = {kind: tree["branches"] for kind, tree in variables.items()}

    def loss(x: jax.Array, name: str, label: str) -> jax.Array:
        logits, _ = branches.apply(of_branches, x, False)
        truth = jnp.maximum(batch[label], 0)
        return losses.focal(logits[name], jax.nn.one_hot(truth, logits[name].shape[-1])).sum()

    diagnosis, quality = (
        jax.grad(loss)(shared, name, label).reshape(len(shared), -1)
        for name, label in (("diagnosis", "diagnosis"), ("quality", parts.graded))
    )
    length = jnp.linalg.norm(diagnosis, axis=-1) * jnp.linalg.norm(quality, axis=-1)
    known = both(batch, parts.graded) & (length > 0)
    cosine = (diagnosis * quality).sum(-1) / jnp.where(length > 0, length, 1.0)
    return jnp.where(known, cosine, jnp.nan)


def make(config: ConfigDict, data: method.DataSpec) -> Parts:
    """The parts of one row.

    Raises:
      ValueError: settings that do not exist, or data without these labels.
    """
    settings = config.method
    if settings.row not in ROWS:
        raise ValueError(f"method.row {settings.row!r} is none of {tuple(ROWS)}")
    if settings.alternate not in ("step", "epoch"):
        raise ValueError(f"method.alternate {settings.alternate!r}: step or epoch")
    if settings.way not in ("nested", "forward"):
        raise ValueError(f"method.way {settings.way!r}: nested or forward")
    if settings.psi < 1:
        raise ValueError(f"method.psi {settings.psi}: a joint class has at least one output")
    method.weighs_classes(config)
    row, grades, diagnoses = ROWS[settings.row], len(data.quality_names), len(data.diagnosis_names)
    if diagnoses < 2 or (row.quality and grades < 2):
        raise ValueError(
            f"mkcnet ({settings.row}) learns diagnosis{' and quality' if row.quality else ''}; the "
            f"data has diagnoses {data.diagnosis_names} and grades {data.quality_names}; set "
            "data.diagnosis and data.classes"
        )
    joint = settings.psi * grades * diagnoses
    kw = {
        "width": config.model.width,
        "dtype": jnp.dtype(config.model.precision),
        "remat": settings.remat,
    }
    task = TaskNet(
        config.model.name,
        diagnoses,
        grades if row.quality else 0,
        joint if row.auxiliary else 0,
        settings.pool_before_attention,
        **kw,
    )
    learner = MetaLearner(joint, config.model.name, **kw)
    graded = "ungradable" if grades == 2 else "quality"
    return Parts(row, task, learner, config, data, graded)


def both(batch: method.Batch, graded: str) -> jax.Array:
    """`[B] bool`: diagnosis and quality (`graded`: quality or ungradable) are known."""
    return (batch["diagnosis"] >= 0) & (batch[graded] >= 0)
