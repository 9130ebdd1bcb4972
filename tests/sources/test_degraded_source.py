"""Good photographs become a labelled set: what is promised of copies, splits, maps and errors."""

import csv
import dataclasses

import numpy as np
import pytest
from PIL import Image

from fiqa_jax import defaults
from input_pipeline import synthetic
from input_pipeline.loading import batches
from input_pipeline.photo.reader import PhotoError, read_photo
from input_pipeline.sources import opening, splits
from input_pipeline.tables.table_error import TableError

ALL = ("illumination", "clarity", "contrast", "artefact")
EYES = ("p1 left", "p1 right", "p2 left", "p3 left", "p4 left", "p5 left")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Six synthetic eyes of five people as files, their masks beside, and a table of both."""
    root = tmp_path_factory.mktemp("eyes")
    for folder in ("images", "vessels"):
        (root / folder).mkdir()
    lines = ["path,vessels,person,grade"]
    for i, eye in enumerate(EYES):
        drawn = synthetic.draw(i, 128, "a")
        Image.fromarray(drawn.image).save(root / "images" / f"{eye}.png")
        Image.fromarray(drawn.vessels[..., 2]).save(root / "vessels" / f"{eye}.png")
        lines.append(f"images/{eye}.png,vessels/{eye}.png,{eye[:2]},{'ab'[i % 2]}")
    (root / "eyes.csv").write_text("\n".join(lines) + "\n")
    return root


def a_section(root, base="folder", **changes):
    section = defaults.base().data
    section.update({"source": "degraded", "base": base, "side": 48, "workers": 1, "copies": 3})
    section.update({"details": ALL, "driver": "threads", "cache": "none"})
    section.path = str(root / "images") if base == "folder" else str(root / "eyes.csv")
    with section.ignore_type():
        section.update(changes)
    return section


PERSON = (("patient", "person"),)


def test_every_photograph_gives_copies_with_labels(photographs):
    source = opening.make_source(a_section(photographs))
    table = source.table
    assert table.id.tolist() == [f"{eye}~{k}.png" for eye in EYES for k in range(3)]
    assert table.patient.tolist() == [eye[:2] for eye in EYES for _ in range(3)]
    assert set(table.path) == {""}
    labels = table.labels
    assert {k: (v.dtype.name, v.shape) for k, v in labels.items()} == {
        "quality": ("int32", (18,)),
        "ungradable": ("int32", (18,)),
        "details": ("int8", (18, 4)),
    }
    np.testing.assert_array_equal(labels["ungradable"], labels["quality"] == 2)
    assert table.quality_names == ("good", "usable", "reject")
    assert table.detail_names == ALL
    assert any("3 copies of each of 6 photographs, 0 of them with a mask" in n for n in table.notes)


def test_labels_are_those_of_the_plan_that_was_carried_out(photographs):
    """Degrading the photograph by hand, by the plan that was drawn, gives the copy."""
    plans, real = [], synthetic.degrade

    def watched(image, fov, rng, plan, *rest):
        plans.append((image, fov, plan))
        return real(image, fov, rng, plan, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "degrade", watched)
        source = opening.make_source(a_section(photographs, lq_ratio=1.0))
    assert len(plans) == 18
    for row, (image, fov, plan) in enumerate(plans):
        photo = read_photo(photographs / "images" / f"{EYES[row // 3]}.png", 48)
        np.testing.assert_array_equal(image, photo.image)
        np.testing.assert_array_equal(fov, photo.fov)
        expected = real(photo.image, photo.fov, 0, plan)
        assert source.table.labels["quality"][row] == expected.quality
        seen = dict(zip(ALL, source.table.labels["details"][row].tolist(), strict=True))
        assert seen == expected.details
        if not any(item.name in ("noise", "jpeg") for item in plan):  # nothing random in it
            np.testing.assert_array_equal(source.read(row)["image"], expected.image)
    assert len({repr(plan) for _, _, plan in plans}) == 18


def test_shares_of_quality_follow_the_settings(photographs):
    def shares(**settings):
        section = a_section(photographs, copies=10, details=(), **settings)
        return np.bincount(opening.make_source(section).table.labels["quality"], minlength=3) / 60

    assert shares(lq_ratio=0.0)[0] == 1.0
    usable, reject = (shares(lq_ratio=1.0, severity_mix=mix) for mix in ((1.0, 0.0), (0.0, 1.0)))
    assert usable[1] > 0.7 > usable[2]
    assert reject[2] > 0.7 > reject[1]
    # 60 fair coins: outside 0.27..0.73 once in two thousand seeds
    assert 0.27 < shares(lq_ratio=0.5)[0] < 0.73


def test_what_is_done_depends_on_seed_id_and_number_alone(photographs, tmp_path):
    def copies(section):
        source = opening.make_source(section)
        return {name: source.read(row) for row, name in enumerate(source.table.id.tolist())}

    first = copies(a_section(photographs))
    (tmp_path / "images").mkdir()
    for eye in EYES[2:4]:  # fewer photographs, elsewhere, more copies
        data = (photographs / "images" / f"{eye}.png").read_bytes()
        (tmp_path / "images" / f"{eye}.png").write_bytes(data)
    again = copies(a_section(tmp_path, copies=5, lq_ratio=0.5))
    assert len(again) == 10
    both = first.keys() & again.keys()
    assert len(both) == 6
    for name in both:
        for what, array in first[name].items():
            np.testing.assert_array_equal(again[name][what], array)
    other = copies(a_section(photographs, seed=1))
    assert sum((other[n]["image"] != first[n]["image"]).any() for n in first) > 9


def test_copies_are_split_as_the_photographs_would_be(photographs):
    columns = (*PERSON, ("diagnosis", "grade"), ("vessels", ""))
    data = {"columns": columns, "diagnosis": ("a", "b")}
    plain = a_section(photographs, "csv", **{**data, "source": "csv", "details": ()})
    base = opening.make_source(plain).table
    for settings in ({"copies": 3}, {"copies": 4, "lq_ratio": 1.0}):
        table = opening.make_source(a_section(photographs, "csv", **data, **settings)).table
        copies = settings["copies"]
        for seed in range(4):
            for how in (((0.6, 0.2, 0.2), seed), ((0.8, 0.2, 0.0), seed, 3, 1)):
                expected = splits.assign(base, *how)
                found = splits.assign(table, *how)
                np.testing.assert_array_equal(found, np.repeat(expected, copies))
                of = {p: set(found[table.patient == p]) for p in set(table.patient.tolist())}
                assert all(len(parts) == 1 for parts in of.values())
        np.testing.assert_array_equal(
            table.labels["diagnosis"], np.repeat(base.labels["diagnosis"], copies)
        )
        assert table.diagnosis_names == ("a", "b")


def test_splits_of_the_table_are_kept(photographs):
    text = (photographs / "eyes.csv").read_text().replace("person", "patient").splitlines()
    parts = ["split", "train", "train", "val", "test", "test", "train"]
    own = photographs / "split.csv"
    own.write_text("\n".join(f"{a},{b}" for a, b in zip(text, parts, strict=True)))
    table = opening.make_source(a_section(photographs, "csv", path=str(own))).table
    assert table.split.tolist() == [p for p in parts[1:] for _ in range(3)]


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


def test_photographs_known_to_be_bad_are_left_out(photographs):
    lines = ["path,quality"]
    for eye, grade in zip(
        EYES, ("good", "usable", "bad", "", "gradable", "ungradable"), strict=True
    ):
        lines.append(f"images/{eye}.png,{grade}")
    (photographs / "graded.csv").write_text("\n".join(lines))
    section = a_section(photographs, "csv", path=str(photographs / "graded.csv"), copies=1)
    table = opening.make_source(section).table
    assert table.id.tolist() == [f"images/{EYES[i]}~0.png" for i in (0, 3, 4)]
    assert any("left out, as their own label is not good: 3" in note for note in table.notes)
    (photographs / "bad.csv").write_text(f"path,quality\nimages/{EYES[0]}.png,bad\n")
    section.path = str(photographs / "bad.csv")
    with pytest.raises(TableError, match="none of 1 photographs is of good quality"):
        opening.make_source(section)


def test_classes_and_details_asked_for(photographs):
    table = opening.make_source(a_section(photographs, classes=2, details=("contrast",))).table
    assert table.labels.keys() == {"ungradable", "details"}
    assert table.quality_names == ("gradable", "ungradable")
    every = opening.make_source(a_section(photographs)).table
    np.testing.assert_array_equal(table.labels["details"][:, 0], every.labels["details"][:, 2])


def test_copies_are_made_once(photographs, tmp_path, monkeypatch):
    section = a_section(photographs, cache="disk")
    first = opening.make_source(section, tmp_path)
    files = sorted(f.relative_to(tmp_path) for f in tmp_path.rglob("*.npz"))
    assert len(files) == 18
    opening.make_source(section, tmp_path / "other")
    other = tmp_path / "other"
    assert [f.relative_to(other) for f in sorted(other.rglob("*.npz"))] == files
    for file in files:
        assert (other / file).read_bytes() == (tmp_path / file).read_bytes()

    def never(*args):
        raise AssertionError("degraded again")

    monkeypatch.setattr(synthetic, "degrade", never)
    second = opening.make_source(section, tmp_path)
    assert second.digest == first.digest
    for name, array in first.read(4).items():
        np.testing.assert_array_equal(second.read(4)[name], array)
    for change in ({"seed": 1}, {"lq_ratio": 0.4}, {"severity_mix": (0.4, 0.6)}):
        with pytest.raises(AssertionError, match="degraded again"):
            opening.make_source(a_section(photographs, cache="disk", **change), tmp_path)


def test_a_photograph_or_mask_that_changed_is_degraded_again(photographs, tmp_path):
    for folder in ("images", "vessels"):
        (tmp_path / folder).mkdir()
        for eye in EYES[:2]:
            data = (photographs / folder / f"{eye}.png").read_bytes()
            (tmp_path / folder / f"{eye}.png").write_bytes(data)
    section = a_section(tmp_path, vessels=str(tmp_path / "vessels"), cache="disk", copies=1)
    before = opening.make_source(section, tmp_path / "work")
    old = before.digest
    empty = np.zeros((128, 128), np.uint8)
    empty[60:64, 20:108] = 255
    Image.fromarray(empty).save(tmp_path / "vessels" / f"{EYES[0]}.png")
    after = opening.make_source(section, tmp_path / "work")
    assert after.digest != old
    assert (after.read(0)["vessels"] != before.read(0)["vessels"]).any()
    np.testing.assert_array_equal(after.read(1)["vessels"], before.read(1)["vessels"])


def test_a_broken_photograph_is_named_or_left_out_with_its_copies(photographs, tmp_path):
    (tmp_path / "images").mkdir()
    for eye in EYES[:2]:
        data = (photographs / "images" / f"{eye}.png").read_bytes()
        (tmp_path / "images" / f"{eye}.png").write_bytes(data)
    (tmp_path / "images" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    for cache in ("none", "disk"):
        with pytest.raises(PhotoError, match=r"broken\.png"):
            opening.make_source(a_section(tmp_path, cache=cache), tmp_path / "work")
        work = tmp_path / f"work-{cache}"
        source = opening.make_source(a_section(tmp_path, cache=cache, on_bad="skip"), work)
        assert source.table.id.tolist() == [f"{eye}~{k}.png" for eye in EYES[:2] for k in range(3)]
        assert (source.table.labels["quality"] >= 0).all()
        with (work / "left_out.csv").open() as file:
            listed = list(csv.DictReader(file))
        assert [row["id"] for row in listed] == [f"broken~{k}.png" for k in range(3)]


def test_what_is_degraded_travels_in_batches(photographs):
    source = opening.make_source(a_section(photographs, "csv", columns=PERSON, copies=1))
    stream = batches.eval_batches(source, np.arange(6), batch=4, driver="threads", workers=1)
    first, second = list(stream)
    assert first["image"].shape == (4, 48, 48, 3)
    assert first["map"].shape == (4, 3, 3)
    assert first["vessels"].shape == (4, 48, 48, 3)
    np.testing.assert_array_equal(first["details"], source.table.labels["details"][:4])
    np.testing.assert_array_equal(second["mask"], [1, 1, 0, 0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": "drawn"}, r"data.base is 'drawn', expected one of \['csv', 'folder'\]"),
        ({"copies": 0}, "data.copies is 0, expected at least 1"),
        ({"lq_ratio": 1.5}, "data.lq_ratio, data.severity_mix or data.kinds: lq_ratio 1.5"),
        ({"severity_mix": (0.0, 0.0)}, "data.lq_ratio, data.severity_mix or data.kinds"),
        ({"kinds": ("fog",)}, r"data.kinds: degradations \['fog'\]: expected"),
        ({"details": ("glare",)}, r"details \['glare'\] are not drawn or made"),
        ({"vessels": "nowhere"}, "nowhere: there is no such folder"),
        ({"path": "nowhere"}, "nowhere: there is no such folder"),
    ],
)
def test_one_clear_error(photographs, changes, message):
    with pytest.raises(TableError, match=message):
        opening.make_source(a_section(photographs, **changes))


def test_a_mask_of_another_picture(photographs):
    Image.new("L", (64, 128)).save(photographs / "long.png")
    text = (photographs / "eyes.csv").read_text().replace("vessels/p3 left.png", "long.png")
    (photographs / "wrong.csv").write_text(text)
    section = a_section(photographs, "csv", path=str(photographs / "wrong.csv"))
    with pytest.raises(
        PhotoError, match=r"long\.png: 64 x 128 pixels for a photograph of 128 x 128"
    ):
        opening.make_source(section)


def test_settings_change_the_digest(photographs):
    source = opening.make_source(a_section(photographs))
    settings = {"seed": 1, "lq_ratio": 0.4, "severity_mix": (0.4, 0.6), "cells": 8, "masks": True}
    seen = {source.digest}
    for name, value in settings.items():
        reader = dataclasses.replace(source.reader, **{name: value})
        seen.add(dataclasses.replace(source, reader=reader).digest)
    assert len(seen) == 6


def test_children_stay_together_and_good_photographs_stay_good(shared_data):
    """CHASE_DB1: 28 photographs of 14 children. Undegraded, 99 % of the cells are good."""
    section = a_section(shared_data, "csv", path=str(shared_data / "chase_db1" / "labels.csv"))
    section.update({"copies": 2, "lq_ratio": 0.0, "side": 64})
    section.columns = (("path", "original"), ("patient", "participant"))
    source = opening.make_source(section)
    assert len(source.table) == 56
    assert len(set(source.table.patient.tolist())) == 14
    split = splits.assign(source.table, (0.6, 0.1, 0.3), 0)
    test = set(source.table.patient[split == "test"].tolist())
    assert not test & set(source.table.patient[split == "train"].tolist())
    assert (source.table.labels["quality"] == 0).mean() > 0.95
    good = []
    for row in range(56):
        example = source.read(row)
        photo = read_photo(source.items[row].path, 64)
        if (example["image"] == photo.image).all():
            good.append((example["map"][example["map"] > 0] == 1).mean())
    assert len(good) > 10
    assert np.mean(good) > 0.99


def test_slices(tmp_path):
    """Grey pictures stay grey, keep their diagnosis, and only what a figure can suffer happens."""
    rng = np.random.default_rng(0)
    lines = ["path,diagnosis"]
    for i in range(4):
        grey = Image.fromarray(rng.integers(40, 200, (12, 16), dtype=np.uint8))
        grey.resize((80, 60), Image.Resampling.BICUBIC).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{i % 2}")
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    section = a_section(tmp_path, "csv", modality="slice", diagnosis=("no", "yes"), copies=8)
    section.update({"path": str(tmp_path / "t.csv"), "details": (), "lq_ratio": 0.5})
    source = opening.make_source(section)
    assert source.table.labels["diagnosis"].tolist() == [i % 2 for i in range(4) for _ in range(8)]
    quality = source.table.labels["quality"]
    assert 0 < (quality > 0).mean() < 1
    plain = source.reader.photo.read(str(tmp_path / "0.png"))["image"]
    for row in range(8):
        one = source.read(row)
        assert one["image"].shape == (48, 48, 1)
        assert one["image"].dtype == np.uint8
        assert (one["image"][one["fov"] == 0] == 0).all()
        if quality[row] == 2:
            assert np.abs(one["image"].astype(int) - plain).mean() > 2


def test_slices_have_no_vessels(photographs):
    with pytest.raises(TableError, match="there are masks of vessels; only 'fundus'"):
        opening.make_source(
            a_section(photographs, modality="slice", vessels=str(photographs / "vessels"))
        )
