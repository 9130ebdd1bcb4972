"""One self-contained HTML page from plain data: sections of paragraphs, tables, pictures.

The page loads nothing from elsewhere: pictures are in it, there is no script. It reads on a phone
as well as on paper.
"""

import base64
import dataclasses
import html
import json
from collections.abc import Sequence
from pathlib import Path

from fiqa_jax.report import figures
from input_pipeline import atomic, records

SECTION = "section.json"
# Nothing runs and nothing is loaded: a page has pictures and one style of its own.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of text; cells hold plain text, `|` in a cell starts a second, smaller line."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A PNG or JPEG with its caption."""

    name: str  # of the file beside the page, without suffix; unique in the report
    data: bytes
    caption: str


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Small pictures side by side, each with a caption."""

    pictures: tuple[Picture, ...]
    caption: str = ""


Item = str | Table | Picture | Gallery


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the report: paragraphs (str), tables and pictures in the order shown."""

    title: str
    items: tuple[Item, ...]
    opened: bool = True  # False: folded until the reader opens it
    first: bool = False  # before the report's other sections, whichever stage it is from


def suffix(data: bytes) -> str:
    """'.png' or '.jpg' by the first bytes. Raises: ValueError for anything else."""
    if data.startswith(b"\x89PNG"):
        return ".png"
    if data.startswith(b"\xff\xd8"):
        return ".jpg"
    raise ValueError(f"a picture must be PNG or JPEG; this one starts with {data[:8]!r}")


def render(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The page as HTML text.

    Args:
      title: of the page; `lead`: one or two sentences below it.
      sections: in order; a list of links comes before them.
    """
    names = [f"s{k}" for k in range(len(sections))]
    links = "".join(
        f'<a href="#{name}">{html.escape(section.title)}</a>'
        for name, section in zip(names, sections, strict=True)
    )
    body = "".join(_section(name, part) for name, part in zip(names, sections, strict=True))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f'<h1>{html.escape(title)}</h1><p class="lead">{html.escape(lead)}</p>'
        f"<nav>{links}</nav>{body}</main></body></html>\n"
    )


def pictures(sections: Sequence[Section]) -> list[Picture]:
    """Every picture of the sections, galleries included."""
    out: list[Picture] = []
    for section in sections:
        for item in section.items:
            if isinstance(item, Picture):
                out.append(item)
            elif isinstance(item, Gallery):
                out += item.pictures
    return out


def save_section(directory: Path, section: Section) -> None:
    """Leaves a section in a stage's folder; the report shows it with that stage.

    Writes `section.json` and its pictures beside it (`<name>.png`).
    """
    for picture in pictures([section]):
        atomic.write(directory / f"{picture.name}{suffix(picture.data)}", picture.data)
    content = {
        "title": section.title,
        "opened": section.opened,
        "first": section.first,
        "items": [_to_json(item) for item in section.items],
    }
    atomic.write(directory / SECTION, (json.dumps(content, indent=1) + "\n").encode())


def load_section(directory: Path) -> Section:
    """A section that `save_section` wrote."""
    content = records.read(directory / SECTION)
    items = tuple(_from_json(item, directory) for item in content["items"])
    return Section(content["title"], items, content["opened"], content.get("first", False))


def _to_json(item: Item) -> object:
    if isinstance(item, str):
        return item
    if isinstance(item, Table):
        return {"head": item.head, "rows": item.rows, "caption": item.caption}
    if isinstance(item, Picture):
        return {"file": f"{item.name}{suffix(item.data)}", "caption": item.caption}
    return {"gallery": [_to_json(picture) for picture in item.pictures], "caption": item.caption}


def _from_json(item: "str | dict", directory: Path) -> Item:
    if isinstance(item, str):
        return item
    if "gallery" in item:
        inside = [_from_json(entry, directory) for entry in item["gallery"]]
        shown = tuple(entry for entry in inside if isinstance(entry, Picture))
        return Gallery(shown, item["caption"])
    if "file" in item:
        file = directory / item["file"]
        return Picture(file.stem, file.read_bytes(), item["caption"])
    return Table(tuple(item["head"]), tuple(tuple(row) for row in item["rows"]), item["caption"])


def _section(name: str, section: Section) -> str:
    inside = "".join(_item(item) for item in section.items)
    state = " open" if section.opened else ""
    title = html.escape(section.title)
    return f'<details id="{name}"{state}><summary><h2>{title}</h2></summary>{inside}</details>'


def _item(item: Item) -> str:
    if isinstance(item, str):
        return f"<p>{html.escape(item)}</p>"
    if isinstance(item, Table):
        return _table(item)
    if isinstance(item, Picture):
        return f"<figure>{_image(item)}{_caption(item.caption)}</figure>"
    cells = "".join(
        f"<figure>{_image(picture)}{_caption(picture.caption)}</figure>"
        for picture in item.pictures
    )
    title = f'<p class="caption">{html.escape(item.caption)}</p>' if item.caption else ""
    return f'{title}<div class="gallery">{cells}</div>'


def _table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in table.head)
    rows = "".join(
        "<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    caption = f'<p class="caption">{html.escape(table.caption)}</p>' if table.caption else ""
    return (
        f'{caption}<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _cell(text: str) -> str:
    first, line, second = text.partition("|")
    return html.escape(first) + (f"<small>{html.escape(second)}</small>" if line else "")


def _image(picture: Picture) -> str:
    kind = {".png": "png", ".jpg": "jpeg"}[suffix(picture.data)]
    code = base64.b64encode(picture.data).decode()
    # Drawings at their true size; photographs fill their cell of the gallery.
    wide = int.from_bytes(picture.data[16:20], "big") * 96 // figures.DPI if kind == "png" else 0
    width = f' style="width:{wide}px"' if wide else ""
    return (
        f'<img alt="{html.escape(picture.caption)}"{width} src="data:image/{kind};base64,{code}">'
    )


def _caption(text: str) -> str:
    lines = [html.escape(line) for line in text.split("\n") if line]
    return f"<figcaption>{'<br>'.join(lines)}</figcaption>" if lines else ""


_STYLE = """
:root { color-scheme: light; --ink: #1c1f23; --soft: #5c6570; --line: #dfe3e8; --link: #0b5cad; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.2rem 1rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .4rem 0; }
h2 { font-size: 1.15rem; display: inline; }
.lead { color: var(--soft); margin: 0 0 1rem; max-width: 46rem; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1rem; padding-bottom: 1rem;
  border-bottom: 1px solid var(--line); font-size: .9rem; }
a { color: var(--link); text-decoration: none; }
details { border-bottom: 1px solid var(--line); padding: .8rem 0; }
summary { cursor: pointer; padding: .2rem 0; }
details p { max-width: 46rem; margin: .7rem 0; }
.scroll { overflow-x: auto; margin: .4rem 0 1.2rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; }
td { max-width: 30rem; overflow-wrap: break-word; }
td small { display: block; color: var(--soft); font-size: .8em; white-space: nowrap; }
figure { margin: .6rem 1rem .6rem 0; display: inline-block; vertical-align: top; max-width: 100%; }
img { max-width: 100%; height: auto; display: block; }
figcaption, details .caption { color: var(--soft); font-size: .85rem; margin: .3rem 0; }
figcaption { max-width: 29rem; }
details .caption { margin-top: 1.2rem; max-width: none; }
.gallery { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); }
.gallery figure { margin: 0; display: block; }
.gallery img { width: 100% !important; background: #000; }
@media print { details { break-inside: avoid; } }
"""
