"""Linear heads: only those asked for, in the order and shapes that were promised."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax.models.heads import Heads


def test_all_heads():
    heads = Heads(quality=3, ungradable=True, details=4, diagnosis=5)
    features = jnp.ones((2, 6))
    logits, variables = jax.jit(heads.init_with_output)(jax.random.key(0), features)
    assert {k: v.shape for k, v in logits.items()} == {
        "quality": (2, 3),
        "ungradable": (2,),
        "details": (2, 4),
        "diagnosis": (2, 5),
    }
    kernels = jnp.concatenate([p["kernel"].ravel() for p in variables["params"].values()])
    assert 0.005 < kernels.std() < 0.015
    assert all((p["bias"] == 0).all() for p in variables["params"].values())


def test_logits_are_the_affine_map():
    heads = Heads(ungradable=True, details=2)
    params = {
        "ungradable": {"kernel": jnp.array([[1.0], [2.0]]), "bias": jnp.array([0.5])},
        "details": {"kernel": jnp.array([[1.0, 0.0], [0.0, -1.0]]), "bias": jnp.array([0.0, 3.0])},
    }
    logits = heads.apply({"params": params}, jnp.array([[4.0, 5.0]]))
    assert set(logits) == {"ungradable", "details"}
    np.testing.assert_allclose(logits["ungradable"], [14.5])  # 1 * 4 + 2 * 5 + 0.5
    np.testing.assert_allclose(logits["details"], [[4.0, -2.0]])


@pytest.mark.parametrize("sizes", [{}, {"quality": 3, "details": -1}])
def test_impossible_heads(sizes):
    with pytest.raises(ValueError, match=r"at least one output and no negative count"):
        Heads(**sizes).init(jax.random.key(0), jnp.ones((1, 2)))
