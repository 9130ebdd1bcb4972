"""data.crop: the square about the field, the whole frame, the frame stretched to a square."""

import dataclasses

import fundus_disc
import numpy as np
import pytest
from PIL import Image

from fiqa_jax import defaults
from input_pipeline.photo.reader import READER_VERSION, read_photo
from input_pipeline.sources import mask_drawing, opening
from input_pipeline.sources.photo_files import PhotoReader


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A disc off the centre of a frame of 240 x 160, on grey."""
    path = tmp_path_factory.mktemp("squash") / "eye.png"
    image = fundus_disc.draw(240, 160, 100, 82, 70)
    image[:, -20:] = 30  # something beside the field
    Image.fromarray(image).save(path)
    return path


@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
def test_squash_is_pillows_resize_of_the_whole_frame(file, resample):
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    with Image.open(file) as picture:
        want = np.asarray(picture.convert("RGB").resize((64, 64), filters[resample]))
    photo = read_photo(file, 64, crop="squash", resample=resample)
    np.testing.assert_array_equal(photo.image, want)
    assert photo.box == (0, 0, 240, 160)


def test_the_field_is_known_in_all_of_them(file):
    """The same share of the field's pixels, as an ellipse 64 * 140 / 240 wide when squashed."""
    cut, whole, flat = (read_photo(file, 96, crop=c) for c in ("field", "frame", "squash"))
    assert cut.field == whole.field == flat.field == "circle"
    assert abs(cut.fov.mean() - np.pi / 4) < 0.01
    assert abs(whole.fov.sum() * (240 / 96) ** 2 / (np.pi * 70**2) - 1) < 0.03
    assert abs(flat.fov.any(0).sum() - 96 * 140 / 240) <= 2
    assert abs(flat.fov.any(1).sum() - 96 * 140 / 160) <= 2
    rows, columns = np.nonzero(flat.fov)
    assert abs(columns.mean() - 96 * 100 / 240) < 1
    assert abs(rows.mean() - 96 * 82 / 160) < 1


def test_what_lies_outside_the_field_stays_but_for_our_own_crop(file):
    assert read_photo(file, 96, crop="squash").image[48, -2].max() == 30
    whole = read_photo(file, 96, crop="frame").image
    assert whole[48, -2].max() == 30
    assert (whole[:16] == 0).all()  # 96 * (240 - 160) / 240 / 2 rows above the frame
    assert (whole[-16:] == 0).all()
    cut = read_photo(file, 96)
    assert (cut.image[cut.fov == 0] == 0).all()


def test_erased_boxes_are_black_and_no_field(file):
    box = (90, 70, 130, 100)
    for crop in ("frame", "squash"):
        photo = read_photo(file, 120, crop=crop, erase=(box,))
        x0, y0, x1, y1 = photo.box
        left, right = ((v - x0) / (x1 - x0) * 120 for v in box[::2])
        top, bottom = ((v - y0) / (y1 - y0) * 120 for v in box[1::2])
        inside = np.s_[round(top) + 2 : round(bottom) - 2, round(left) + 2 : round(right) - 2]
        assert photo.image[inside].max() == 0
        assert photo.fov[inside].max() == 0


def test_a_slice_is_squashed_in_one_channel(file):
    photo = read_photo(file, 32, modality="slice", crop="squash")
    with Image.open(file) as picture:
        want = np.asarray(picture.convert("L").resize((32, 32), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(photo.image[..., 0], want)
    assert photo.fov.all()


def test_masks_go_the_same_way(file):
    """A mask of the right half of the frame is the right half of the squashed photograph."""
    photo = read_photo(file, 60, crop="squash")
    mask = np.zeros((160, 240), np.uint8)
    mask[:, 120:] = 255
    out = mask_drawing.through_crop(mask, photo, "area")
    assert (out[:, :30] == 0).all()
    assert (out[:, 30:] == 255).all()


def test_a_reader_and_its_examples_are_named_after_the_crop(file):
    plain = PhotoReader(32, "fundus")
    flat = dataclasses.replace(plain, crop="squash")
    assert plain.settings() == f"photo {READER_VERSION}: 32 fundus ()"
    assert len({r.key(file) for r in (plain, flat)}) == 2
    assert flat.read(file)["image"].shape == (32, 32, 3)


def test_it_is_a_setting_of_the_data(file):
    data = defaults.base().data
    data.update({"source": "folder", "path": str(file.parent), "side": 32, "cache": "none"})
    data.update({"crop": "squash", "resample": "bicubic"})
    example = opening.make_source(data).read(0)
    want = read_photo(file, 32, crop="squash", resample="bicubic")
    np.testing.assert_array_equal(example["image"], want.image)
    np.testing.assert_array_equal(example["fov"], want.fov)
    data.crop = "square"
    with pytest.raises(ValueError, match=r"data.crop 'square'.*expected one of \('field', 'frame'"):
        opening.make_source(data).read(0)
