"""Good photographs become a labelled set: what is promised of copies, splits, maps and errors."""

import csv
import dataclasses

import degraded_eyes
import numpy as np
import pytest
from degraded_eyes import ALL, EYES, PERSON, a_section
from PIL import Image

from input_pipeline import synthetic
from input_pipeline.loading import batches
from input_pipeline.photo.reader import PhotoError, read_photo
from input_pipeline.sources import opening, splits
from input_pipeline.tables.table_error import TableError

photographs = degraded_eyes.photographs  # the fixture


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
