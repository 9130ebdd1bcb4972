"""The loop: order of events, exact resume, selection, and a stop at the first non-finite loss."""

import json

import jax
import numpy as np
import pytest
from linear import batches, method

from fiqa_jax import defaults
from fiqa_jax.training import devices, loop
from fiqa_jax.training.loop import every
from fiqa_jax.training.run_log import read_lines


def config(**changes):
    c = defaults.base().train
    c.update({"eval_every": 0.25, "save_every": 0.25, "log_every": 1, "batch": 8, **changes})
    return c


def run(directory, steps=8, evaluate=None, m=None, feed=batches, falling=(), **changes):
    return loop.run(
        m or method(),
        feed,
        evaluate,
        devices.make("jit", jax.devices()[:1]),
        config(**changes),
        steps,
        0,
        directory,
        falling=falling,
    )


def lines(directory):
    return read_lines(directory / "metrics.jsonl")


def test_it_learns(tmp_path):
    result = run(tmp_path, steps=60)
    np.testing.assert_allclose(result.state.params["w"], [2.0, -1.0], atol=0.05)
    assert result.step == 60
    assert 0.0 <= result.input_wait <= 1.0


def test_order_of_events(tmp_path):
    """Evaluate, then next batch, with the state of exactly that many updates."""
    events = []

    def feed(start):
        for batch in batches(start):
            events.append(("batch", int(batch["step"][0])))
            yield batch

    def evaluate(state):
        events.append(("evaluate", int(state.step)))
        return {"loss": 0.0}

    run(tmp_path, steps=4, evaluate=evaluate, feed=feed, eval_every=0.5)
    assert events == [
        ("batch", 0),
        ("batch", 1),
        ("evaluate", 2),
        ("batch", 2),
        ("batch", 3),
        ("evaluate", 4),
    ]


def test_last_step_is_always_evaluated_and_saved(tmp_path):
    seen = []
    run(
        tmp_path,
        steps=7,
        evaluate=lambda s: seen.append(int(s.step)) or {"a": 1.0},
        eval_every=0.4,
        save_every=0.9,
    )
    assert seen == [3, 6, 7]
    assert (tmp_path / "checkpoints" / "7").is_dir()


def test_every_step_is_logged_once(tmp_path):
    run(tmp_path, steps=5)
    assert [x["step"] for x in lines(tmp_path)] == [1, 2, 3, 4, 5]


def test_first_logged_loss_is_the_first_batch(tmp_path):
    result = run(tmp_path, steps=1)
    w = np.asarray(jax.jit(method().init)(loop.stream(0, "init")).params["w"])
    batch = next(batches(0))
    want = float(np.mean((batch["x"] @ w - batch["y"]) ** 2))
    assert lines(tmp_path)[0]["loss"] == pytest.approx(want, rel=1e-5)
    assert result.step == 1


def test_resume_is_bitwise(tmp_path):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    a = run(whole, steps=8)

    class Killed(Exception):
        pass

    def dies(start):
        for batch in batches(start):
            if batch["step"][0] == 5:
                raise Killed
            yield batch

    with pytest.raises(Killed):
        run(halves, steps=8, feed=dies)
    b = run(halves, steps=8)
    np.testing.assert_array_equal(np.asarray(a.state.params["w"]), np.asarray(b.state.params["w"]))
    assert (whole / "metrics.jsonl").read_bytes() == (halves / "metrics.jsonl").read_bytes()


def test_resume_drops_later_and_torn_lines(tmp_path):
    run(tmp_path, steps=4)
    path = tmp_path / "metrics.jsonl"
    want = path.read_bytes()
    with path.open("a") as file:
        file.write(json.dumps({"step": 9, "split": "train", "loss": 1.0}) + '\n{"step": 10, "spl')
    run(tmp_path, steps=4)
    assert path.read_bytes() == want


def test_best_state_is_given_back(tmp_path):
    scores = {2: 0.5, 4: 0.9, 6: 0.9, 8: 0.1}
    kept = {}

    def evaluate(state):
        kept[int(state.step)] = np.asarray(state.params["w"])
        return {"score": scores[int(state.step)]}

    result = run(tmp_path, steps=8, evaluate=evaluate, select="score", keep=1)
    assert result.step == 6, "the latest of equals"
    np.testing.assert_array_equal(np.asarray(result.state.params["w"]), kept[6])


@pytest.mark.parametrize(("select", "step"), [("quality_nll", 4), ("quality_auroc", 8)])
def test_the_least_of_a_falling_metric_is_best(tmp_path, select, step):
    values = {2: 0.7, 4: 0.2, 6: 0.4, 8: 0.9}

    def evaluate(state):
        return {select: values[int(state.step)]}

    result = run(tmp_path, evaluate=evaluate, select=select, keep=1, falling={"nll"})
    assert result.step == step
    said = [line[select] for line in lines(tmp_path) if line["split"] == "val"]
    assert said == list(values.values()), "the log holds what was measured"


def test_select_needs_a_reported_metric(tmp_path):
    with pytest.raises(ValueError, match=r"'f1' is not reported .* there are \['score'\]"):
        run(tmp_path, evaluate=lambda s: {"score": 1.0}, select="f1")
    with pytest.raises(ValueError, match="needs a validation split"):
        run(tmp_path / "b", select="f1")


def test_nan_stops_and_names_the_step(tmp_path):
    with pytest.raises(FloatingPointError, match=r"step 6: .*loss.* the last good state is step 4"):
        run(tmp_path, m=method(bad_at=5))
    assert not (tmp_path / "checkpoints" / "6").exists()
    assert lines(tmp_path)[-1]["step"] == 5


def test_foreign_checkpoint_is_refused(tmp_path):
    import optax

    from fiqa_jax.training import state

    run(tmp_path, steps=2)
    m = method()

    def init(key):
        params = {"w": jax.random.normal(key, (3,))}
        return state.create(params, {}, optax.sgd(0.1).init(params), ema=False)

    import dataclasses

    with pytest.raises(ValueError, match=r"checkpoint of step 2 .* does not fit this config"):
        run(tmp_path, steps=4, m=dataclasses.replace(m, init=init))


@pytest.mark.parametrize(
    ("share", "steps", "want"),
    [(0.25, 8, {2, 4, 6, 8}), (0.4, 7, {3, 6, 7}), (0.0, 5, {5}), (0.001, 3, {1, 2, 3})],
)
def test_every(share, steps, want):
    assert every(share, steps) == want


def test_count_steps():
    c = config(epochs=1.5, steps=0, batch=8)
    assert loop.count_steps(c, 21) == 4  # ceil(1.5 * 21 / 8)
    c.steps = 3
    with pytest.raises(ValueError, match="exactly one"):
        loop.count_steps(c, 21)
    c.epochs = 0.0
    assert loop.count_steps(c, 21) == 3
    c.update({"steps": 0, "epochs": 2.0})
    assert loop.count_steps(c, 10000, 4096) == 5  # cells, 4096 to a batch
    c.epochs = 0.0
    assert loop.count_steps(c, 21, loaded=True) == 0
    with pytest.raises(ValueError, match="exactly one"):
        loop.count_steps(c, 21)


def test_no_step_leaves_loaded_weights_as_they_are(tmp_path):
    def warm(state):
        return state.replace(params={"w": np.float32([7.0, -7.0])})

    result = loop.run(
        *(method(), batches, lambda _: {"a": 1.0}, devices.make("jit", jax.devices()[:1])),
        *(config(), 0, 0, tmp_path),
        warm=warm,
    )
    assert (result.step, int(result.state.step)) == (0, 0)
    assert result.state.params["w"].tolist() == [7.0, -7.0]
