"""The round field of view, against discs drawn where one knows."""

import io

import numpy as np
import pytest
from fundus_disc import draw
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from input_pipeline.photo.fields.field import find_field
from input_pipeline.photo.fields.surround import lit

# Frame width and height, centre, radius; tolerance in pixels for centre and radius.
PLACES = {
    "whole": (512, 400, 250.3, 203.8, 180.4, 0.3),
    "off centre": (512, 400, 190.2, 215.1, 140.7, 0.3),
    "small in a large frame": (512, 512, 300.0, 260.0, 130.0, 0.3),
    "cut at top and bottom": (512, 342, 257.2, 170.6, 238.4, 0.4),
    "cut at the left": (420, 400, 120.5, 203.2, 180.0, 0.6),
    "cut on all sides, corners left": (760, 570, 372.2, 277.7, 446.0, 1.5),
    "touching all four borders": (400, 400, 200.0, 200.0, 200.0, 0.3),
    "a little over all four borders": (392, 392, 196.0, 196.0, 200.0, 0.4),
    "little picture": (96, 72, 47.6, 35.2, 34.0, 0.4),
}


def _lit(image):
    field = find_field(image)
    return lit(field.light, field.frame)


def found(image, hidden=None):
    field = find_field(image, hidden)
    assert field.circle is not None, field.seen
    return np.array([field.circle.x, field.circle.y, field.circle.radius])


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_drawn_field_is_found_where_it_is(place):
    *geometry, tolerance = place
    np.testing.assert_allclose(found(draw(*geometry)), geometry[2:], atol=tolerance)


@pytest.mark.parametrize(("rim", "tolerance"), [(0.5, 0.2), (0.1, 0.5), (0.05, 1.5)])
def test_vignetting_does_not_shrink_the_field(rim, tolerance):
    got = found(draw(512, 400, 250, 200, 180, rim=rim))
    np.testing.assert_allclose(got, [250, 200, 180], atol=tolerance)


@pytest.mark.parametrize("level", [0.5, 0.1, 0.06])
def test_an_under_exposed_field_is_found(level):
    np.testing.assert_allclose(
        found(draw(512, 400, 250, 200, 180, level=level)), [250, 200, 180], atol=0.5
    )


@pytest.mark.parametrize(("noise", "surround"), [(10, 2), (5, 25)])
def test_noise_and_a_lifted_surround_do_not_matter(noise, surround):
    image = draw(512, 400, 250, 200, 180, noise=noise, surround=surround)
    np.testing.assert_allclose(found(image), [250, 200, 180], atol=0.4)


def test_one_dark_side_leaves_the_other_to_tell():
    image = draw(512, 400, 250, 200, 180).astype(float)
    image *= np.clip(np.linspace(1.6, -0.4, 512), 0, 1)[None, :, None]
    np.testing.assert_allclose(found(image.astype(np.uint8)), [250, 200, 180], atol=1.0)


def test_jpeg_and_blur():
    image = Image.fromarray(draw(512, 400, 250, 200, 180))
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=20)
    np.testing.assert_allclose(found(np.array(Image.open(packed))), [250, 200, 180], atol=0.4)
    soft = np.array(image.filter(ImageFilter.GaussianBlur(3)))
    np.testing.assert_allclose(found(soft), [250, 200, 180], atol=1.5)


def test_burned_in_text_and_a_tab_are_passed_over():
    image = Image.fromarray(draw(512, 342, 257.2, 170.6, 238.4))
    pen = ImageDraw.Draw(image)
    pen.text((4, 4), "OD 01:02:03", fill="white", font=ImageFont.load_default(size=12))
    pen.text((440, 326), "EYE 45", fill="yellow", font=ImageFont.load_default(size=14))
    pen.ellipse((438, 20, 458, 40), fill=(190, 95, 35))  # the tab of some cameras, upper right
    np.testing.assert_allclose(found(np.array(image)), [257.2, 170.6, 238.4], atol=0.6)


def test_a_cut_field_padded_to_a_square_is_still_round():
    # Cut at top and bottom, then padded with black: the straight edges are not the field's.
    image = np.zeros((512, 512, 3), np.uint8)
    image[85:427] = draw(512, 342, 257.2, 170.6, 238.4)
    np.testing.assert_allclose(found(image), [257.2, 255.6, 238.4], atol=0.4)


def test_hidden_boxes_are_no_evidence():
    image = draw(512, 400, 250, 200, 180)
    hidden = np.zeros((400, 512), bool)
    hidden[0:400, 380:512] = True  # all of the right edge
    hidden[0:90, 0:200] = True
    image[hidden] = 0
    np.testing.assert_allclose(found(image, hidden), [250, 200, 180], atol=0.8)


def test_the_same_picture_turned_gives_the_same_circle_turned():
    image = draw(512, 400, 230.4, 190.7, 170.2)
    x, y, radius = found(image)
    got = found(np.ascontiguousarray(image[::-1, ::-1]))
    np.testing.assert_allclose(got, [512 - x, 400 - y, radius], atol=0.05)


def _frame(width=512, height=400):
    return np.zeros((height, width, 3), np.uint8), *np.mgrid[:height, :width]


def _plain():
    image, _, _ = _frame()
    return image + np.uint8(128)


def _ramp():
    image, _, x = _frame()
    return image + (x[..., None] / 2).astype(np.uint8)


def _snapshot():
    """Light everywhere, falling off smoothly to the corners."""
    _, y, x = _frame()
    light = np.exp(-(((x - 256) / 200) ** 2 + ((y - 200) / 160) ** 2))
    return (light[..., None] * np.array([200, 150, 120])).astype(np.uint8)


def _square():
    image, _, _ = _frame()
    image[80:320, 120:400] = (190, 95, 35)
    return image


def _ellipse():
    image, y, x = _frame()
    image[((x - 256) / 220) ** 2 + ((y - 200) / 110) ** 2 < 1] = (190, 95, 35)
    return image


def _dark_disc():
    image, y, x = _frame()
    image[:] = (190, 95, 35)
    image[np.hypot(x - 256, y - 200) < 150] = 0
    return image


def _noise():
    return np.random.default_rng(0).integers(0, 256, (400, 512, 3)).astype(np.uint8)


def _tiny():
    return draw(40, 40, 20, 20, 18)


NOT_FIELDS = (_plain, _ramp, _snapshot, _square, _ellipse, _dark_disc, _noise, _tiny)


@pytest.mark.parametrize("make", NOT_FIELDS, ids=lambda make: make.__name__)
def test_no_field_where_there_is_none(make):
    field = find_field(make())
    assert field.circle is None
    assert field.seen


@pytest.mark.parametrize("level", [0, 255])
def test_an_even_picture_has_no_edge(level):
    field = find_field(np.full((300, 400, 3), level, np.uint8))
    assert field.circle is None
    assert "no circular edge" in field.seen


SIDES = {"top": (0, 40), "bottom": (1, 40), "left": (2, 40), "right": (3, 40)}


@pytest.mark.parametrize(("side", "by"), SIDES.values(), ids=SIDES)
def test_a_field_cut_on_any_side_and_padded_keeps_circle_and_frame(side, by):
    whole = draw(256, 220, 128, 110, 100)
    cut = [by if side == k else 0 for k in range(4)]
    top, bottom, left, right = cut[0] and 10 + by, cut[1] and 10 + by, *cut[2:]
    left, right = (n and 28 + n for n in (left, right))
    part = whole[top : 220 - bottom, left : 256 - right]
    padded = np.zeros_like(whole)
    padded[top : 220 - bottom, left : 256 - right] = part
    field = find_field(padded)
    np.testing.assert_allclose(found(padded), [128, 110, 100], atol=0.6)
    expected = [left, top, 256 - right, 220 - bottom]
    for got, want, at in zip(field.frame, expected, (0, 1, 2, 3), strict=True):
        if (at, bool(cut[(2, 0, 3, 1)[at]])) == (at, True):
            assert abs(got - want) <= 1
        else:
            assert got == (0, 0, 256, 220)[at]


def test_a_shadow_is_no_frame():
    image = draw(256, 220, 128, 110, 100).astype(float)
    image *= np.clip((np.arange(220) - 60) / 40, 0, 1)[:, None, None]
    field = find_field(image.astype(np.uint8))
    assert field.circle is not None
    assert field.frame == (0, 0, 256, 220)


@pytest.mark.parametrize("angle", range(0, 360, 60))
def test_a_half_of_the_field_in_the_dark_leaves_the_other_half_to_tell(angle):
    image = draw(256, 256, 128, 128, 127).astype(float)
    y, x = np.mgrid[:256, :256] - 128
    far = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))
    dark = image / (1 + np.exp(np.clip(far / 4, -50, 50)))[..., None]
    np.testing.assert_allclose(found(dark.astype(np.uint8)), [128, 128, 127], atol=1)


@pytest.mark.parametrize("size", [(256, 180), (180, 256), (256, 210)])
def test_a_squeezed_field_is_an_ellipse(size):
    eye = Image.fromarray(draw(400, 400, 200, 200, 198))
    field = find_field(np.asarray(eye.resize(size, Image.Resampling.BILINEAR)))
    assert field.circle is None
    one = field.squeezed
    assert one is not None, field.seen
    w, h = size
    expected = [w / 2, h / 2, 0.495 * w, 0.495 * h]
    np.testing.assert_allclose([one.x, one.y, one.across, one.down], expected, atol=1)
    inside = one.away((h, w)) < 1
    assert inside.mean() == pytest.approx(np.pi / 4 * 0.99**2, abs=0.01)


def test_a_squeezed_field_half_in_the_dark_keeps_its_dark_half():
    eye = np.asarray(Image.fromarray(draw(400, 400, 200, 200, 198)).resize((256, 180)), float)
    dark = eye * (1 / (1 + np.exp(np.clip((np.arange(256) - 140) / 3, -50, 50))))[None, :, None]
    one = find_field(dark.astype(np.uint8)).squeezed
    assert one is not None
    expected = [128, 90, 0.495 * 256, 0.495 * 180]
    np.testing.assert_allclose([one.x, one.y, one.across, one.down], expected, atol=3)


def test_a_disc_on_a_lit_ground_is_no_field():
    image = draw(256, 220, 128, 110, 90, surround=90)
    field = find_field(image)
    assert field.circle is None
    assert "no dark surround: 90 of 255" in field.seen


def test_a_white_surround_is_no_light():
    image = draw(256, 220, 120, 108, 90)
    y, x = np.mgrid[:220, :256]
    image[np.hypot(x + 0.5 - 120, y + 0.5 - 108) > 90] = 255
    field = find_field(image)
    assert field.inverted
    np.testing.assert_allclose(found(image), [120, 108, 90], atol=1)


def test_what_is_lit_of_a_frame_without_a_circle():
    image = np.zeros((120, 200, 3), np.uint8)
    y, x = np.mgrid[:120, :200]
    inside = ((x + 0.5 - 100) / 100) ** 2 + ((y + 0.5 - 60) / 60) ** 2 < 1
    image[inside] = (190, 95, 35)
    image[50:70, 90:110] = 0  # a black spot inside stays
    got = _lit(image)
    assert got[60, 100]
    assert not got[0, 0]
    assert (got & inside).sum() > 0.97 * inside.sum()
    assert (got & ~inside).sum() < 0.03 * inside.sum()
    plain = np.full((80, 90, 3), 90, np.uint8)
    assert _lit(plain).all()


def test_one_field_has_no_second():
    for place in PLACES.values():
        assert find_field(draw(*place[:5])).second is None
