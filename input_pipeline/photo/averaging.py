"""Large pictures made smaller by averaging, without a second copy of all their pixels."""

from PIL import Image

MODES = ("RGB", "L", "RGBA", "LA", "CMYK")  # of Pillow, that can be averaged
STRIP = 64  # rows of the result that are made at a time


def averaged(image: Image.Image, scale: int) -> Image.Image:
    """Means of `scale` x `scale` pixels; at the right and at the bottom of what is left there.

    Pillow multiplies colour by alpha before and divides after, in a copy of what it is given; so a
    picture with alpha is given strip by strip.

    Args:
      image: of one of MODES; scale: 2 or more.
    """
    width, height = image.size
    out = Image.new(image.mode, (-(-width // scale), -(-height // scale)))
    for row in range(0, out.height, STRIP):
        top, bottom = row * scale, min(height, (row + STRIP) * scale)
        out.paste(image.crop((0, top, width, bottom)).reduce(scale), (0, row))
    out.info = dict(image.info)
    return out
