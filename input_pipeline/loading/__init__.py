"""Batches in an order that (seed, step) decide, by tf.data or by threads."""
