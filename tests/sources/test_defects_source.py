"""Copies with defects as they are: labels by hand, sizes, what comes again, errors."""

import numpy as np
import pytest
from PIL import Image

from fiqa_jax import defaults
from input_pipeline import synthetic
from input_pipeline.sources import opening
from input_pipeline.sources.generated import defects_reader
from input_pipeline.synthetic import truth
from input_pipeline.synthetic.defects import CAUSES, CONTROLS, KINDS
from input_pipeline.tables.table_error import TableError


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    root = tmp_path_factory.mktemp("eyes")
    lines = ["path,patient,vessels"]
    for i in range(2):
        drawn = synthetic.draw(i, 160, "a")
        Image.fromarray(drawn.image).save(root / f"{i}.png")
        Image.fromarray(drawn.vessels[..., 2]).save(root / f"{i}_vessels.png")
        lines.append(f"{i}.png,person {i},{f'{i}_vessels.png' if i else ''}")
    (root / "eyes.csv").write_text("\n".join(lines) + "\n")
    return root / "eyes.csv"


def opened(table, **changes):
    section = defaults.base().data
    section.update({"source": "defects", "path": str(table), "copies": 3, "side": 128})
    section.update({"details": truth.DETAILS, "cache": "memory", "workers": 1})
    with section.ignore_type():
        section.update(changes)
    return opening.make_source(section)


def test_copies_have_labels_maps_and_causes(table):
    source = opened(table)
    found = source.table
    assert found.id.tolist() == [f"{i}.png~{k}" for i in (0, 1) for k in range(3)]
    assert found.patient.tolist() == ["person 0"] * 3 + ["person 1"] * 3
    for row in range(6):
        example = source.read(row)
        shapes = {k: (v.shape, v.dtype.name) for k, v in example.items()}
        assert shapes == {
            "image": ((128, 128, 3), "uint8"),
            "fov": ((128, 128), "uint8"),
            "field_px": ((), "float32"),
            "map": ((32, 32), "uint8"),
            "cause": ((32, 32), "uint8"),
        }
        assert (example["image"][example["fov"] == 0] == 0).all()
        poor = np.isin(example["map"], (2, 3))
        np.testing.assert_array_equal(example["cause"] > 0, poor)
        known = example["map"] > 0
        share = (example["map"] == 3).sum() / known.sum()
        assert (found.labels["quality"][row] == 2) == (share >= truth.REJECT_SHARE)


def test_a_copy_depends_on_its_seed_and_number_alone(table):
    one, again, other = opened(table), opened(table), opened(table, seed=3)
    np.testing.assert_array_equal(one.read(2)["image"], again.read(2)["image"])
    assert (one.read(2)["image"] != other.read(2)["image"]).any()
    assert (one.read(2)["image"] != one.read(1)["image"]).any()


def test_a_defect_has_its_label_from_its_share_of_the_field_on():
    seen = np.full((10, 10), 0.9, np.float32)
    cause = np.full((10, 10), -1, np.int8)
    cause[:2] = CAUSES.index("sharpness")  # 20 of 100 cells
    cause[2, :9] = CAUSES.index("contrast")  # 9
    cause[3, :5] = CAUSES.index("covered")  # 5: covers count earlier
    got = defects_reader.details(seen, cause)
    assert dict(zip(truth.DETAILS, got.tolist(), strict=True)) == {
        "illumination": 0,
        "clarity": 1,
        "contrast": 0,
        "artefact": 1,
    }


def test_plans_hold_harmless_changes_first():
    for seed in range(30):
        items = defects_reader.plan(np.random.default_rng(seed))
        harmless = [item.kind in CONTROLS for item in items]
        assert harmless == sorted(harmless, reverse=True)
        assert all(item.kind in {*CONTROLS, *KINDS} for item in items)
        assert len(items) - sum(harmless) <= 3


def test_files_of_small_fields_lose_detail():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    made = [defects_reader.saved(image, np.random.default_rng(k)) for k in range(40)]
    assert {picture.shape for picture, _ in made} == {image.shape}
    widths = np.array([size for _, size in made])
    assert (widths >= 110).all()
    assert (widths <= 1024).all()
    same = np.array([(picture == image).all() for picture, _ in made])
    assert 5 < same.sum() < 20  # three of ten stay as they are
    assert (widths[same] >= 256).all()  # and are files of at least as many pixels
    detail = np.array([np.abs(np.diff(p[..., 1].astype(int), axis=1)).mean() for p, _ in made])
    assert detail[widths < 150].max() < 0.5 * detail[same].min()


def test_causes_are_met_about_equally_often():
    items = [i for k in range(400) for i in defects_reader.plan(np.random.default_rng(k))]
    causes = [KINDS[item.kind].cause for item in items if item.kind in KINDS]
    share = {c: causes.count(c) / len(causes) for c in CAUSES}
    assert min(share.values()) > 0.15  # 4 of 28 kinds are of contrast


def test_settings_that_do_not_fit(table):
    with pytest.raises(TableError, match="multiple of 32 from 128 on"):
        opened(table, side=144)
    with pytest.raises(TableError, match="at least 1"):
        opened(table, copies=0)
    with pytest.raises(TableError, match="details"):
        opened(table, details=("focus",))
