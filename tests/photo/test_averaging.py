"""Averaging strip by strip: the same means as of the whole, without its memory."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from input_pipeline.photo import averaging, decode, limits
from input_pipeline.photo.errors import PhotoError

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def picture(mode, width, height):
    channels = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.default_rng(width).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(values[..., 0] if channels == 1 else values, mode)


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
@pytest.mark.parametrize("mode", averaging.MODES)
@pytest.mark.parametrize("scale", [2, 8])
def test_strips_give_the_means_of_the_whole(mode, scale):
    whole = picture(mode, 301, 1101)  # rows of several strips; neither side is divisible
    found = averaging.averaged(whole, scale)
    assert found.size == (-(-301 // scale), -(-1101 // scale))
    np.testing.assert_array_equal(np.asarray(found), np.asarray(whole.reduce(scale)))


def test_a_mean_by_hand_and_what_is_known_of_the_picture_stays():
    pixels = np.zeros((4, 4), np.uint8)
    pixels[:2, :2] = [[0, 100], [100, 200]]
    image = Image.fromarray(pixels)
    image.info["transparency"] = 7
    found = averaging.averaged(image, 2)
    assert np.asarray(found).tolist() == [[100, 0], [0, 0]]
    assert found.info["transparency"] == 7


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory as Linux counts it")
def test_alpha_takes_no_second_copy_of_the_pixels(monkeypatch):
    """40 million pixels of four bytes, 160 MB: by Pillow alone a copy of 160 MB more."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    memory = importlib.import_module("memory")
    image = Image.new("RGBA", (8000, 5000), (10, 20, 30, 255))

    def taken(work):
        try:
            memory.forget_peak()
        except OSError as error:
            pytest.skip(f"the peak of memory cannot be reset here ({error})")
        before = memory.peak()
        work(image, 8)
        return memory.peak() - before

    assert taken(averaging.averaged) < 40e6
    assert taken(Image.Image.reduce) > 120e6  # what is measured can be seen


def test_a_compressed_tiff_counts_as_mapped(tmp_path, monkeypatch):
    """The library that inflates it maps the whole file into memory, beside the pixels."""
    noise = picture("RGB", 600, 600)
    for compression, whole in (("raw", True), ("tiff_adobe_deflate", False)):
        path = tmp_path / f"{compression}.tif"
        noise.save(path, compression=compression)
        monkeypatch.setattr(limits, "MEMORY", 600 * 600 * 5 + path.stat().st_size // 2)
        if whole:
            assert decode.decode(path).size == (600, 600)
            continue
        with pytest.raises(PhotoError, match="to decode"):
            decode.decode(path)
        monkeypatch.setattr(limits, "MEMORY", 600 * 600 * 5 + path.stat().st_size)
        assert decode.decode(path).size == (600, 600)
