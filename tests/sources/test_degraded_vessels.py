"""Degraded copies with masks of their vessels: maps, and vessels removed."""

import degraded_eyes
import numpy as np
import pytest
from degraded_eyes import EYES, a_section
from PIL import Image

from input_pipeline import synthetic
from input_pipeline.photo.reader import PhotoError, read_photo
from input_pipeline.sources import opening
from input_pipeline.tables.table_error import TableError

photographs = degraded_eyes.photographs  # the fixture


def test_without_masks_the_map_is_not_known(photographs):
    example = opening.make_source(a_section(photographs)).read(0)
    assert example.keys() == {"image", "fov", "map"}
    assert example["map"].shape == (3, 3)  # cells of 16 pixels
    assert set(np.unique(example["map"])) <= {0, 255}
    assert example["map"][1, 1] == 255


@pytest.mark.parametrize("how", ["column", "folder"])
def test_with_masks_there_are_vessels_and_a_map(photographs, how):
    """A copy that nothing was done to is seen everywhere; one with all lost is seen nowhere."""
    settings = {"lq_ratio": 0.0, "side": 96}
    if how == "folder":
        section = a_section(photographs, vessels=str(photographs / "vessels"), **settings)
    else:
        section = a_section(photographs, "csv", **settings)
    source = opening.make_source(section)
    untouched = 0
    for row in range(18):
        photo = read_photo(photographs / "images" / f"{EYES[row // 3]}.png", 96)
        example = source.read(row)
        np.testing.assert_array_equal(example["vessels_valid"], [0, 0, 1])
        assert example["vessels"].shape == (96, 96, 3)
        with Image.open(photographs / "vessels" / f"{EYES[row // 3]}.png") as mask:
            covered = np.asarray(mask).sum()
        step = (photo.box[2] - photo.box[0]) / 96  # pixels of the mask in one of the copy
        assert example["vessels"][..., 2].sum() * step**2 == pytest.approx(covered, rel=0.05)
        if (example["image"] == photo.image).all():
            untouched += 1
            assert set(np.unique(example["map"])) <= {0, 1}
    assert untouched >= 3  # four of ten good photographs are left as they are
    section.update({"lq_ratio": 1.0, "severity_mix": (0.0, 1.0), "copies": 1})
    worst = opening.make_source(section)
    bad = [
        (worst.read(row)["map"] == 3).sum() / (worst.read(row)["map"] > 0).sum() for row in range(6)
    ]
    assert np.mean(bad) > 0.4


def test_a_photograph_without_mask_among_others_with(photographs, tmp_path):
    text = (photographs / "eyes.csv").read_text().replace("vessels/p2 left.png", "")
    (photographs / "some.csv").write_text(text)
    section = a_section(photographs, "csv", path=str(photographs / "some.csv"), copies=1)
    source = opening.make_source(section)
    assert any("5 of them with a mask" in note for note in source.table.notes)
    with_mask, without = source.read(0), source.read(2)
    assert {k: v.shape for k, v in with_mask.items()} == {k: v.shape for k, v in without.items()}
    np.testing.assert_array_equal(without["vessels_valid"], [0, 0, 0])
    assert not without["vessels"].any()
    assert set(np.unique(without["map"])) <= {0, 255}


def test_vessels_are_removed_at_a_size_where_there_is_ground_between_them(photographs):
    """At 48 pixels too, vessels have the contrast that the drawing without them gives."""
    seen, real = [], synthetic.degrade

    def watched(image, fov, rng, plan, without, vessels, *rest):
        seen.append((image, without, vessels[..., 2] > 100))
        return real(image, fov, rng, plan, without, vessels, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "degrade", watched)
        opening.make_source(a_section(photographs, "csv", copies=1))
    found, true = [], []
    for i, (image, without, vessel) in enumerate(seen):
        Image.fromarray(synthetic.draw(i, 128, "a").clean0).save(photographs / "without.png")
        drawn = read_photo(photographs / "without.png", 48).image
        green = image[vessel, 1].astype(float)
        found.append((without[vessel, 1] - green).mean())
        true.append((drawn[vessel, 1] - green).mean())
    assert np.mean(true) > 8
    assert np.mean(found) == pytest.approx(np.mean(true), rel=0.25)


def test_a_mask_of_another_picture(photographs):
    Image.new("L", (64, 128)).save(photographs / "long.png")
    text = (photographs / "eyes.csv").read_text().replace("vessels/p3 left.png", "long.png")
    (photographs / "wrong.csv").write_text(text)
    section = a_section(photographs, "csv", path=str(photographs / "wrong.csv"))
    with pytest.raises(
        PhotoError, match=r"long\.png: 64 x 128 pixels for a photograph of 128 x 128"
    ):
        opening.make_source(section)


def test_slices_have_no_vessels(photographs):
    with pytest.raises(TableError, match="there are masks of vessels; only 'fundus'"):
        opening.make_source(
            a_section(photographs, modality="slice", vessels=str(photographs / "vessels"))
        )
