"""fiqa_jax: quality assessment of colour fundus photographs in JAX and Flax.

    import fiqa_jax
    fiqa_jax.judge("photo.jpg")

Public names are imported when they are used: importing the package loads neither JAX nor NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fiqa_jax.inference.judging import judge as judge
    from fiqa_jax.inference.judging import to_frame as to_frame
    from fiqa_jax.inference.predictor import Predictor as Predictor

__version__ = "0.1.0"

_PUBLIC = {
    "Predictor": "fiqa_jax.inference.predictor",
    "judge": "fiqa_jax.inference.judging",
    "to_frame": "fiqa_jax.inference.judging",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'fiqa_jax' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
