"""MKCNet's networks against a PyTorch re-writing of the released layout (no released weights).

Stored outputs always, live where torch is installed; in the published order of the classes, undone
here, and in ours.
"""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from golden import seeded

from fiqa_jax.convert import convert
from fiqa_jax.models.mkcnet import MetaLearner, TaskNet, masked_softmax
from fiqa_jax.pretrained import tensors as pretrained
from fiqa_jax.pretrained.formats import FORMATS, mkcnet

GOLDEN = Path(__file__).parents[1] / "golden" / "mkcnet.npz"
BASE, T, Q, PSI = 8, 3, 3, 5  # as in make_mkcnet.py
SIDE, BATCH, JOINT = 96, 4, np.array([0, 4, 8, 5])


def drawn(shapes):
    """As in make_mkcnet.py."""
    state = seeded.louder(seeded.state_dict(shapes), r"model\.", 1.6)
    return seeded.louder(state, r"branch|classifier", 2.0)


def loaded(net, kind, name, tensors):
    """The variables of `net` from converted tensors."""
    found, _ = FORMATS[kind].convert(tensors)
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), np.float32)
    shapes = jax.eval_shape(lambda x: net.init(jax.random.key(0), x, False), image)
    whole = {part: {name: tree} for part, tree in shapes.items()}
    return {part: tree[name] for part, tree in pretrained.fit(whole, found, kind).items()}


def ours(net, variables, x, train):
    if not train:
        return jax.jit(lambda v, x: net.apply(v, x, False))(variables, x)
    return jax.jit(lambda v, x: net.apply(v, x, True, mutable=["batch_stats"])[0])(variables, x)


@pytest.mark.parametrize("pool", [True, False])
def test_task_net(pool):
    """In float64, so that what is left is the rounding of the stored float32 on any processor."""
    golden = np.load(GOLDEN)
    net = TaskNet("vgg16", T, Q, PSI * T * Q, pool, BASE / 64)
    state = drawn(json.loads(str(golden["task_shapes"])))
    variables = loaded(net, "mkcnet_task", "task", state)
    x = seeded.images(BATCH, SIDE, SIDE)
    for train in (False, True):
        with jax.enable_x64(True):
            exact = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), (variables, x))
            logits, _ = ours(net.copy(dtype=np.float64), *exact, train)
        for name in ("diagnosis", "auxiliary", "quality"):
            want = golden[f"{name}/{'pooled' if pool else 'map'}/{train}"]
            got = np.asarray(logits[name])
            assert want.std(0).min() > 0.01, "the images are told apart"
            if name != "diagnosis":
                assert np.abs(got - want).max() > 0.01, "the order was turned"
                got = mkcnet.turn(got, Q)
            np.testing.assert_allclose(got, want, atol=1e-4, err_msg=f"{name} {train}")


def test_soft_labels():
    golden = np.load(GOLDEN)
    net = MetaLearner(PSI * T * Q, width=BASE / 64)
    state = drawn(json.loads(str(golden["meta_shapes"])))
    variables = loaded(net, "mkcnet_meta_q3", "meta", state)
    published = JOINT // T
    joint = (Q - 1 - published) * T + JOINT % T
    for train in (False, True):
        logits = ours(net, variables, seeded.images(BATCH, SIDE, SIDE), train)
        labels = np.asarray(masked_softmax(logits, joint, PSI))
        np.testing.assert_allclose(mkcnet.turn(labels, Q), golden[f"labels/{train}"], atol=1e-4)
        np.testing.assert_allclose(labels.sum(-1), 1.0, rtol=1e-5)


def test_the_order_of_classes_by_hand():
    """Two grades of three diagnoses, one output each: 1 (good) comes first, then 0 (bad)."""
    assert mkcnet.turn(np.arange(6), 2).tolist() == [3, 4, 5, 0, 1, 2]
    assert mkcnet.turn(np.arange(3), 3).tolist() == [2, 1, 0]


@pytest.mark.parametrize("grades", [2, 3])
def test_a_converted_file_gives_the_same_labels_live(tmp_path, grades):
    torch = pytest.importorskip("torch", reason="torch is not installed: the `reference` extra")
    from golden import mkcnet_reference

    torch.set_num_threads(1)
    theirs = mkcnet_reference.TaskNet(BASE, 2, grades, 4, 1, False).eval()
    state = drawn({k: v.shape for k, v in theirs.state_dict().items()})
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})
    torch.save(theirs.state_dict(), tmp_path / "net.pth")
    done = convert("mkcnet_task", tmp_path / "net.pth", tmp_path / "net.safetensors")
    sizes = {k: done["metadata"][k] for k in ("diagnoses", "grades", "psi")}
    assert sizes == {"diagnoses": 2, "grades": grades, "psi": 4}
    net = TaskNet("vgg16", 2, grades, 8 * grades, width=BASE / 64)
    image = np.random.default_rng(0).normal(size=(2, 64, 96, 1)).astype(np.float32)
    shapes = jax.eval_shape(lambda: net.init(jax.random.key(0), image, False))
    whole = {part: {"task": tree} for part, tree in shapes.items()}
    found = pretrained.load(whole, tmp_path / "net.safetensors")
    logits, _ = ours(net, {part: tree["task"] for part, tree in found.items()}, image, False)
    with torch.no_grad():
        want = theirs(torch.from_numpy(image.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(logits["diagnosis"], want[0], atol=1e-4)
    np.testing.assert_allclose(
        mkcnet.turn(np.asarray(logits["auxiliary"]), grades), want[1], atol=1e-4
    )
    np.testing.assert_allclose(np.asarray(logits["quality"])[:, ::-1], want[2], atol=1e-4)


def test_files_of_something_else():
    golden = np.load(GOLDEN)
    task = drawn(json.loads(str(golden["task_shapes"])))
    meta = drawn(json.loads(str(golden["meta_shapes"])))
    with pytest.raises(ValueError, match="tensors are not known, first"):
        FORMATS["mkcnet_task"].convert(meta)
    with pytest.raises(ValueError, match="no classifier among 1 tensors"):
        FORMATS["mkcnet_meta_q3"].convert({"model.block1.0.bias": np.ones(8)})
    with pytest.raises(ValueError, match="no classifier1 to 3 among 1"):
        FORMATS["mkcnet_task"].convert({"model.block1.0.bias": np.ones(8)})
    with pytest.raises(ValueError, match="45 outputs are no multiple of 2 grades"):
        FORMATS["mkcnet_meta_q2"].convert(meta)
    wrong = {**task, "classifier2.2.weight": task["classifier2.2.weight"][:44]}
    wrong["classifier2.2.bias"] = task["classifier2.2.bias"][:44]
    with pytest.raises(ValueError, match="44 auxiliary outputs are no multiple of 3 diagnoses x 3"):
        FORMATS["mkcnet_task"].convert(wrong)
    narrow = {**meta, "model.block2.0.bias": np.ones(3)}
    with pytest.raises(ValueError, match="not MKCNet's meta network: 1 misshapen"):
        FORMATS["mkcnet_meta_q3"].convert(narrow)
