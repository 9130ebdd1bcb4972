"""Which page of a file of several is the photograph."""

from PIL import ImageFile

from input_pipeline.photo.errors import problem
from input_pipeline.photo.limits import check_size

MAX_PAGES = 64  # of a file that are looked at
PAGED = ("TIFF",)  # formats whose pages have sizes of their own; elsewhere they are one canvas


def choose_page(image: ImageFile.ImageFile, name: str) -> str:
    """Goes to the largest page of a file of several; says what else it holds.

    Frames on one canvas (GIF, WebP, PNG, AVIF) are all of its size and are not gone to: on the way
    to one Pillow decodes all before it.

    Args:
      image: opened, at its first page, none of which is decoded.
      name: for messages.

    Returns:
      '' for one page; else the pages and their sizes, in a line.

    Raises:
      PhotoError: two pages or more of like size, any of which may be the photograph; or a page that
        is too large.
    """
    check_size(*image.size, name)
    count = int(getattr(image, "n_frames", 1))
    if count < 2:
        return ""
    sizes = [image.size] * min(count, MAX_PAGES)
    if image.format in PAGED:
        for page in range(1, len(sizes)):
            image.seek(page)
            sizes[page] = image.size
    order = sorted(range(len(sizes)), key=lambda page: sizes[page][0] * sizes[page][1])
    first, second = sizes[order[-1]], sizes[order[-2]]
    listed = ", ".join(f"{w} x {h}" for w, h in sizes[:5]) + (", ..." if count > 5 else "")
    if 2 * second[0] > first[0] and 2 * second[1] > first[1]:
        raise problem(
            name,
            f"{count} pages or frames ({listed} pixels), any of which may be the photograph",
            "export each to a file of its own",
        )
    image.seek(order[-1])
    check_size(*image.size, name)
    return f"{count} pages of {listed} pixels; the largest is read"
