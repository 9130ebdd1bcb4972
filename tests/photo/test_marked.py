"""Drawings are marked whichever file of the package writes them; photographs are not."""

import io

import numpy as np
import pytest
from PIL import Image

from fiqa_jax.maps import map_files
from fiqa_jax.report import figures
from fiqa_jax.report.judged import thumbnails
from input_pipeline import marked
from input_pipeline.photo import contact_sheet, file_type
from input_pipeline.photo.reader import Photo


@pytest.fixture
def photo():
    pixels = np.full((64, 64, 3), 90, np.uint8)
    return Photo(pixels, np.ones((64, 64), np.uint8), (0, 0, 64, 64), (64, 64), "circle", {})


def test_maps_thumbnails_and_figures(tmp_path, photo):
    map_files.write(tmp_path / "maps", "a", photo, photo, np.full((8, 8), 0.7), 0.5, pair=True)
    thumbnails.save(tmp_path, "a", photo, np.full((8, 8), 0.7))
    from matplotlib.figure import Figure

    (tmp_path / "figure.png").write_bytes(figures.png(Figure(figsize=(1, 1))))
    pictures = [p for p in tmp_path.rglob("*") if p.suffix in (".png", ".jpg")]
    assert len(pictures) == 6  # map, overlay, pair, thumbnail, veil, figure
    for path in pictures:
        assert file_type.other_than_photograph(path) == "a picture that fiqa_jax drew", path


def test_contact_sheets(tmp_path):
    photo = Image.effect_noise((64, 64), 40).convert("RGB")
    photo.save(tmp_path / "a.png")
    assert contact_sheet.main([str(tmp_path), "--sheet", str(tmp_path / "sheet.png")]) == 0
    assert contact_sheet.find([str(tmp_path)]) == [tmp_path / "a.png"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_pixels_stay_and_photographs_have_no_mark(kind):
    picture = Image.effect_noise((32, 32), 40).convert("RGB")
    plain, made = io.BytesIO(), (marked.png if kind == "PNG" else marked.jpeg)(picture)
    picture.save(plain, kind)
    assert marked.is_marked(made)
    assert not marked.is_marked(plain.getvalue())
    both = (np.asarray(Image.open(io.BytesIO(data))) for data in (made, plain.getvalue()))
    np.testing.assert_array_equal(*both)
