"""Photographs and their labels as batches of numpy arrays. Nothing here imports JAX."""
