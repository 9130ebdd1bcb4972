"""MKCNet's Task Net and Meta Learner, as saved by the released code.

Its lists count quality upwards (the highest code is the best), ours counts downwards, so that the
rows of the quality head, and the blocks of joint classes (published number: code * T + diagnosis),
change places here. The lists are read by `input_pipeline.readers.iqad` in the same sense.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fiqa_jax.pretrained.formats.rules import (
    Format,
    FormatError,
    Rule,
    affine,
    batch_norm,
    conv_kernel,
    linear_kernel,
    translate,
)

_BRANCHES = {"1": "diagnosis", "2": "auxiliary", "3": "quality"}
_CONVOLUTIONS = (2, 2, 3, 3, 3)
_FIRST = {net: f"params/{net}/trunk/stage1/conv1/kernel" for net in ("task", "meta")}
_ORIGIN = "github.com/chehx/MKCNet, the state dict of its"


def _linear(name: str, path: str) -> tuple[Rule, ...]:
    return affine(name, path, linear_kernel)


def _trunk(net: str) -> tuple[Rule, ...]:
    out: list[Rule] = []
    for block, count in enumerate(_CONVOLUTIONS, start=1):
        for i in range(count):  # convolution, normalisation and ReLU take a number each
            name, path = rf"model\.block{block}\.", f"{net}/trunk/stage{block}"
            out += affine(f"{name}{3 * i}", f"{path}/conv{i + 1}", conv_kernel)
            out += batch_norm(f"{name}{3 * i + 1}", f"{path}/norm{i + 1}")
    return tuple(out)


def _gate(name: str, path: str) -> tuple[Rule, ...]:
    mlp = rf"{name}\.ChannelGate\.mlp"
    return (*_linear(rf"{mlp}\.1", f"{path}/hidden"), *_linear(rf"{mlp}\.3", f"{path}/out"))


def _task() -> tuple[Rule, ...]:
    out = [*_trunk("task"), *_gate(r"branch_cor\.0", "task/branches/assistance")]
    for k, branch in _BRANCHES.items():
        attention, path = rf"branch_bam{k}\.0", f"task/branches/{branch}_attention"
        spatial = rf"{attention}\.SpatialGate\.spatial"
        out += _gate(attention, f"{path}/channel")
        out.append(
            Rule(rf"{spatial}\.conv\.weight", f"params/{path}/spatial/conv/kernel", conv_kernel)
        )
        out += batch_norm(rf"{spatial}\.bn", f"{path}/spatial/norm")
        out += _linear(rf"branch_bam{k}\.3", f"task/branches/{branch}_features")
        out += _linear(rf"classifier{k}\.0", f"task/branches/{branch}/hidden")
        out += _linear(rf"classifier{k}\.2", f"task/branches/{branch}/out")
    return tuple(out)


def turn(outputs: np.ndarray, grades: int) -> np.ndarray:
    """Quality counted the other way: the blocks of the last axis in reverse.

    Args:
      outputs: `[..., grades * n]`; block q holds all outputs of quality q.
      grades: classes of the quality.
    """
    blocks = outputs.reshape(*outputs.shape[:-1], grades, -1)
    return np.ascontiguousarray(blocks[..., ::-1, :].reshape(outputs.shape))


def convert_task(
    tensors: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The Task Net, `params/task/...` as in `models.mkcnet.TaskNet`, in our order of the classes.

    Raises:
      FormatError: no Task Net, or joint classes that do not fit its diagnoses and grades.
    """
    from fiqa_jax.models.mkcnet import TaskNet

    out = translate(tensors, _task())
    heads = {k: f"params/task/branches/{name}/out/bias" for k, name in _BRANCHES.items()}
    if not out.keys() >= {*heads.values(), _FIRST["task"]}:
        raise FormatError(f"there are no classifier1 to 3 among {len(tensors)} tensors")
    diagnoses, joint, grades = (len(out[heads[k]]) for k in "123")
    if joint % (diagnoses * grades):
        raise FormatError(
            f"{joint} auxiliary outputs are no multiple of {diagnoses} diagnoses x {grades} grades"
        )
    for name in ("quality", "auxiliary"):
        for leaf in ("kernel", "bias"):
            path = f"params/task/branches/{name}/out/{leaf}"
            out[path] = turn(out[path], grades)
    width = out[_FIRST["task"]].shape[-1] / 64
    _check(out, "task", lambda: TaskNet("vgg16", diagnoses, grades, joint, True, width))
    sizes = {"diagnoses": diagnoses, "grades": grades, "psi": joint // (diagnoses * grades)}
    return out, {"model": "mkcnet_task", "width": width, **sizes}


def convert_meta(
    tensors: Mapping[str, np.ndarray], grades: int
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The Meta Learner, `params/meta/...` as in `models.mkcnet.MetaLearner`, in our order.

    Args:
      tensors: of the file.
      grades: classes of the quality, which the file alone does not tell.

    Raises:
      FormatError: no Meta Learner, or outputs that do not divide by the grades.
    """
    from fiqa_jax.models.mkcnet import MetaLearner

    out = translate(
        tensors,
        (
            *_trunk("meta"),
            *_linear(r"classifier\.0", "meta/head/hidden"),
            *_linear(r"classifier\.2", "meta/head/out"),
        ),
    )
    if not out.keys() >= {"params/meta/head/out/bias", _FIRST["meta"]}:
        raise FormatError(f"there is no classifier among {len(tensors)} tensors")
    joint = len(out["params/meta/head/out/bias"])
    if joint % grades:
        raise FormatError(f"{joint} outputs are no multiple of {grades} grades")
    for leaf in ("kernel", "bias"):
        out[f"params/meta/head/out/{leaf}"] = turn(out[f"params/meta/head/out/{leaf}"], grades)
    width = out[_FIRST["meta"]].shape[-1] / 64
    _check(out, "meta", lambda: MetaLearner(joint, width=width))
    return out, {"model": "mkcnet_meta", "width": width, "grades": grades, "joint": joint}


def _check(out: Mapping[str, np.ndarray], net: str, make: Callable[[], Any]) -> None:
    import jax

    from fiqa_jax.pretrained import tensors as pretrained

    colours = out[_FIRST[net]].shape[2]
    image = jax.ShapeDtypeStruct((1, 64, 64, colours), np.float32)
    shapes = jax.eval_shape(lambda x: make().init(jax.random.key(0), x, False), image)
    template = {kind: {net: tree} for kind, tree in shapes.items()}
    if problems := pretrained.differences(template, out):
        raise FormatError(f"not MKCNet's {net} network: {'; '.join(problems.values())}")


def _meta(grades: int) -> Format:
    return Format(
        description=f"MKCNet's Meta Learner for {grades} grades of quality",
        origin=f"{_ORIGIN} Meta Learner",
        convert=lambda tensors: convert_meta(tensors, grades),
    )


TASK = Format(
    description="MKCNet's Task Net, any numbers of diagnoses, grades and outputs a joint class",
    origin=f"{_ORIGIN} Task Net",
    convert=convert_task,
)
META = {grades: _meta(grades) for grades in (2, 3)}
