"""EFIQA's released adapter: its numbers after conversion, and files of something else."""

import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax import convert, defaults
from fiqa_jax.methods import efiqa_adapter
from fiqa_jax.pretrained import tensors
from fiqa_jax.training import method as base

RNG = np.random.default_rng(0)
WEIGHT, BIAS = RNG.normal(size=(1, 12)).astype(np.float32), np.float32([0.3])


@pytest.mark.parametrize("prefix", ["model.", ""])
def test_the_same_numbers_as_features_times_weight_plus_bias(tmp_path, prefix):
    np.savez(tmp_path / "a.npz", **{f"{prefix}weight": WEIGHT, f"{prefix}bias": BIAS})
    done = convert.convert("efiqa_adapter", tmp_path / "a.npz", tmp_path / "a.safetensors")
    assert (done["parameters"], done["metadata"]["channels"]) == (13, 12)
    found, _ = tensors.read(tmp_path / "a.safetensors")
    c = defaults.base()
    c.method.update({**defaults.METHODS["adapter"], "standardise": False, "field": False})
    data = base.DataSpec(8, 3, (), (), (), {}, (0.0,) * 3, (1.0,) * 3, (2, 2, 12))
    features = RNG.normal(size=(3, 2, 2, 12)).astype(np.float32)
    linear = {name.rpartition("/")[2]: jnp.asarray(x) for name, x in found.items()}
    variables = {"params": {"linear": linear}}
    out = efiqa_adapter.build(c, data, base.Run()).predict(variables, {"features": features})
    want = 1 / (1 + np.exp(-(features @ WEIGHT[0] + BIAS[0])))
    np.testing.assert_allclose(out["map"], want, rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"weight": np.ones((2, 12)), "bias": np.ones(2)}, r"bias \[1\], seen \(2, 12\)"),
        ({"weight": np.ones((1, 12, 1, 1)), "bias": np.ones(1)}, "weight"),
        ({"weight": np.ones((1, 12))}, r"expected model.weight and model.bias, the file has"),
        ({"weight": np.ones((1, 12)), "bias": np.ones(1), "x": np.ones(1)}, "not known, first: x"),
    ],
)
def test_files_of_something_else(tmp_path, given, match):
    np.savez(tmp_path / "a.npz", **given)
    with pytest.raises(ValueError, match=match):
        convert.convert("efiqa_adapter", tmp_path / "a.npz", tmp_path / "a.safetensors")
