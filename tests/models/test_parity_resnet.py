"""Our ResNets against torchvision's: stored outputs always, live where it is installed."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden import seeded
from golden.torchvision_reference import torchvision_models

from fiqa_jax.convert import convert
from fiqa_jax.models import make
from fiqa_jax.pretrained import tensors as pretrained
from fiqa_jax.pretrained.formats import FORMATS

GOLDEN = Path(__file__).parents[1] / "golden"
HEIGHT, WIDTH = 75, 62  # as in make_resnet.py


def network(name, dtype):
    """The module and the shapes of its variables."""
    model = make(name, dtype=dtype)
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), dtype)
    init = lambda x: model.init(jax.random.key(0), x, train=False)  # noqa: E731
    return model, jax.eval_shape(init, image)


def seeded_network(name, golden, dtype):
    """The module, its variables by the seed rule and the classifier."""
    model, shapes = network(name, dtype)
    state = seeded.state_dict(json.loads(str(golden["shapes"])))
    tensors, metadata = FORMATS["torchvision_resnet"].convert(state)
    assert metadata["model"] == name
    variables = pretrained.fit(shapes, tensors, name, optional=metadata["optional"])
    fc = {k: tensors[f"params/fc/{k}"].astype(dtype) for k in ("kernel", "bias")}
    return model, variables, fc


def logits_of(features, fc):
    return features @ fc["kernel"] + fc["bias"][None]


def thin(maps):
    """As in make_resnet.py."""
    return maps[:, ::3, ::3, :: maps.shape[-1] // 16]


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_evaluation_equals_torchvision(name):
    golden = np.load(GOLDEN / f"{name}.npz")
    model, variables, fc = seeded_network(name, golden, np.float32)

    @jax.jit
    def run(variables, fc, x):
        features, stages = model.apply(variables, x, train=False)
        return logits_of(features, fc), stages

    logits, stages = run(variables, fc, seeded.images(2, HEIGHT, WIDTH))
    for i in range(1, 5):
        np.testing.assert_allclose(thin(stages[f"stage{i}"]), golden[f"stage{i}"], atol=1e-4)
    np.testing.assert_allclose(logits, golden["eval_logits"], atol=1e-4)


@pytest.mark.whole
def test_training_step_equals_torchvision():
    name = "resnet18"
    golden = np.load(GOLDEN / f"{name}.npz")
    batch = 6
    with jax.enable_x64(True):
        model, variables, fc = seeded_network(name, golden, np.float64)

        def loss_of(params, stats, x):
            (features, _), new = model.apply(
                {"params": params["trunk"], "batch_stats": stats},
                x,
                train=True,
                mutable=["batch_stats"],
            )
            logits = logits_of(features, params["fc"])
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.arange(batch))
            return losses.mean(), new["batch_stats"]

        params = {"trunk": variables["params"], "fc": fc}
        image = seeded.images(batch, HEIGHT, WIDTH).astype(np.float64)
        step = jax.jit(jax.value_and_grad(loss_of, has_aux=True))
        (loss, stats), gradients = step(params, variables["batch_stats"], image)
        norms = jax.tree.map(lambda g: jnp.sqrt((g**2).sum()), gradients)
        norms = {"params": {**norms["trunk"], "fc": norms["fc"]}}
        loss, stats, norms = jax.device_get((loss, stats, norms))

    np.testing.assert_allclose(loss, golden["loss"], rtol=1e-10)
    # A norm is one number whatever the axes: the converter (float32) finds its place in our tree.
    stored = {k.removeprefix("gradient/"): golden[k] for k in golden if k.startswith("gradient/")}
    shapes = json.loads(str(golden["shapes"]))
    filled = {k: np.full(shapes[k], stored.get(k, 0)) for k in shapes}
    expected, _ = FORMATS["torchvision_resnet"].convert(filled)
    names, values = zip(*jax.tree_util.tree_flatten_with_path(norms)[0], strict=True)
    paths = [jax.tree_util.keystr(n, simple=True, separator="/") for n in names]
    assert len(paths) == len(stored)
    np.testing.assert_allclose(values, [expected[p].flat[0] for p in paths], rtol=1e-7)

    # Running statistics: PyTorch's variance is the unbiased one, ours the batch's own.
    pixels = batch * ((HEIGHT + 1) // 2) * (WIDTH // 2)
    old = seeded.tensor("bn1.running_var", (64,)).astype(np.float64)
    unbiased = (golden["stem_var"] - 0.9 * old) * (pixels - 1) / pixels
    np.testing.assert_allclose(stats["stem"]["norm"]["mean"], golden["stem_mean"], atol=1e-9)
    np.testing.assert_allclose(stats["stem"]["norm"]["var"], 0.9 * old + unbiased, rtol=1e-9)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_converted_file_gives_torchvision_logits(tmp_path, name):
    torch = pytest.importorskip("torch", reason="torch is not installed: the `reference` extra")
    try:
        models = torchvision_models()
    except ImportError:
        pytest.skip("torchvision is not installed: the `reference` extra")
    torch.set_num_threads(1)
    net = getattr(models, name)(num_classes=10).eval()
    state = seeded.state_dict({k: v.shape for k, v in net.state_dict().items()})
    net.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})
    torch.save(net.state_dict(), tmp_path / "net.pth")
    convert("torchvision_resnet", tmp_path / "net.pth", tmp_path / "net.safetensors")

    model, shapes = network(name, np.float32)
    variables = pretrained.load(shapes, tmp_path / "net.safetensors")
    tensors, _ = pretrained.read(tmp_path / "net.safetensors")
    x = np.random.default_rng(0).normal(size=(2, 96, 96, 3)).astype(np.float32)
    features, _ = jax.jit(lambda v, x: model.apply(v, x, train=False))(variables, x)
    with torch.no_grad():
        expected = net(torch.from_numpy(x.transpose(0, 3, 1, 2))).numpy()
    fc = {k: tensors[f"params/fc/{k}"] for k in ("kernel", "bias")}
    np.testing.assert_allclose(logits_of(features, fc), expected, atol=1e-4)
