"""fiqa_jax: quality assessment of colour fundus photographs in JAX and Flax."""

__version__ = "0.1.0"
