"""The photograph reader from end to end: synthetic and, where they are, real photographs."""

import concurrent.futures
import io
import subprocess
import sys

import numpy as np
import pytest
from encoded import pack
from fundus_disc import draw
from PIL import Image

from input_pipeline.photo import decode, reader
from input_pipeline.photo.reader import PhotoError, read_photo

STAMP = (568, 4, 680, 26)  # DRIMDB's burned-in date, in original pixels


def test_a_drawn_photograph_end_to_end():
    got = read_photo(draw(512, 342, 257.2, 170.6, 238.4), 96)
    assert got.field == "circle"
    assert got.size == (512, 342)
    assert got.meta["format"] == "array"
    np.testing.assert_allclose(got.box, (18.8, -67.8, 495.6, 409.0), atol=0.6)
    assert got.image.shape == (96, 96, 3)
    assert got.image.dtype == got.fov.dtype == np.uint8
    # The field is cut at y = 0 and y = 342, that is at rows 13.65 and 82.5 of 96.
    assert not got.fov[:13].any()
    assert not got.fov[83:].any()
    assert got.fov[15:81, 48].all()
    assert not got.image[got.fov == 0].any()
    # Mean colour inside: the drawn colour less what the vessels absorb.
    red, green, blue = got.image[got.fov == 1].mean(axis=0)
    assert 170 < red < 192
    assert 75 < green < 96
    assert 25 < blue < 36


def test_where_no_field_is_found_the_frame_is_used():
    got = read_photo(np.full((60, 100, 3), 90, np.uint8), 50)
    assert got.field == "frame"
    assert got.box == (0, -20, 100, 80)
    np.testing.assert_array_equal(got.fov[10:40], 1)
    assert got.fov.sum() == 30 * 50
    np.testing.assert_array_equal(got.image, 90 * got.fov[..., None] * np.ones(3, np.uint8))
    assert "no dark surround" in got.meta["field"]


def test_slices_have_one_channel_and_no_field():
    disc = draw(512, 400, 250, 200, 180)
    got = read_photo(disc, 64, modality="slice")
    assert got.image.shape == (64, 64, 1)
    assert got.field == "frame"
    assert got.box == (0, -56, 512, 456)
    assert got.fov.sum() == 64 * 50


def test_unknown_modalities_and_sizes_are_refused():
    disc = np.zeros((60, 60), np.uint8)
    with pytest.raises(ValueError, match="'oct'; expected 'fundus' or 'slice'"):
        read_photo(disc, 64, modality="oct")
    with pytest.raises(ValueError, match="side 0"):
        read_photo(disc, 0)
    with pytest.raises(ValueError, match="left < right"):
        read_photo(disc, 64, erase=[(10, 10, 10, 20)])


def test_erased_boxes_are_black_and_not_seen():
    image = draw(512, 400, 250, 200, 180)
    image[150:170, 200:260] = 255  # a stamp
    box = (197, 147, 261, 171)
    got = read_photo(image, 90, erase=[box])
    plain = read_photo(draw(512, 400, 250, 200, 180), 90)
    np.testing.assert_allclose(got.box, plain.box, atol=0.01)
    # 4 original pixels per output pixel, from 70 and 20: the box touches columns 31..47 and rows
    # 31..37; the filter reaches one further.
    hole = np.zeros((90, 90), bool)
    hole[30:39, 30:49] = True
    assert not got.fov[hole].any()
    np.testing.assert_array_equal(got.fov[~hole], plain.fov[~hole])
    np.testing.assert_array_equal(got.image[~hole], plain.image[~hole])


def test_a_stamp_leaves_nothing_behind_when_decoded_at_a_reduced_scale():
    image = draw(2048, 1600, 1000, 800, 720)
    box = (801, 603, 1043, 697)
    clean = image.copy()
    image[603:697, 801:1043] = (0, 255, 0)
    got = read_photo(pack(image, quality=90), 180, erase=[box])
    want = read_photo(pack(clean, quality=90), 180, erase=[box])
    np.testing.assert_array_equal(got.fov, want.fov)
    assert np.abs(got.image.astype(int) - want.image).max() <= 2


def test_erasing_everything_is_an_error():
    with pytest.raises(PhotoError, match=r"nothing is left.*check `erase`"):
        read_photo(np.full((60, 100), 90, np.uint8), 32, erase=[(0, 0, 100, 60)])


def test_small_photographs_are_enlarged():
    got = read_photo(draw(96, 72, 47.6, 35.2, 34.0), 256)
    assert got.field == "circle"
    np.testing.assert_allclose(got.box, (13.6, 1.2, 81.6, 69.2), atol=0.6)
    assert got.image.shape == (256, 256, 3)


@pytest.fixture(scope="module")
def large_jpeg():
    return pack(draw(2101, 1403, 1030, 707, 670, noise=4), quality=92)


def test_path_bytes_and_threads_give_the_same_bytes(large_jpeg, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(large_jpeg)
    first = read_photo(large_jpeg, 128)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        others = list(pool.map(lambda _: read_photo(path, 128), range(6)))
    for other in [*others, read_photo(str(path), 128)]:
        assert other.image.tobytes() == first.image.tobytes()
        assert other.fov.tobytes() == first.fov.tobytes()
        assert (other.box, other.size, other.field) == (first.box, first.size, first.field)
        assert other.meta == first.meta


def _without_scaling(monkeypatch, source, side):
    with monkeypatch.context() as patch:
        patch.setattr(decode, "_scale", lambda *_: 1)
        return read_photo(source, side)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_scaled_decoding_changes_next_to_nothing(orientation, large_jpeg, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    Image.open(io.BytesIO(large_jpeg)).save(out, "JPEG", quality=92, exif=exif)
    scaled = read_photo(out.getvalue(), 128)
    full = _without_scaling(monkeypatch, out.getvalue(), 128)
    assert scaled.size == full.size
    np.testing.assert_allclose(scaled.box, full.box, atol=1.5)  # of 2101 pixels
    both = (scaled.fov == 1) & (full.fov == 1)
    assert both.sum() > 0.99 * full.fov.sum()
    assert np.abs(scaled.image[both].astype(int) - full.image[both]).mean() < 0.5


def test_the_box_is_in_original_pixels_after_scaled_decoding(large_jpeg):
    got = read_photo(large_jpeg, 128)
    np.testing.assert_allclose(got.box, (360, 37, 1700, 1377), atol=1.5)


def test_a_kept_photograph_can_be_had_larger_without_being_decoded_again(monkeypatch):
    disc = draw(512, 342, 257.2, 170.6, 238.4)
    want = read_photo(disc, 300)
    kept = read_photo(disc, 96, keep=True)
    for module, name in ((decode, "decode"), (reader, "view")):
        monkeypatch.setattr(module, name, None)
    got = kept.larger(300)
    np.testing.assert_array_equal(got.image, want.image)
    np.testing.assert_array_equal(got.fov, want.fov)
    assert (got.box, got.scope, got.meta) == (want.box, want.scope, want.meta)


def test_a_kept_reduced_jpeg_is_decoded_again_but_not_searched(large_jpeg, monkeypatch):
    want = read_photo(large_jpeg, 1340)
    assert read_photo(large_jpeg, 96).larger is None
    kept = read_photo(large_jpeg, 96, keep=True)
    monkeypatch.setattr(reader, "view", None)
    got = kept.larger(1340)
    assert got.box == kept.box  # found on the reduced picture, within a pixel of that on the whole
    np.testing.assert_allclose(got.box, want.box, atol=2)
    both = (got.fov & want.fov).sum() / (got.fov | want.fov).sum()
    assert both > 0.99
    inside = (got.fov & want.fov) > 0
    off = np.abs(got.image.astype(int) - want.image)[inside]
    assert off.mean() < 4  # noise of 4 grey levels, moved by less than a pixel


def test_a_small_field_in_a_large_frame_is_decoded_again(monkeypatch):
    asked = []
    original = decode.decode

    def spy(source, **options):
        got = original(source, **options)
        asked.append(got.scale)
        return got

    monkeypatch.setattr(decode, "decode", spy)
    data = pack(draw(2200, 1460, 1100, 730, 380))
    read_photo(data, 150)  # 300 pixels across the field: at 1/4 it has 190, at 1/2 380
    assert asked == [4, 2]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_other_formats_give_the_same_as_their_pixels(kind):
    array = draw(512, 400, 250, 200, 180)
    want, got = read_photo(array, 64), read_photo(pack(array, kind), 64)
    np.testing.assert_array_equal(got.image, want.image)
    np.testing.assert_array_equal(got.fov, want.fov)


def test_what_cannot_be_read_is_one_error_naming_the_file(tmp_path):
    path = tmp_path / "eye.jpg"
    path.write_text("<html><body>Not found</body></html>")
    with pytest.raises(PhotoError, match=r"eye\.jpg: a web page .*expected JPEG") as caught:
        read_photo(path, 64)
    assert isinstance(caught.value, ValueError)


def test_it_loads_neither_jax_nor_tensorflow():
    code = (
        "import sys, input_pipeline.photo, input_pipeline.photo.contact_sheet;"
        "assert not {'jax', 'tensorflow', 'pydicom'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def _real(shared_data, folder, at_least):
    files = sorted((shared_data / folder).glob("*.jpg"))
    assert len(files) >= at_least
    return files


@pytest.mark.parametrize(
    ("folder", "at_least", "refused", "round_fields"),
    [
        ("hrf/images", 45, 0, 45),
        ("chase_db1/original", 28, 0, 28),
        ("idrid/photos", 54, 0, 54),
        ("drimdb/original/Good", 63, 0, 63),
        ("drimdb/original/Bad", 35, 3, 33),  # three are angiograms, one is all white
        ("not_fundus/oct", 30, 30, 0),
    ],
)
def test_real_photographs(shared_data, folder, at_least, refused, round_fields):
    erase = [STAMP] if "drimdb" in folder else []
    got = [read_photo(file, 96, erase=erase) for file in _real(shared_data, folder, at_least)]
    assert sum(bool(photo.scope) for photo in got) == refused
    assert sum(photo.field == "circle" for photo in got) >= round_fields


def test_real_outliers_are_refused_but_one(shared_data):
    files = _real(shared_data, "drimdb/original/Outlier", 11)
    passed = [file.name for file in files if not read_photo(file, 96, erase=[STAMP]).scope]
    assert len(passed) <= 1, passed


def test_real_fields_agree_with_masks_drawn_by_others(shared_data):
    overlaps = []
    for file in _real(shared_data, "chase_db1/original", 28):
        got = read_photo(file, 96)
        mask = Image.open(shared_data / "chase_db1/fov" / f"{file.stem}.png").convert("1")
        mask = np.asarray(mask)
        scale = got.size[0] / mask.shape[1]
        left, top, right, bottom = (edge / scale for edge in got.box)
        y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
        away = np.hypot(x + 0.5 - (left + right) / 2, y + 0.5 - (top + bottom) / 2)
        disc = away <= (right - left) / 2
        overlaps.append((disc & mask).sum() / (disc | mask).sum())
    assert np.mean(overlaps) > 0.99
    assert min(overlaps) > 0.985


def test_scaled_decoding_of_a_real_photograph(shared_data, monkeypatch):
    image = Image.open(_real(shared_data, "hrf/images", 45)[0])
    data = pack(np.asarray(image.resize((3504, 2336), Image.Resampling.LANCZOS)), quality=92)
    scaled, full = read_photo(data, 224), _without_scaling(monkeypatch, data, 224)
    np.testing.assert_allclose(scaled.box, full.box, atol=1.0)
    assert np.abs(scaled.image.astype(int) - full.image).mean() < 0.5


def test_real_slices(shared_data):
    for file in sorted((shared_data / "covid_ct/Images").iterdir())[:12]:
        got = read_photo(file, 64, modality="slice")
        width, height = got.size
        assert got.field == "frame"
        assert got.image.shape == (64, 64, 1)
        share = min(width, height) / max(width, height)
        assert got.fov.mean() == pytest.approx(share, abs=1 / 64)


def test_reader_version_is_there_for_digests():
    assert isinstance(reader.READER_VERSION, int)
