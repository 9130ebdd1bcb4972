"""Sources by config: folders and CSVs, kept as asked."""

import dataclasses
import itertools

import numpy as np
import photo_folder
import pytest
from photo_folder import READER, a_section, fundus

from input_pipeline.loading import batches
from input_pipeline.photo.reader import PhotoError, read_photo
from input_pipeline.sources import opening
from input_pipeline.sources.folder_source import folder_source
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.storage import cache
from input_pipeline.tables.examples import class_counts
from input_pipeline.tables.table_error import TableError

folder = photo_folder.folder  # the fixture


def test_a_folder_whose_subfolders_name_the_quality(folder):
    source = folder_source(folder, reader=READER)
    table = source.table
    assert table.id.tolist() == ["Bad/a.jpg", "Good/a.jpg", "good/deep/b.JPG", "usable/c (1).png"]
    np.testing.assert_array_equal(table.labels["quality"], [2, 0, 0, 1])
    np.testing.assert_array_equal(table.labels["ungradable"], [1, 0, 0, 0])
    assert any("1 files passed over, no photographs" in note for note in table.notes)
    example = source.read(2)
    assert example["image"].shape == (32, 32, 3)
    assert example["fov"].shape == (32, 32)
    assert 0.5 < example["fov"].mean() < 0.9


def test_an_unlabelled_folder(folder, tmp_path):
    assert folder_source(folder / "good" / "deep", reader=READER).table.labels == {}
    with pytest.raises(TableError, match="no labels; put the photographs into folders named good"):
        folder_source(folder / "good" / "deep", reader=READER, require_labels=True)


def test_folders_of_unknown_names_are_unlabelled_and_said(folder):
    fundus(folder / "Outlier" / "x.jpg")
    table = folder_source(folder, reader=READER).table
    np.testing.assert_array_equal(table.labels["quality"], [2, 0, -1, 0, 1])
    assert any("folders ['Outlier'] are no known grade" in note for note in table.notes)
    table = folder_source(folder, reader=READER, quality_codes={"outlier": "drop"}).table
    assert len(table) == 4


def test_folders_that_are_splits(tmp_path):
    for i, (split, grade) in enumerate(itertools.product(("train", "test"), ("good", "reject"))):
        fundus(tmp_path / split / grade / "a.jpg", i)
    table = folder_source(tmp_path, reader=READER).table
    assert table.split.tolist() == ["test", "test", "train", "train"]
    fundus(tmp_path / "more" / "b.jpg")
    with pytest.raises(TableError, match="are splits, but 1 of 5 photographs lie in none"):
        folder_source(tmp_path, reader=READER)


def test_links_that_lead_round_in_circles_end(folder):
    (folder / "Good" / "again").symlink_to(folder, target_is_directory=True)
    assert len(folder_source(folder, reader=READER).table) == 4


def test_errors_of_folders(tmp_path):
    with pytest.raises(TableError, match="there is no such folder"):
        folder_source(tmp_path / "none", reader=READER)
    (tmp_path / "a.txt").touch()
    with pytest.raises(TableError, match=r"no photographs in this folder or below \(1 other"):
        folder_source(tmp_path, reader=READER)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"details": ("glare",)}, r"details \['glare'\] are not drawn"),
        ({"diagnosis": ("ill", "well")}, "names 2 classes, synthetic eyes have 5"),
        ({"diagnosis": ("ill", "well"), "merge": (0, 1, 1, 1, 2)}, "every class among them"),
        ({"count": 0}, "data.count is 0"),
        ({"source": "zip"}, "data.source is 'zip'"),
        ({"cache": "yes"}, "data.cache is 'yes'"),
        ({"on_bad": "ignore"}, "data.on_bad is 'ignore'"),
        ({"source": "folder", "path": ""}, "data.path is empty"),
        ({"source": "csv", "path": ""}, "data.path is empty"),
    ],
)
def test_settings_that_do_not_exist(changes, message):
    with pytest.raises(TableError, match=message):
        opening.make_source(a_section(**changes))


@pytest.mark.parametrize("mode", ["none", "memory", "disk", "auto"])
def test_the_same_photographs_however_they_are_kept(folder, tmp_path, mode):
    section = a_section(source="folder", path=str(folder), cache=mode)
    source = opening.make_source(section, tmp_path / "work")
    for row, name in enumerate(source.table.id):
        photo = read_photo(folder / str(name), 32)
        for _ in range(2):
            got = source.read(row)
            np.testing.assert_array_equal(got["image"], photo.image)
            np.testing.assert_array_equal(got["fov"], photo.fov)
    assert (tmp_path / "work" / "prepared").is_dir() == (mode == "disk")


def test_every_way_gives_the_same_bytes_of_real_photographs(shared_data, tmp_path):
    folder = shared_data / "drimdb" / "images" / "Good"
    names = [f"drimdb_good ({i}).jpg" for i in (1, 3, 5, 7, 9)]
    (tmp_path / "t.csv").write_text("path,quality\n" + "".join(f"{n},good\n" for n in names))
    stamp = (385, 5, 456, 15)
    direct = [read_photo(folder / name, 64, erase=[stamp]) for name in names]
    for mode, driver in itertools.product(("none", "disk"), batches.DRIVERS):
        section = a_section(
            source="csv",
            path=str(tmp_path / "t.csv"),
            root=str(folder),
            side=64,
            erase=(stamp,),
            cache=mode,
        )
        source = opening.make_source(section, tmp_path / "work")
        (batch,) = batches.eval_batches(source, np.arange(5), batch=5, driver=driver)
        np.testing.assert_array_equal(batch["image"], [photo.image for photo in direct])
        np.testing.assert_array_equal(batch["fov"], [photo.fov for photo in direct])


def test_memory_reads_each_photograph_once(folder):
    class Counting:
        reads = 0

        def __call__(self, item):
            self.reads += 1
            return READER.read(item)

    counting = Counting()
    source = dataclasses.replace(folder_source(folder, reader=READER), fetch=counting)
    source = cache.in_memory(source)
    for _ in range(3):
        for row in range(4):
            example = source.read(row)
            with pytest.raises(ValueError, match="read-only"):
                example["image"][0, 0, 0] = 1
            example["more"] = None  # a caller may add to the dict it was given
    assert counting.reads == 4
    assert cache.size(source) == 4 * 32 * 32 * 4


def test_auto_keeps_what_is_large_in_the_folder(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "MEMORY_LIMIT", 1000)
    section = a_section(source="folder", path=str(folder), cache="auto")
    opening.make_source(section, tmp_path / "work")
    assert len(list((tmp_path / "work" / "prepared").rglob("*.png"))) == 4


def test_prepared_in_a_folder_of_ones_own(folder, tmp_path):
    section = a_section(
        source="folder", path=str(folder), cache="disk", store=str(tmp_path / "mine")
    )
    opening.make_source(section)
    assert len(list((tmp_path / "mine").rglob("*.png"))) == 4
    with pytest.raises(TableError, match=r"data.cache is 'disk', but there is no folder"):
        opening.make_source(a_section(source="folder", path=str(folder), cache="disk"))


def test_a_photographs_fingerprint_is_its_contents(folder, tmp_path):
    whole = (folder / "Good" / "a.jpg").read_bytes()
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(whole)
    assert READER.fingerprint(copy) == READER.fingerprint(folder / "Good" / "a.jpg")
    assert READER.key(copy) == READER.key(folder / "Good" / "a.jpg")
    assert READER.stamp(copy) != READER.stamp(folder / "Good" / "a.jpg")
    for changed in (whole + b"1", whole[:-1] + b"?", b"?" + whole[1:]):
        copy.write_bytes(changed)
        assert READER.fingerprint(copy) != READER.fingerprint(folder / "Good" / "a.jpg")
    big = bytearray(np.random.default_rng(0).bytes(200_000))
    copy.write_bytes(big)
    before = READER.fingerprint(copy)
    big[100_000] ^= 1
    copy.write_bytes(big)
    assert READER.fingerprint(copy) != before
    assert READER.fingerprint(tmp_path / "none.jpg") == "FileNotFoundError"


def test_reader_settings_change_the_key(folder):
    path = folder / "Good" / "a.jpg"
    readers = [
        READER,
        PhotoReader(33, "fundus"),
        PhotoReader(32, "slice"),
        PhotoReader(32, "fundus", ((0, 0, 3, 3),)),
    ]
    assert len({reader.key(path) for reader in readers}) == 4
    with pytest.raises(PhotoError, match=r"none\.jpg"):
        READER.key(folder / "none.jpg")


def test_a_csv_through_the_config(folder, tmp_path):
    (folder / "t.csv").write_text("image,IQ\nGood/a.jpg,0\nBad\\a.jpg,2\n")
    section = a_section(
        source="csv",
        path=str(folder / "t.csv"),
        quality_codes=(("0", "good"), ("2", "reject")),
        columns=(("quality", "IQ"),),
    )
    source = opening.make_source(section)
    assert class_counts(source.table)["quality"] == {"good": 1, "usable": 0, "reject": 1}
    assert source.read(1)["image"].shape == (32, 32, 3)
