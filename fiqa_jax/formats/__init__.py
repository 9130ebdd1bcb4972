"""Published weights that `python -m fiqa_jax.convert` understands, one file a family."""

from fiqa_jax.formats import torchvision_resnet
from fiqa_jax.formats.rules import Format

# what --format takes
FORMATS: dict[str, Format] = {
    "torchvision_resnet": torchvision_resnet.FORMAT,
}
