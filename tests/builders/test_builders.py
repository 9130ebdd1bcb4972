"""TFDS builders of every set on dummy photographs, and what was packed read back as a source."""

import importlib
import subprocess
import sys

import dummy_sets
import numpy as np
import pytest
import tensorflow_datasets as tfds

from fiqa_jax import defaults
from input_pipeline import readers
from input_pipeline.builders import crops
from input_pipeline.loading import batches
from input_pipeline.sources import opening, tfds_records
from input_pipeline.tables.table_error import TableError


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """No bars, no look at the network for prepared copies."""
    tfds.disable_progress_bar()
    monkeypatch.setenv("NO_GCE_CHECK", "true")


def packed(name, tmp_path, **settings):
    """Folder of the set, and of its prepared builder."""
    root = dummy_sets.write(name, tmp_path / "in")
    module = importlib.import_module(f"input_pipeline.builders.{name.partition('/')[0]}")
    config = crops.crops(name, 32, counts="any", workers=1, **settings)
    builder = module.BUILDER(data_dir=str(tmp_path / "tfds"), config=config)
    how = tfds.download.DownloadConfig(manual_dir=str(root))
    builder.download_and_prepare(download_config=how)
    return root, builder


def settings(source, path, name, **changes):
    data = defaults.base().data.to_dict()
    data |= {"source": source, "path": str(path), "counts": "any", "side": 32, "cache": "none"}
    names = readers.named(name)[0].labels[readers.named(name)[1]]
    data |= {"details": names.details, "diagnosis": names.diagnosis}
    return data | {"modality": readers.modality(name)} | changes


@pytest.mark.parametrize("name", dummy_sets.SETS)
def test_what_is_packed_is_what_the_set_gives(name, tmp_path):
    root, builder = packed(name, tmp_path)
    direct = opening.make_source(settings(name, root, name))
    back = opening.make_source(settings("tfds", builder.data_dir, name))
    assert sorted(back.table.id.tolist()) == sorted(direct.table.id.tolist())
    assert back.table.quality_names == direct.table.quality_names
    assert back.table.detail_names == direct.table.detail_names
    assert back.table.diagnosis_names == direct.table.diagnosis_names
    assert back.table.labels.keys() == direct.table.labels.keys()
    place = {name: row for row, name in enumerate(direct.table.id.tolist())}
    for row, name in enumerate(back.table.id.tolist()):
        other = place[name]
        assert back.table.patient[row] == direct.table.patient[other]
        assert back.table.split[row] == direct.table.split[other]
        for label, values in back.table.labels.items():
            np.testing.assert_array_equal(values[row], direct.table.labels[label][other])
            assert values.dtype == direct.table.labels[label].dtype
        one, two = back.read(row), direct.read(other)
        assert one.keys() == two.keys()
        for array, expected in ((one[k], two[k]) for k in one):
            np.testing.assert_array_equal(array, expected)
            assert array.dtype == expected.dtype


def test_drawings_are_packed_with_all_they_know(tmp_path):
    from input_pipeline.builders import drawn

    config = crops.Drawings(name="few", side=32, count=3, workers=1)
    builder = drawn.BUILDER(data_dir=str(tmp_path), config=config)
    builder.download_and_prepare()
    data = defaults.base().data.to_dict() | {"source": "tfds", "path": builder.data_dir, "side": 32}
    back = opening.make_source(data)
    own = opening.make_source(data | {"source": "drawn", "count": 3})
    assert {*back.table.id.tolist()} == {*own.table.id.tolist()}
    row = back.table.id.tolist().index(own.table.id[1])
    for name, array in own.read(1).items():
        np.testing.assert_array_equal(back.read(row)[name], array)
    for name, values in own.table.labels.items():
        np.testing.assert_array_equal(back.table.labels[name][row], values[1])


def test_lists_that_share_patients_stay_as_published(tmp_path):
    _, builder = packed("iqad/EYEQ", tmp_path, lists="mkcnet")
    assert builder.builder_config.name == "EYEQ-mkcnet-32"
    assert {*builder.info.splits} == {"train", "val", "test"}
    assert builder.info.splits["train"].num_examples == 2
    assert opening.make_source(
        settings("tfds", builder.data_dir, "iqad/EYEQ")
    ).table.shares_patients


def test_records_feed_training_in_the_order_of_their_table(tmp_path):
    _, builder = packed("eyeq", tmp_path)
    source = opening.make_source(settings("tfds", builder.data_dir, "eyeq"))
    stream = batches.eval_batches(source, np.arange(5), batch=2, workers=2, driver="threads")
    seen = []
    for batch in stream:
        for index, image, quality in zip(
            batch["index"], batch["image"], batch["quality"], strict=True
        ):
            np.testing.assert_array_equal(image, source.read(index)["image"])
            assert quality == source.table.labels["quality"][index]
            seen.append(int(index))
    assert seen == [0, 1, 2, 3, 4, 0]


def test_a_failed_preparation_loses_no_crop(tmp_path):
    root = dummy_sets.write("eyeq", tmp_path / "in")
    (root / "test" / "9_left.jpeg").write_bytes(b"spoilt")
    config = crops.crops("eyeq", 32, counts="any", workers=1, store=str(tmp_path / "store"))
    how = tfds.download.DownloadConfig(manual_dir=str(root))
    from input_pipeline.builders import eyeq

    builder = eyeq.BUILDER(data_dir=str(tmp_path / "tfds"), config=config)
    with pytest.raises(ValueError, match=r"9_left\.jpeg"):
        builder.download_and_prepare(download_config=how)
    kept = len(list((tmp_path / "store").rglob("*.png")))
    assert kept > 0
    skipping = crops.crops(
        "eyeq", 32, counts="any", workers=1, store=str(tmp_path / "store"), on_bad="skip"
    )
    builder = eyeq.BUILDER(data_dir=str(tmp_path / "tfds"), config=skipping)
    builder.download_and_prepare(download_config=how)
    assert builder.info.splits["test"].num_examples == 1
    assert len(list((tmp_path / "store").rglob("*.png"))) >= kept


def test_a_builder_that_does_not_fit_the_recipe(tmp_path):
    _, builder = packed("drimdb", tmp_path)
    with pytest.raises(TableError, match=r"pictures of side 32, data\.side is 64"):
        opening.make_source(settings("tfds", builder.data_dir, "drimdb", side=64))
    with pytest.raises(TableError, match=r"table.json: there is no such file; set"):
        opening.make_source(settings("tfds", tmp_path, "drimdb"))
    with pytest.raises(TableError, match=r"data\.path is empty"):
        opening.make_source(settings("tfds", "", "drimdb"))
    table = tmp_path / "tfds" / "drimdb" / "all-32" / "1.0.0" / tfds_records.TABLE
    table.write_text('{"schema": 0}')
    with pytest.raises(TableError, match=r"schema 0, expected 1; prepare it again"):
        opening.make_source(settings("tfds", builder.data_dir, "drimdb"))


def test_configs_are_named_after_what_decides_their_contents():
    assert crops.crops("eyeq", 512).name == "512"
    assert crops.crops("iqad/EYEQ", 256, lists="mkcnet").name == "EYEQ-mkcnet-256"
    assert crops.crops("iqad/EYEQ", 256, lists="official").name == "EYEQ-256"
    assert crops.crops("eyeq", 224, no_field="error").name == "224-field"
    boxes = {crops.crops("eyeq", 9, erase=((0, 0, 1, k),)).name for k in (1, 2)}
    assert len(boxes) == 2


@pytest.mark.parametrize("name", readers.READERS)
def test_every_set_has_a_builder_with_its_instructions(name):
    builder = importlib.import_module(f"input_pipeline.builders.{name}").BUILDER
    dataset, _ = readers.named(name)
    assert builder.name == name
    assert dataset.instructions == builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    assert str(builder.VERSION) in builder.RELEASE_NOTES
    configs = {config.name for config in builder.BUILDER_CONFIGS}
    assert (
        len(configs) == len(builder.BUILDER_CONFIGS) == len(dataset.variants) * len(dataset.lists)
    )


def test_packing_and_reading_need_no_tensorflow(tmp_path):
    code = (
        "import sys; sys.path[:0] = ['tests', 'tests/builders']\n"
        "import pathlib, test_builders as t, tensorflow_datasets as tfds\n"
        "tfds.disable_progress_bar()\n"
        f"root, builder = t.packed('drimdb', pathlib.Path({str(tmp_path)!r}))\n"
        "s = t.opening.make_source(t.settings('tfds', builder.data_dir, 'drimdb'))\n"
        "s.read(0)\n"
        "print('tensorflow' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
