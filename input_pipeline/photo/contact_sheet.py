"""Pages of thumbnails with the field of view found drawn on them, to check it on one's own camera.

`python -m input_pipeline.photo FOLDER_OR_FILES --sheet out.png`
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from input_pipeline import atomic, exit_status, marked, plain_text
from input_pipeline.photo import decode, file_type
from input_pipeline.photo.file_type import SUFFIXES
from input_pipeline.photo.reader import Photo, PhotoError, read_photo

COLUMNS, ROWS = 8, 6  # thumbnails on a page
LINES = 30  # pixels of text under each
GAP = 6
BACKGROUND, INK = (24, 24, 28), (235, 235, 235)
COLOURS = {"circle": (70, 230, 200), "frame": (255, 170, 60), "error": (255, 90, 90)}


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a line per photograph and writes the pages; returns 1 if one could not be read."""
    parser = argparse.ArgumentParser(
        prog="fiqa fields",
        description="Shows where the field of view is found in photographs.",
    )
    parser.add_argument("paths", nargs="+", help="photographs, or folders searched for them")
    parser.add_argument("--sheet", help="PNG to write; further pages get -2, -3, ...")
    parser.add_argument("--side", type=int, default=128, help="pixels of a thumbnail")
    parser.add_argument(
        "--erase",
        type=_box,
        action="append",
        default=[],
        metavar="LEFT,TOP,RIGHT,BOTTOM",
        help="a box in original pixels painted black first; may be repeated",
    )
    options = parser.parse_args(argv)
    files = find(options.paths)
    if not files:
        parser.error(
            f"no photographs in {', '.join(options.paths)}; looked for {', '.join(SUFFIXES)}"
        )
    return exit_status.run("photo", lambda: work(files, options))


def work(files: Sequence[Path], options: argparse.Namespace) -> int:
    """Reads and shows the photographs; returns the exit status."""
    count = dict.fromkeys(COLOURS, 0)
    cells = []
    for file in files:
        try:
            photo: Photo | None = read_photo(file, options.side, erase=options.erase)
        except PhotoError as error:
            photo, kind, line = None, "error", str(error)
        else:
            assert photo is not None
            kind, line = photo.field, f"{file}: {photo.meta['field']}"
        print(f"{kind:6s} {plain_text.printable(line, keep=())}", flush=True)
        count[kind] += 1
        if options.sheet:
            cells.append(_cell(file, photo, options.side))
    print(
        f"{len(files)} files: {count['circle']} with a round field, {count['frame']} without, "
        f"{count['error']} that cannot be read"
    )
    if options.sheet:
        for path, page in pages(cells, Path(options.sheet)):
            atomic.write(path, marked.png(page))
            print(f"wrote {path}")
    return exit_status.of_files(count["error"], len(files))


def find(paths: Sequence[str]) -> list[Path]:
    """The files named, and those in the folders named that end like photographs, in order."""
    found = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = (f for f in path.rglob("*") if f.is_file() and f.name[0] != ".")
            found += sorted(f for f in inside if not file_type.other_than_photograph(f))
        else:
            found.append(path)
    return found


def pages(cells: Sequence[Image.Image], first: Path) -> Iterator[tuple[Path, Image.Image]]:
    """Cells of equal size laid out on pages, and the file name of each."""
    per_page = COLUMNS * ROWS
    for number in range(math.ceil(len(cells) / per_page)):
        part = cells[number * per_page : (number + 1) * per_page]
        width, height = part[0].width + GAP, part[0].height + GAP
        columns = min(COLUMNS, len(part))
        rows = math.ceil(len(part) / columns)
        page = Image.new("RGB", (columns * width + GAP, rows * height + GAP), BACKGROUND)
        for i, cell in enumerate(part):
            page.paste(cell, (GAP + i % columns * width, GAP + i // columns * height))
        suffix = f"-{number + 1}" if number else ""
        yield first.with_name(f"{first.stem}{suffix}{first.suffix or '.png'}"), page


def _cell(file: Path, photo: Photo | None, side: int) -> Image.Image:
    """One photograph with its circle, the verdict on it and its name."""
    cell = Image.new("RGB", (side, side + LINES), BACKGROUND)
    draw = ImageDraw.Draw(cell)
    font = ImageFont.load_default(size=11)
    kind, text = "error", "cannot be read"
    if photo is not None:
        kind = text = photo.field
        cell.paste(_drawn(file, photo, side))
    draw.text((2, side), text, fill=COLOURS[kind], font=font)
    draw.text((2, side + 14), _shortened(file.name, side - 4, font), fill=INK, font=font)
    return cell


def _drawn(file: Path, photo: Photo, side: int) -> Image.Image:
    """The photograph in the middle of side x side pixels, brightened so that a dim edge shows.

    Drawn at twice the size and reduced, which smooths the lines.
    """
    upright = decode.decode(file, short_side=2 * side)
    canvas = Image.new("RGB", (2 * side, 2 * side), BACKGROUND)
    shrink = 2 * side / max(upright.size)
    width, height = (max(1, round(edge * shrink)) for edge in upright.size)
    picture = upright.image.resize((width, height), Image.Resampling.BILINEAR)
    picture = picture.point([round(255 * math.sqrt(level / 255)) for level in range(256)] * 3)
    at = ((2 * side - width) // 2, (2 * side - height) // 2)
    canvas.paste(picture, at)
    draw = ImageDraw.Draw(canvas)
    colour = COLOURS[photo.field]
    if photo.field == "circle":
        corners = tuple(edge * shrink + at[i % 2] for i, edge in enumerate(photo.box))
        draw.ellipse(corners, outline=colour, width=2)
    else:
        draw.rectangle((*at, at[0] + width - 1, at[1] + height - 1), outline=colour, width=2)
    return canvas.reduce(2)


def _shortened(name: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The name, its middle left out where it is too wide."""
    keep = len(name)
    text = name
    while font.getlength(text) > width and keep > 4:
        keep -= 1
        text = f"{name[: keep // 2]}…{name[len(name) - (keep - keep // 2) :]}"
    return text


def _box(text: str) -> tuple[int, int, int, int]:
    try:
        left, top, right, bottom = (int(edge) for edge in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}; expected four whole numbers, LEFT,TOP,RIGHT,BOTTOM"
        ) from None
    return left, top, right, bottom
