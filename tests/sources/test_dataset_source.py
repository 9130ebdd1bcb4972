"""Public data sets as sources of a recipe."""

import dummy_sets
import numpy as np
import pytest

from fiqa_jax import defaults
from input_pipeline import readers
from input_pipeline.photo.reader import read_photo
from input_pipeline.sources import opening
from input_pipeline.sources.dataset_source import dataset_source
from input_pipeline.tables.table_error import TableError


def settings(name, root, **changes):
    data = defaults.base().data.to_dict()
    own = {"source": name, "path": str(root), "counts": "any", "side": 32, "cache": "none"}
    return data | own | {"modality": readers.modality(name)} | changes


@pytest.mark.parametrize("name", dummy_sets.SETS)
def test_every_set_is_read_by_name(name, tmp_path):
    root = dummy_sets.write(name, tmp_path)
    source = opening.make_source(settings(name, root))
    first = None
    for row in range(len(source.table)):
        example = source.read(row)
        shapes = {k: (x.shape, x.dtype) for k, x in example.items()}
        first = first or shapes
        assert shapes == first
    channels = 1 if name == "iqad/IQAD-CT" else 3
    assert example["image"].shape == (32, 32, channels)
    extra = {"funpiq": {"map"}, "vessels": {"vessels", "vessels_valid"}}
    assert example.keys() - {"image", "fov"} == extra.get(name.partition("/")[0], set())


def test_labels_as_a_recipe_asks_for_them(tmp_path):
    root = dummy_sets.write("deepdrid", tmp_path)
    both = opening.make_source(settings("deepdrid", root, details=("contrast", "clarity"))).table
    assert both.detail_names == ("contrast", "clarity")
    np.testing.assert_array_equal(both.labels["details"][:, 0], -1)
    np.testing.assert_array_equal(both.labels["details"][:, 1], [0, 1, 0, 1, 0])
    assert "diagnosis" not in both.labels
    assert any("gradable / ungradable only" in note for note in both.notes)
    none = opening.make_source(settings("deepdrid", root, details=(), classes=0)).table
    assert none.labels == {}
    named = tuple("abcde")
    five = opening.make_source(settings("deepdrid", root, diagnosis=named)).table
    assert five.diagnosis_names == named
    with pytest.raises(TableError, match=r"deepdrid has 5 diagnoses: \('no DR'"):
        opening.make_source(settings("deepdrid", root, diagnosis=("no", "yes")))


def test_two_classes_of_a_set_with_three(tmp_path):
    root = dummy_sets.write("eyeq", tmp_path)
    table = opening.make_source(settings("eyeq", root, classes=2)).table
    assert table.quality_names == ("gradable", "ungradable")
    assert table.labels.keys() == {"ungradable"}
    with pytest.raises(TableError, match="none of the labels asked for is there; it has quality"):
        opening.make_source(settings("eyeq", root, classes=0), require_labels=True)


def test_photographs_that_are_missing(tmp_path):
    root = dummy_sets.write("deepdrid", tmp_path)
    whole = opening.make_source(settings("deepdrid", root)).table
    (root / str(whole.path[1])).unlink()
    said = (
        rf"1 of {len(whole)} photographs .*prepare deepdrid --help.*, or set --config.data.on_bad"
    )
    with pytest.raises(TableError, match=said):
        opening.make_source(settings("deepdrid", root))
    skipped = opening.make_source(settings("deepdrid", root, on_bad="skip"), tmp_path / "work")
    assert skipped.table.id.tolist() == np.delete(whole.id, 1).tolist()
    assert str(whole.id[1]) in (tmp_path / "work" / "left_out.csv").read_text()


def test_five_files_are_known_to_be_trouble(tmp_path):
    root = dummy_sets.write("eyeq", tmp_path)
    (root / "train" / "15337_left.jpeg").write_bytes(b"spoilt")
    opening.make_source(settings("eyeq", root, on_bad="skip"), tmp_path / "work")
    listed = (tmp_path / "work" / "left_out.csv").read_text()
    assert "one of five that the official script cannot crop" in listed


def test_preprocessed_photographs_serve_as_well(tmp_path):
    root = dummy_sets.write("eyeq", tmp_path)
    for path in [*root.glob("t*/*.jpeg")]:
        dummy_sets.photograph(root / "png" / f"{path.stem}.png")
        path.unlink()
    source = opening.make_source(settings("eyeq", root))
    assert source.table.path.tolist()[0] == "png/10_left.png"


def test_pictures_of_another_kind_than_the_recipe_expects(tmp_path):
    root = dummy_sets.write("iqad/DRAC", tmp_path)
    with pytest.raises(TableError, match=r"holds slice pictures; set --config.data.modality=slice"):
        opening.make_source(settings("iqad/DRAC", root, modality="fundus"))


def test_boxes_that_a_set_is_known_to_need(tmp_path):
    root = dummy_sets.write("drimdb", tmp_path)
    source = dataset_source("drimdb", root, side=32, counts="any")
    assert source.reader.photo.erase == ((566, 2, 682, 28),)
    own = dataset_source("drimdb", root, side=32, counts="any", erase=((0, 0, 9, 9),))
    path = own.items[0]
    expected = read_photo(path, 32, erase=((0, 0, 9, 9),))
    np.testing.assert_array_equal(own.read(0)["image"], expected.image)


def test_settings_that_do_not_exist(tmp_path):
    root = dummy_sets.write("eyeq", tmp_path)
    with pytest.raises(TableError, match=r"data\.no_field is 'skip', expected one of"):
        opening.make_source(settings("eyeq", root, no_field="skip"))
    with pytest.raises(TableError, match=r"data\.source is 'eye', expected one of"):
        opening.make_source(settings("eyeq", root) | {"source": "eye"})


def test_the_digest_follows_labels_and_lists(tmp_path):
    root = dummy_sets.write("iqad/EYEQ", tmp_path)
    one = opening.make_source(settings("iqad/EYEQ", root)).digest
    assert opening.make_source(settings("iqad/EYEQ", root)).digest == one
    assert opening.make_source(settings("iqad/EYEQ", root, lists="mkcnet")).digest != one


def test_a_part_of_eyeq_opens_and_says_what_is_not_there(tmp_path):
    root = dummy_sets.write("eyeq", tmp_path)
    whole = opening.make_source(settings("eyeq", root)).table
    gone = [0, len(whole) - 1]
    for row in gone:
        (root / str(whole.path[row])).unlink()
    part = opening.make_source(settings("eyeq", root)).table
    assert part.id.tolist() == [name for i, name in enumerate(whole.id) if i not in gone]
    grades = [whole.quality_names[whole.labels["quality"][row]] for row in gone]
    counts = ", ".join(f"{name} {grades.count(name)}" for name in whole.quality_names)
    said = f"a part of the set: 2 of {len(whole)} photographs are not in the folder ({counts})"
    assert said in part.notes
    for name in whole.path:
        (root / str(name)).unlink(missing_ok=True)
    with pytest.raises(TableError, match=f"{len(whole)} of {len(whole)} photographs are not below"):
        opening.make_source(settings("eyeq", root))
