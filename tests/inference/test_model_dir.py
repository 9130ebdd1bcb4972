"""A model directory: what is written is what is loaded, and broken ones say what is wrong."""

import json

import jax
import numpy as np
import pytest

from fiqa_jax import defaults, methods
from fiqa_jax.inference import in_parts, model_dir
from fiqa_jax.inference.model_dir import ModelError
from fiqa_jax.training import checkpoints
from fiqa_jax.training import method as base


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    c = defaults.base()
    c.method.update(defaults.METHODS["multitask"])
    c.model.name = "tiny"
    c.data.side = 32
    data = base.DataSpec(
        32,
        3,
        ("good", "usable", "reject"),
        ("clarity",),
        (),
        {"quality": (5, 3, 2)},
        c.data.mean,
        c.data.std,
    )
    method = methods.build("multitask", c, data, base.Run(4, 2, 10))
    state = method.init(jax.random.key(3))
    variables = {"params": state.params, **state.model_state}
    directory = tmp_path_factory.mktemp("model")
    stage = defaults.resolved(c)
    model_dir.save(
        directory, "m", "multitask", stage, data, checkpoints.to_host(variables), {"note": "x"}
    )
    return directory, method, variables


def batch():
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8),
        "fov": np.ones((2, 32, 32), np.uint8),
    }


def test_loaded_model_predicts_the_same(saved):
    directory, method, variables = saved
    # on CPUs one photograph after the other, as `in_parts` says; else both in one program
    run = jax.jit(lambda v, b: method.predict(v, b))
    want = in_parts.run(lambda b: run(variables, b), batch(), in_parts.size(2))
    got = model_dir.load(directory).predict(batch())
    assert got.keys() == want.keys() == {"p_quality", "p_ungradable", "p_details", "score"}
    for name in want:
        np.testing.assert_array_equal(got[name], want[name])


def test_config_says_what_the_model_sees(saved):
    config = model_dir.read_config(saved[0])
    assert config["data"]["side"] == 32
    assert config["data"]["quality_names"] == ["good", "usable", "reject"]
    assert config["data"]["class_counts"] == {"quality": [5, 3, 2]}
    assert config["note"] == "x"
    assert "jax" in config["versions"]


def test_probabilities_are_probabilities(saved):
    out = model_dir.load(saved[0]).predict(batch())
    np.testing.assert_allclose(out["p_quality"].sum(-1), 1.0, rtol=1e-5)
    score = out["p_quality"][:, 2] + 0.5 * out["p_quality"][:, 1]
    np.testing.assert_allclose(out["score"], score, rtol=1e-6)


def test_not_a_model_directory(tmp_path):
    with pytest.raises(ModelError, match=r"no model directory: there is no config\.json"):
        model_dir.load(tmp_path)


def test_other_schema_and_broken_json(saved, tmp_path):
    config = model_dir.read_config(saved[0])
    (tmp_path / "config.json").write_text(json.dumps({**config, "schema": 99}))
    with pytest.raises(ModelError, match="schema 99; this version reads 1 and 2"):
        model_dir.load(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="is not JSON"):
        model_dir.load(tmp_path)


def test_weights_of_another_network(saved, tmp_path):
    directory, _, _ = saved
    config = json.loads((directory / "config.json").read_text())
    config["model"]["width"] = 2.0
    model_dir.copy(directory, tmp_path, config)
    with pytest.raises(ValueError, match="does not fit"):
        model_dir.load(tmp_path)
