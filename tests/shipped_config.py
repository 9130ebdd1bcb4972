"""A whole config.json of a model directory for tests that only care for a part of it."""

import json

from fiqa_jax.pretrained import shipped


def config(**changes):
    """That of the segmentor that comes with the package, with other fields in place of its own."""
    found = json.loads((shipped.FOLDER / "segmentor" / "config.json").read_text())
    return {**found, **changes}
