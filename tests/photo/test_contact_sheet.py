"""The command that shows what the reader finds."""

import subprocess
import sys

import numpy as np
import pytest
from fundus_disc import draw
from PIL import Image

from input_pipeline.photo import contact_sheet


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "photos" / "more"
    inside.mkdir(parents=True)
    Image.fromarray(draw(256, 200, 125, 100, 90)).save(tmp_path / "photos" / "field.jpg")
    Image.new("RGB", (80, 60), (90, 90, 90)).save(inside / "a very long name of a plain one.png")
    (tmp_path / "photos" / "broken.JPG").write_text("no picture")
    (tmp_path / "photos" / "notes.txt").write_text("not looked at")
    return tmp_path / "photos"


def test_a_line_per_photograph_a_count_and_a_page(folder, tmp_path, capsys):
    sheet = tmp_path / "out.png"
    assert contact_sheet.main([str(folder), "--sheet", str(sheet), "--side", "64"]) == 3
    *lines, count, wrote = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["error", "circle", "frame"]
    assert "broken.JPG: a text file" in lines[0]
    assert count == "3 files: 1 with a round field, 1 without, 1 that cannot be read"
    assert wrote == f"wrote {sheet}"
    page = np.asarray(Image.open(sheet)).astype(int)
    cell, gap = 64 + contact_sheet.LINES, contact_sheet.GAP
    assert page.shape == (cell + 2 * gap, 3 * (64 + gap) + gap, 3)
    # The circle, radius 90 of 256 pixels wide shown 64 wide, crosses the middle of the second cell
    # at 22.5 pixels left and right of its centre, 125 / 4 from the left.
    middle = page[gap + 32, gap + 70 : gap + 70 + 64]
    away = np.abs(middle - contact_sheet.COLOURS["circle"]).sum(axis=-1)
    assert sorted(np.argsort(away)[:2]) == pytest.approx([31.25 - 22.5, 31.25 + 22.5], abs=1.5)


def test_everything_readable_returns_0_and_needs_no_sheet(folder, capsys):
    (folder / "broken.JPG").unlink()
    assert contact_sheet.main([str(folder)]) == 0
    assert "2 files" in capsys.readouterr().out


def test_more_than_a_page(tmp_path):
    cells = [Image.new("RGB", (10, 20), (i, 0, 0)) for i in range(50)]
    pages = list(contact_sheet.pages(cells, tmp_path / "out.png"))
    assert [path.name for path, _ in pages] == ["out.png", "out-2.png"]
    gap = contact_sheet.GAP
    assert pages[0][1].size == (8 * (10 + gap) + gap, 6 * (20 + gap) + gap)
    assert pages[1][1].size == (2 * (10 + gap) + gap, 20 + gap + gap)
    assert pages[1][1].getpixel((gap + 10 + gap, gap)) == (49, 0, 0)


def test_nothing_to_show_and_wrong_boxes(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        contact_sheet.main([str(tmp_path)])
    assert stop.value.code == 2
    assert "no photographs" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        contact_sheet.main([str(tmp_path), "--erase", "1,2,3"])
    assert "LEFT,TOP,RIGHT,BOTTOM" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_a_line(tmp_path, capsys):
    assert contact_sheet.main([str(tmp_path / "none.jpg")]) == 4
    assert "no such file" in capsys.readouterr().out


def test_as_a_module(folder):
    done = subprocess.run(
        [sys.executable, "-m", "input_pipeline.photo", str(folder / "field.jpg")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.startswith("circle")
    assert not done.stderr
