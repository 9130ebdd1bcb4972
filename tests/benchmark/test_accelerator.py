"""The script for an accelerator, rehearsed on the CPU at toy size."""

import importlib
import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax.training import devices, state

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("accelerator")


def _rehearsed(script, folder, monkeypatch, *only):
    told = ["accelerator.py", str(folder), "--toy", *(("--only", *only) if only else ())]
    monkeypatch.setattr(sys, "argv", told)
    script.main()
    return json.loads((folder / "accelerator.json").read_text())


def test_a_rehearsal_measures_both_precisions_and_growing_batches(script, tmp_path, monkeypatch):
    found = _rehearsed(script, tmp_path, monkeypatch, "adapter")
    assert found["platform"] == jax.default_backend()
    seen = [(step["precision"], step["batch"]) for step in found["steps"]]
    assert seen[:2] == [("float32", 2), ("bfloat16", 2)]
    assert [batch for _, batch in seen[2:]] == [4, 8]
    for step in found["steps"]:
        assert step["compilations_after_first"] == 0
        assert len(step["all_seconds"]) == 2
        # 2 x 16 x 16 cells of 1024 channels: a product there and one back, at the least
        assert step["flops"] > 2 * 2 * step["batch"] * 16 * 16 * 1024
        assert step["mfu"] == pytest.approx(
            step["flops"] / step["seconds"] / found["peak_flops"][step["precision"]]
        )


@pytest.mark.whole
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_case_fits_its_batch(script, precision):
    """Traced, not compiled: parameters stay float32, and the loss is one number."""
    for name, (kind, batch, side, settings, model) in script.cases(True).items():
        method = script.built(kind, batch, side, settings, model, precision)
        given = script.rows_of(kind, batch, side)
        start = jax.eval_shape(method.init, jax.random.key(0))

        def step(start, given, method=method):
            return method.step(start, given, state.stream(0, "train"), axis=devices.Axis())

        after, scalars = jax.eval_shape(step, start, given)
        assert scalars["loss"].shape == (), name
        assert {leaf.dtype for leaf in jax.tree.leaves(after.params)} == {jnp.dtype("float32")}


def test_an_unknown_case_is_named(script, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        _rehearsed(script, tmp_path, monkeypatch, "nothing")
    assert "'nothing'" in capsys.readouterr().err


@pytest.mark.whole
def test_all_of_it_in_short(script, tmp_path, monkeypatch):
    found = _rehearsed(script, tmp_path, monkeypatch)
    assert {step["case"] for step in found["steps"]} == set(script.cases(True))
    assert all(np.isfinite(step["seconds"]) for step in found["steps"])
