"""Six synthetic eyes of five people in files, and settings that degrade them."""

import pytest
from PIL import Image

from fiqa_jax import defaults
from input_pipeline import synthetic

ALL = ("illumination", "clarity", "contrast", "artefact")
EYES = ("p1 left", "p1 right", "p2 left", "p3 left", "p4 left", "p5 left")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Six synthetic eyes of five people as files, their masks beside, and a table of both."""
    root = tmp_path_factory.mktemp("eyes")
    for folder in ("images", "vessels"):
        (root / folder).mkdir()
    lines = ["path,vessels,person,grade"]
    for i, eye in enumerate(EYES):
        drawn = synthetic.draw(i, 128, "a")
        Image.fromarray(drawn.image).save(root / "images" / f"{eye}.png")
        Image.fromarray(drawn.vessels[..., 2]).save(root / "vessels" / f"{eye}.png")
        lines.append(f"images/{eye}.png,vessels/{eye}.png,{eye[:2]},{'ab'[i % 2]}")
    (root / "eyes.csv").write_text("\n".join(lines) + "\n")
    return root


def a_section(root, base="folder", **changes):
    section = defaults.base().data
    section.update({"source": "degraded", "base": base, "side": 48, "workers": 1, "copies": 3})
    section.update({"details": ALL, "driver": "threads", "cache": "none"})
    section.path = str(root / "images") if base == "folder" else str(root / "eyes.csv")
    with section.ignore_type():
        section.update(changes)
    return section


PERSON = (("patient", "person"),)
