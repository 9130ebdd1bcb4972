"""Losses: known values, absent labels weigh nothing, masked equals sliced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, log_softmax

from fiqa_jax.training import losses
from fiqa_jax.training.devices import Axis

LOGITS = np.array([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3], [-3.0, 4.0, 0.0], [1.0, 1.0, 1.0]])


def test_cross_entropy_is_minus_log_softmax():
    labels = np.array([0, 2, 1, 1], np.int32)
    value, valid = losses.cross_entropy(jnp.asarray(LOGITS), jnp.asarray(labels))
    want = -log_softmax(LOGITS, -1)[np.arange(4), labels]
    np.testing.assert_allclose(value, want, rtol=1e-5)
    np.testing.assert_array_equal(valid, 1.0)


def test_label_smoothing():
    value, _ = losses.cross_entropy(jnp.asarray(LOGITS), jnp.array([0, 2, 1, 1]), 0.3)
    lp = log_softmax(LOGITS, -1)
    target = 0.7 * np.eye(3)[[0, 2, 1, 1]] + 0.3 / 3
    np.testing.assert_allclose(value, -(target * lp).sum(-1), rtol=1e-5)


def test_absent_labels_equal_sliced_rows():
    labels = jnp.array([0, -1, 1, -1])
    value, valid = losses.cross_entropy(jnp.asarray(LOGITS), labels)
    masked = losses.masked_mean(value, valid, Axis())
    kept = jnp.array([0, 2])
    sliced, _ = losses.cross_entropy(jnp.asarray(LOGITS)[kept], labels[kept])
    np.testing.assert_allclose(masked, sliced.mean(), rtol=1e-6)
    np.testing.assert_array_equal(valid, [1, 0, 1, 0])


def test_absent_labels_give_no_gradient():
    labels = jnp.array([0, -1, 1, -1])

    def loss(x):
        return losses.masked_mean(*losses.cross_entropy(x, labels), Axis())

    grad = jax.grad(loss)(jnp.asarray(LOGITS))
    np.testing.assert_array_equal(grad[jnp.array([1, 3])], 0.0)
    assert (np.abs(grad[jnp.array([0, 2])]).sum(-1) > 1e-3).all()


def test_binary_cross_entropy():
    logits = np.array([[1.5, -2.0], [0.0, 3.0]])
    targets = np.array([[1.0, -1.0], [0.25, 0.0]])
    value, valid = losses.binary_cross_entropy(jnp.asarray(logits), jnp.asarray(targets))
    p = expit(logits)
    want = -(targets * np.log(p) + (1 - targets) * np.log1p(-p))
    np.testing.assert_allclose(value[0, 0], want[0, 0], rtol=1e-5)
    np.testing.assert_allclose(value[1], want[1], rtol=1e-5)
    np.testing.assert_array_equal(valid, [[1, 0], [1, 1]])


def test_int8_labels_with_absent():
    """The batch's dtype of details is int8 with -1: nothing may wrap."""
    labels = jnp.array([[1, -1], [0, 1]], jnp.int8)
    value, valid = losses.binary_cross_entropy(jnp.zeros((2, 2)), labels)
    np.testing.assert_allclose(value, np.log(2.0), rtol=1e-6)
    np.testing.assert_array_equal(valid, [[1, 0], [1, 1]])


def test_nothing_labelled_is_zero_and_finite():
    def loss(x):
        return losses.masked_mean(*losses.cross_entropy(x, jnp.full((4,), -1)), Axis())

    value, grad = jax.value_and_grad(loss)(jnp.asarray(LOGITS))
    assert value == 0.0
    np.testing.assert_array_equal(grad, 0.0)


def test_total_weighs_terms():
    ones = jnp.ones((2,))
    terms = {"a": losses.Term(3 * ones, ones, 2.0), "b": losses.Term(5 * ones, ones, 0.5)}
    value, parts = losses.total(terms, Axis())
    assert float(value) == pytest.approx(8.5)
    assert {k: float(v) for k, v in parts.items()} == {"a": 3.0, "b": 5.0}


def test_inverse_frequency():
    weights = losses.inverse_frequency(jnp.array([0, 1, 2, -1]), (60, 30, 10))
    np.testing.assert_allclose(weights, [100 / 180, 100 / 90, 100 / 30, 0.0], rtol=1e-6)
    # over the training set itself the weights average to one
    counts = np.array([60, 30, 10])
    np.testing.assert_allclose((np.asarray(weights[:3]) * counts).sum() / 100, 1.0, rtol=1e-6)
