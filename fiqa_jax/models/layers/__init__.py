"""Layers that networks are made of: normalisation, pooling, gates, positions, initial weights."""
