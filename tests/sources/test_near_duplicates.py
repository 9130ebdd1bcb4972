"""Copies of photographs are found, different photographs are not."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy import fft

from input_pipeline import synthetic
from input_pipeline.photo.reader import PhotoError, read_photo
from input_pipeline.sources import near_duplicates
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.tables.examples import Source, Table, strings


def jpeg(picture, quality=90):
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality)
    return data.getvalue()


CHANGES = {
    "saved again": lambda p: jpeg(p, 40),
    "half the size": lambda p: jpeg(p.resize((p.width // 2, p.height // 2))),
    "darker": lambda p: jpeg(p.point(lambda v: int(v * 0.6))),
    "blurred": lambda p: jpeg(p.filter(ImageFilter.GaussianBlur(p.width / 400))),
}


def compared(pictures):
    marks = [near_duplicates.signature(p.image, p.fov) for p in pictures]
    return near_duplicates.Signatures(
        np.stack([bits for bits, _ in marks]), np.stack([small for _, small in marks]), {}
    )


@pytest.fixture(scope="module")
def drawn():
    examples = [synthetic.example(5, i, 128, "a", 0.0, 16) for i in range(8)]
    return [Image.fromarray(e["image"]) for e in examples]


@pytest.mark.parametrize("change", CHANGES)
def test_copies_of_drawn_eyes_are_found_and_nothing_else(drawn, change):
    pictures = [read_photo(jpeg(p, 95), 128) for p in drawn]
    pictures.append(read_photo(CHANGES[change](drawn[3]), 128))
    found = near_duplicates.pairs(compared(pictures))
    assert [(i, j) for i, j, _ in found] == [(3, 8)]
    assert found[0][2] > 0.95


def test_copies_of_real_photographs_are_found_and_nothing_else(shared_data):
    paths = sorted((shared_data / "chase_db1" / "images").glob("*.jpg"))
    pictures = [read_photo(path, 128) for path in paths]
    with Image.open(paths[4]) as whole:
        whole.load()
    for change in CHANGES.values():
        pictures.append(read_photo(change(whole), 128))
    found = {(i, j) for i, j, _ in near_duplicates.pairs(compared(pictures))}
    copies = [4, *range(len(paths), len(pictures))]
    assert found == {(i, j) for i in copies for j in copies if i < j}


def test_the_hash_is_the_sign_of_low_frequencies():
    """A sum of two cosines has two frequencies: those bits are set, whatever the median is."""
    at = (np.arange(64) + 0.5) / 64
    wave = np.cos(np.pi * 7 * at)[:, None] + np.cos(np.pi * 9 * at)[None, :]
    image = np.repeat((127 + 50 * wave)[..., None], 3, axis=2).astype(np.uint8)
    bits, small = near_duplicates.signature(image, np.ones((64, 64), np.uint8))
    on = np.unpackbits(bits.view(np.uint8)).astype(bool)
    expected = np.argsort(-np.abs(fft.dctn(wave)[:16, :16].ravel()))[:2]
    assert {*expected.tolist()} == {7 * 16, 9}
    assert on[expected - 1].all()
    assert np.linalg.norm(small.astype(np.float64)) == pytest.approx(1, abs=1e-2)


def test_pairs_by_hand():
    bits = np.zeros((4, 4), np.uint64)
    bits[1, 2] = 0b111  # 3 bits from row 0
    bits[2] = np.uint64(0xFFFFFFFFFFFFFFFF)
    bits[3, 0] = 1
    small = np.zeros((4, 4), np.float16)
    small[:, 0] = [1, 0.8, 1, 1]
    small[1, 1] = 0.6
    found = near_duplicates.Signatures(bits, small, {})
    assert near_duplicates.pairs(found, 3, 0.7) == [
        (0, 3, 1.0),
        (0, 1, pytest.approx(0.8, abs=1e-3)),
    ]
    assert near_duplicates.pairs(found, 2, 0.7) == [(0, 3, 1.0)]
    assert {(i, j) for i, j, _ in near_duplicates.pairs(found, 4, 0.7)} == {(0, 3), (0, 1), (1, 3)}
    assert near_duplicates.pairs(found, 256, 0.99) == [(0, 2, 1.0), (0, 3, 1.0), (2, 3, 1.0)]


def test_pairs_over_several_blocks():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**63, (600, 4)).astype(np.uint64)
    bits[590] = bits[3]
    small = np.tile(np.float16([1, 0]), (600, 1))
    assert near_duplicates.pairs(near_duplicates.Signatures(bits, small, {})) == [(3, 590, 1.0)]


def test_flat_and_unreadable_photographs_match_nothing(tmp_path):
    names = [str(tmp_path / f"{i}.png") for i in range(3)]
    for name in names[:2]:
        Image.new("RGB", (80, 80), (90, 60, 30)).save(name)
    ids = strings("abc")
    table = Table(ids, ids, strings([""] * 3), {}, (), (), (), ids)
    source = Source("s", table, strings(names), PhotoReader(64, "fundus"))
    found = near_duplicates.signatures(source, 1)
    assert list(found.failed) == [2]
    assert near_duplicates.pairs(found) == []
    with pytest.raises(PhotoError):
        source.read(2)
