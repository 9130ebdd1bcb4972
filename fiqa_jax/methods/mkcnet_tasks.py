"""What MKCNet is made of: which networks a row has, its losses, and how much its tasks conflict."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from fiqa_jax.models.mkcnet import Branches, MetaLearner, TaskNet, joint_class, masked_softmax
from fiqa_jax.models.norm import parameter_dtype
from fiqa_jax.training import losses, method
from fiqa_jax.training.devices import Axis

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
    """What the functions below share: networks, labels and settings, all fixed."""

    row: Row
    task: TaskNet
    learner: MetaLearner
    config: ConfigDict
    data: method.DataSpec
    graded: str  # label of the quality: quality | ungradable

    def labels(
        self, phi: Tree, stats: Tree, images: jax.Array, batch: method.Batch, axis: Axis
    ) -> tuple[jax.Array, Tree]:
        """Soft labels `[B, psi * M]` by batch statistics, and the new running ones."""
        logits, new = self.learner.clone(axis_name=axis.name).apply(
            {"params": phi, "batch_stats": stats}, images, True, mutable=["batch_stats"]
        )
        diagnoses = len(self.data.diagnosis_names)
        joint = joint_class(batch[self.graded], batch["diagnosis"], diagnoses)
        return masked_softmax(logits, joint, self.config.method.psi), new["batch_stats"]

    def losses(
        self,
        theta: Tree,
        labels: jax.Array | None,
        stats: Tree,
        images: jax.Array,
        batch: method.Batch,
        axis: Axis,
    ) -> tuple[jax.Array, jax.Array, dict[str, jax.Array], Tree]:
        """THE pure function of both stages: at theta in the first, at theta~ in the second.

        Returns:
          L_D + L_Q and L_Omega over the global batch, each part by name, new running statistics.
        """
        (logits, _), new = self.task.clone(axis_name=axis.name).apply(
            {"params": theta, "batch_stats": stats}, images, True, mutable=["batch_stats"]
        )
        own, kind = self.config.method, logits["diagnosis"].dtype
        loss, terms = self.config.loss, {}
        for name, label, factor in (
            ("diagnosis", "diagnosis", loss.diagnosis),
            ("quality", self.graded, loss.quality),
        ):
            if name in logits:
                truth, z = batch[label], logits[name]
                counts = self.data.class_counts.get(label, ())
                if name == "diagnosis" and own.adjust:
                    z = z + own.adjust * _log_prior(counts, kind)
                weight = (truth >= 0).astype(kind)
                if method.weighs_classes(self.config):
                    weight = losses.inverse_frequency(truth, counts).astype(kind)
                target = jax.nn.one_hot(jnp.maximum(truth, 0), z.shape[-1], dtype=kind)
                terms[name] = losses.Term(losses.focal(z, target), weight, factor)
        primary, parts = losses.total(terms, axis)
        auxiliary = jnp.zeros((), kind)
        if labels is not None:
            weight = both(batch, self.graded).astype(kind)
            value = losses.focal(logits["auxiliary"], labels.astype(kind)) / own.psi
            auxiliary = parts["auxiliary"] = losses.masked_mean(value, weight, axis)
        return primary, auxiliary, parts, new["batch_stats"]


def label_entropy(labels: jax.Array, valid: jax.Array, axis: Axis) -> jax.Array:
    """R = sum_c m_c log m_c, m the mean label of the GLOBAL batch: minus its entropy.

    Args:
      labels: `[B, K]`, rows sum to 1.
      valid: `[B]`, 0 where a label is absent.
      axis: of the batch; not linear in the mean, so sums are added before the logarithm.
    """
    total = axis.sum((labels * valid[:, None]).sum(0))
    mean = total / jnp.maximum(axis.sum(valid.sum()), 1.0)
    return (mean * jnp.log(mean + 1e-20)).sum()


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
    own = {kind: tree["branches"] for kind, tree in variables.items()}

    def loss(x: jax.Array, name: str, label: str) -> jax.Array:
        logits, _ = branches.apply(own, x, False)
        truth = jnp.maximum(batch[label], 0)
        return losses.focal(logits[name], jax.nn.one_hot(truth, logits[name].shape[-1])).sum()

    one, two = (
        jax.grad(loss)(shared, name, label).reshape(len(shared), -1)
        for name, label in (("diagnosis", "diagnosis"), ("quality", parts.graded))
    )
    length = jnp.linalg.norm(one, axis=-1) * jnp.linalg.norm(two, axis=-1)
    known = both(batch, parts.graded) & (length > 0)
    return jnp.where(known, (one * two).sum(-1) / jnp.where(length > 0, length, 1.0), jnp.nan)


def make(config: ConfigDict, data: method.DataSpec) -> Parts:
    """The parts of one row.

    Raises:
      ValueError: settings that do not exist, or data without these labels.
    """
    own = config.method
    if own.row not in ROWS:
        raise ValueError(f"method.row {own.row!r} is none of {tuple(ROWS)}")
    if own.alternate not in ("step", "epoch"):
        raise ValueError(f"method.alternate {own.alternate!r}: step or epoch")
    if own.way not in ("nested", "forward"):
        raise ValueError(f"method.way {own.way!r}: nested or forward")
    if own.psi < 1:
        raise ValueError(f"method.psi {own.psi}: a joint class has at least one output")
    method.weighs_classes(config)
    row, grades, diagnoses = ROWS[own.row], len(data.quality_names), len(data.diagnosis_names)
    if diagnoses < 2 or (row.quality and grades < 2):
        raise ValueError(
            f"mkcnet ({own.row}) learns diagnosis{' and quality' if row.quality else ''}; the data "
            f"has diagnoses {data.diagnosis_names} and grades {data.quality_names}; set "
            "data.diagnosis and data.classes"
        )
    joint = own.psi * grades * diagnoses
    kw = {
        "width": config.model.width,
        "dtype": jnp.dtype(config.model.precision),
        "remat": own.remat,
    }
    task = TaskNet(
        config.model.name,
        diagnoses,
        grades if row.quality else 0,
        joint if row.auxiliary else 0,
        own.pool_before_attention,
        **kw,
    )
    learner = MetaLearner(joint, config.model.name, **kw)
    graded = "ungradable" if grades == 2 else "quality"
    return Parts(row, task, learner, config, data, graded)


def both(batch: method.Batch, graded: str) -> jax.Array:
    """`[B] bool`: diagnosis and quality (`graded`: quality or ungradable) are known."""
    return (batch["diagnosis"] >= 0) & (batch[graded] >= 0)


def _log_prior(counts: tuple[int, ...], dtype: Any) -> jax.Array:
    """`[1, T]` logarithms of the classes' shares of the training set, for logit adjustment (Menon
    et al. 2021, equation 10)."""
    known = jnp.maximum(jnp.array(counts, dtype), 1.0)
    return jnp.log(known / known.sum())[None]
