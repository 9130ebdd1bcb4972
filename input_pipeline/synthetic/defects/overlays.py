"""Burned-in text, marks and grids: the crispest thing in a photograph, and no retina."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from input_pipeline.synthetic.defects.defect import Base, Defect

WORDS = ("OD", "OS", "ID 4711", "2019-03-14 10:22", "45 DEG", "RIGHT EYE", "F/8 ISO 400", "MACULA")
INKS = ((255, 255, 255), (255, 255, 0), (0, 255, 0), (255, 0, 0), (0, 0, 0))


def text(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Lines of text inside the field, at times on a box of their own, with a mark or an arrow."""
    side = base.scene.side
    ink = Image.new("L", (side, side))
    box = Image.new("L", (side, side))
    draw, back = ImageDraw.Draw(ink), ImageDraw.Draw(box)
    size = round(side * (0.035 + 0.055 * severity) * rng.uniform(0.8, 1.2))
    font = ImageFont.load_default(max(size, 8))
    boxed = rng.random() < 0.4
    x, y = rng.uniform(0.12, 0.45) * side, rng.uniform(0.12, 0.7) * side
    for k in range(int(2 + 5 * severity)):
        line = WORDS[rng.integers(len(WORDS))]
        line = line if rng.random() < 0.5 else f"{line} {int(rng.integers(10**5))}"
        at = (x, y + 1.25 * k * size)
        draw.text(at, line, fill=255, font=font)
        if boxed:
            left, top, right, bottom = draw.textbbox(at, line, font=font)
            back.rectangle((left - 3, top - 3, right + 3, bottom + 3), fill=255)
    if rng.random() < 0.5:
        start = rng.uniform(0.2, 0.8, 2) * side
        end = start + rng.normal(0, 0.15, 2) * side
        draw.line((*start, *end), fill=255, width=max(2, size // 6))
        draw.ellipse((*(end - size / 3), *(end + size / 3)), fill=255)
    if rng.random() < 0.2:
        for k in range(1, 6):
            draw.line((k * side // 6, 0, k * side // 6, side), fill=255, width=2)
            draw.line((0, k * side // 6, side, k * side // 6), fill=255, width=2)
    letters = np.asarray(ink, np.float32) / 255
    paper = np.asarray(box, np.float32) / 255
    colour = np.array(INKS[rng.integers(len(INKS))], np.float32)
    ground = np.float32(255) - colour if boxed else colour
    opacity = np.maximum(letters, paper) * base.scene.fov
    picture = ground + letters[..., None] * (colour - ground)
    # between the strokes of a line of letters nothing can be read either
    closed = ndimage.grey_closing(opacity, size=max(3, size // 3))
    return Defect(
        closed.astype(np.float32),
        stamp=(opacity.astype(np.float32), picture.astype(np.float32)),
        opacity=(closed * base.scene.fov).astype(np.float32),
    )
