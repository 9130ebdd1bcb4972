"""The page: everything in it is escaped, nothing is loaded from elsewhere, sections come back."""

import base64
import re

import pytest

from fiqa_jax.report import figures, page
from fiqa_jax.report.page import Gallery, Picture, Section, Table

PNG = figures.reliability_diagram([0.2, 0.8], [0, 1], "x")
JPEG = b"\xff\xd8\xff\xe0" + bytes(20)
SECTIONS = [
    Section(
        "First <part>",
        (
            "Text with <b>no</b> markup & more.",
            Table(("metric", "value"), (("AUROC", "0.9|0.8 to 0.95"), ("a<b", ""))),
            Picture("p", PNG, "a caption"),
        ),
    ),
    Section(
        "Second",
        (Gallery((Picture("q", JPEG, "one\ntwo"), Picture("r", JPEG, "")), "both"),),
        opened=False,
    ),
]


def test_page_is_escaped_and_self_contained():
    text = page.render("T & T", "lead", SECTIONS)
    assert "<title>T &amp; T</title>" in text
    assert "First &lt;part&gt;" in text
    assert "&lt;b&gt;no&lt;/b&gt; markup &amp; more." in text
    assert "<td>a&lt;b</td>" in text
    assert "<td>0.9<small>0.8 to 0.95</small></td>" in text
    assert "one<br>two" in text
    assert not re.search(r"https?:|<script|<link|url\(|@import", text)
    for source in re.findall(r'src="([^"]*)"', text):
        assert source.startswith(("data:image/png;base64,", "data:image/jpeg;base64,"))
    assert f"data:image/png;base64,{base64.b64encode(PNG).decode()}" in text


def test_links_lead_to_sections_and_folded_ones_are_folded():
    text = page.render("T", "lead", SECTIONS)
    links = re.findall(r'<a href="#(\w+)">', text)
    assert links == re.findall(r'<details id="(\w+)"', text)
    assert [" open" in tag for tag in re.findall(r"<details [^>]*>", text)] == [True, False]


def test_drawings_have_their_true_size():
    wide = int.from_bytes(PNG[16:20], "big")
    text = page.render("T", "", [Section("s", (Picture("p", PNG, ""),))])
    width = int(re.search(r'style="width:(\d+)px"', text)[1])
    assert width == pytest.approx(wide / figures.DPI * 96, abs=1)


def test_sections_come_back_from_their_folder(tmp_path):
    for section in (*SECTIONS, Section("s", ("Maps.",), first=True)):
        page.save_section(tmp_path, section)
        assert page.load_section(tmp_path) == section
    assert (tmp_path / "p.png").read_bytes() == PNG
    assert not list(tmp_path.glob(".*"))


def test_pictures_of_all_sections():
    assert [one.name for one in page.pictures(SECTIONS)] == ["p", "q", "r"]


def test_other_files_are_no_pictures():
    with pytest.raises(ValueError, match="must be PNG or JPEG"):
        page.suffix(b"GIF89a")
