"""Keys are functions of (seed, stream, step, row); averages follow their definition."""

import jax
import jax.numpy as jnp
import numpy as np

from fiqa_jax.training import state


def key_data(key):
    return np.asarray(jax.random.key_data(key))


def test_streams_differ_by_seed_and_name():
    keys = [state.stream(0, "a"), state.stream(0, "b"), state.stream(1, "a")]
    data = {tuple(key_data(k).tolist()) for k in keys}
    assert len(data) == 3
    np.testing.assert_array_equal(key_data(keys[0]), key_data(state.stream(0, "a")))


def test_example_keys_depend_on_row_not_place():
    key = state.stream(0, "train")
    one = key_data(state.example_keys(key, jnp.array([7, 3])))
    two = key_data(state.example_keys(key, jnp.array([3, 9, 7])))
    np.testing.assert_array_equal(one[0], two[2])
    np.testing.assert_array_equal(one[1], two[0])
    later = key_data(state.example_keys(jax.random.fold_in(key, 6), jnp.array([7, 3])))
    assert (one != later).any()


def test_ema():
    params, stats = {"w": jnp.array([1.0])}, {"batch_stats": {"m": jnp.array([4.0])}}
    s = state.create(params, stats, (), ema=True)
    s = s.replace(params={"w": jnp.array([2.0])}, model_state={"batch_stats": {"m": jnp.zeros(1)}})
    s = state.update_ema(s, 0.75)
    used = state.variables(s)
    np.testing.assert_allclose(used["params"]["w"], 0.75 * 1.0 + 0.25 * 2.0)
    np.testing.assert_allclose(used["batch_stats"]["m"], 3.0)


def test_without_ema_the_weights_themselves_are_used():
    s = state.create({"w": jnp.ones(1)}, {}, (), ema=False)
    assert s.ema == {}
    assert state.variables(s)["params"] is s.params
