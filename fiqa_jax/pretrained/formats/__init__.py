"""Published weights that `python -m fiqa_jax.convert` understands, one file a family."""

from fiqa_jax.pretrained.formats import (
    efiqa_adapter,
    efiqa_cp,
    lwnet,
    mkcnet,
    mobilenet,
    rrwnet,
    torchvision_resnet,
    vit,
    vuad,
)
from fiqa_jax.pretrained.formats.rules import Format

# what --format takes
FORMATS: dict[str, Format] = {
    "efiqa_adapter": efiqa_adapter.FORMAT,
    "efiqa_cp": efiqa_cp.FORMAT,
    "lwnet": lwnet.FORMAT,
    "mkcnet_meta_q2": mkcnet.META[2],
    "mkcnet_meta_q3": mkcnet.META[3],
    "mkcnet_task": mkcnet.TASK,
    "torchvision_resnet": torchvision_resnet.FORMAT,
    "mobilenet": mobilenet.FORMAT,
    **rrwnet.FORMATS,
    "vuad": vuad.FORMAT,
    **vit.FORMATS,
}
