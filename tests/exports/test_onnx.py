"""ONNX files beside JAX: operations one by one, whole networks, what has no way there."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax.exports import onnx_file
from fiqa_jax.exports.onnx_graph import ExportError
from fiqa_jax.methods.grader import over_turns
from fiqa_jax.models import cell_measures, grader, vit
from fiqa_jax.models.cell_network import CellNetwork
from fiqa_jax.models.unet import UNet

pytest.importorskip("onnx", reason="the extra export is not installed")

SHAPE = (8, 8, 4)
LENT = np.linspace(-1, 1, 4, dtype=np.float32)


def beside(program, shape=SHAPE, tolerance=1e-5):
    """Both sides on batches of one and of three."""
    data = onnx_file.convert(program, {"x": (shape, np.float32)}, {})
    run, compiled = onnx_file.session(data), jax.jit(program)
    for count in (1, 3):
        x = np.random.default_rng(count).normal(size=(count, *shape)).astype(np.float32)
        expected, found = compiled({"x": x}), run({"x": x})
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            assert found[name].dtype == value.dtype
            np.testing.assert_allclose(found[name], value, atol=tolerance, rtol=tolerance)


def windows(x):
    total = jax.lax.reduce_window(x, 0.0, jax.lax.add, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
    return total, nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))


OPERATIONS = {
    "arithmetic": lambda x: (x * 2 - LENT.reshape(1, 1, 1, 4)) / (jnp.abs(x) + 1) + x**3,
    "functions": lambda x: jnp.exp(-jnp.square(x)) + jax.nn.sigmoid(x) + jnp.tanh(x),
    "roots": lambda x: jax.lax.rsqrt(x * x + 1) + jnp.sqrt(jnp.abs(x)) + jnp.log1p(x * x),
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "choice": lambda x: jnp.where((x > 0) & (x != 1) | (x <= -1), x, -2.0),
    "limits": lambda x: jnp.clip(x, -0.5, 0.5) + jnp.maximum(x, 0) + jnp.round(3 * x),
    "small integers": lambda x: jnp.clip(x * 50 + 128, 0, 255).astype(jnp.uint8) > 100,
    "softmax": lambda x: jax.nn.log_softmax(x, axis=-1) + jax.nn.softmax(x, axis=1),
    "sums": lambda x: (x.sum((1, 2)), x.max(-1), x.min((1, 3)), x.mean(), (x > 9).any(1)),
    "places": lambda x: (jnp.argmax(x, -1), jnp.cumsum(x, 1)),
    "products": lambda x: (x @ jnp.ones((4, 6)), jnp.einsum("bijc,bikc->bjk", x, x)),
    "shapes": lambda x: (x.reshape(x.shape[0], -1), x.transpose(0, 3, 1, 2)),
    "rows of the batch": lambda x: x.reshape(-1, 4) @ jnp.ones((4, 2)),
    "repeats": lambda x: jnp.repeat(jnp.repeat(x, 2, 1), 2, 2),
    "constants": lambda x: jnp.concatenate([x, jnp.broadcast_to(LENT, x.shape)], -1),
    "slices": lambda x: (x[:, 1:7:2], x[..., 2], x[:, -1], jnp.split(x, 2, 1)[1]),
    "reversed": lambda x: (x[:, ::-1], jnp.flip(x, (1, 2)), jnp.rot90(x, 3, (1, 2))),
    "padding": lambda x: jnp.pad(x, ((0, 0), (1, 2), (0, 0), (0, 0)), constant_values=3.0),
    "windows": windows,
    "bilinear": lambda x: jax.image.resize(x, (x.shape[0], 16, 16, 4), "linear"),
    "cubic, smaller": lambda x: jax.image.resize(x, (x.shape[0], 4, 4, 4), "cubic"),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_gives_what_jax_gives(name):
    def program(batch):
        out = OPERATIONS[name](batch["x"])
        return {f"y{i}": v for i, v in enumerate(out if isinstance(out, tuple) else (out,))}

    beside(program)


def network(net, *given):
    """A Flax module with weights and statistics that are not its initial ones."""
    variables = jax.jit(net.init, static_argnums=len(given))(jax.random.key(0), *given)
    rng = np.random.default_rng(0)

    def moved(value):
        more = rng.random(value.shape, np.float32)
        return value * (1 + more / 5) + (more / 50 if value.ndim == 1 else 0)

    variables = jax.tree.map(moved, variables)
    return lambda *x: net.apply(variables, *x)


@pytest.mark.whole
def test_the_graders_networks():
    image, fov, px = jnp.zeros((1, 32, 32, 3)), jnp.ones((1, 32, 32)), jnp.ones(1)
    grade = network(grader.Grader(3, 4, 0.5), image, fov, px, False)
    cells, inside = jnp.zeros((1, 32, 32, 32)), jnp.ones((1, 32, 32))
    view = network(CellNetwork(6, 0.5), cells, inside, px, False)

    def program(batch):
        x = batch["x"]
        image, fov, px = jax.nn.sigmoid(x[..., :3]), jnp.float32(x[..., 3] > -1), x[:, 0, 0, 0]
        every = over_turns(lambda *given: grade(*given, False), image, fov, px)
        upright = grade(image, fov, px, False)
        return every | {"upright": upright["quality"], "view": view(x, fov, px, False)}

    beside(program, (32, 32, 32), 1e-4)


@pytest.mark.whole
def test_measures_of_cells():
    """On waves with a little noise: logarithms of what is nearly 0 differ by rounding alone."""
    rows, columns = np.mgrid[:256, :256].astype(np.float32)
    waves = 0.5 + 0.3 * np.sin(rows / 5 + columns / 31) * np.cos(columns / 7)
    waves = jnp.asarray(waves.reshape(1, 256, 256, 1), jnp.float32)

    def program(batch):
        image = waves + 0.05 * jnp.tanh(batch["x"])
        return {"measures": cell_measures.measures(image, jnp.ones_like(image[..., 0]))}

    beside(program, (256, 256, 3), 1e-3)


@pytest.mark.parametrize("kind", ["unet", "vit"])
def test_networks_of_encoders(kind):
    x = jnp.zeros((1, 32, 32, 3))
    net = {
        "unet": lambda: UNet(2, base=4, levels=3, norm=True),
        "vit": lambda: vit.ViT(patch=8, dim=16, depth=2, heads=2, position="sines"),
    }[kind]()
    apply = network(net, x, False)
    beside(lambda batch: {"y": apply(batch["x"], False)[0]}, (32, 32, 3), 1e-4)


def test_what_has_no_way_is_said_with_what_to_do():
    with pytest.raises(ExportError, match=r"'sort' .* export it as stablehlo"):
        onnx_file.convert(lambda b: {"y": jnp.sort(b["x"])}, {"x": ((4,), np.float32)}, {})
    picked = {"x": ((4,), np.int32)}
    with pytest.raises(ExportError, match="computed numbers: export as stablehlo"):
        onnx_file.convert(lambda b: {"y": jnp.take(LENT, b["x"])}, picked, {})
