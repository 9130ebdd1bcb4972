"""Which mask belongs to which photograph, and one clear error where that cannot be told."""

import pytest

from input_pipeline.tables import mask_files
from input_pipeline.tables.table_error import TableError


@pytest.fixture
def files(tmp_path):
    """files(names...) -> folder with such empty files."""

    def _files(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return _files


def test_masks_are_called_like_photographs(files):
    root = files(
        "a/eye1.png", "eye2.GIF", "eye3_manual.tif", "notes.txt", ".eye4.png", "b/eye1.png"
    )
    found = mask_files.in_folder(
        ["a/eye1.jpg", "b/eye1.jpg", "images/eye2.jpg", "eye3.JPG", "eye4.jpg"], root
    )
    expected = ["a/eye1.png", "b/eye1.png", "eye2.GIF", "eye3_manual.tif"]
    assert found == [str(root / name) for name in expected] + [""]


def test_the_same_name_goes_before_a_longer_one(files):
    root = files("eye.png", "eye_second.png", "eye1.png")
    assert mask_files.in_folder(["eye.jpg", "eye1.jpg"], root) == [
        str(root / "eye.png"),
        str(root / "eye1.png"),
    ]


@pytest.mark.parametrize(
    ("masks", "photographs", "message"),
    [
        (("eye_1stHO.png", "eye_2ndHO.png"), ["eye.jpg"], "eye.jpg has several masks, eye_1stHO"),
        (("left.png",), ["a/left.jpg", "b/left.jpg"], "mask of a/left.jpg or of b/left.jpg"),
        (("other.png",), ["a/eye.jpg"], "no mask of 1 there .* its mask would be a/eye.png"),
        (("eye.txt",), ["eye.jpg"], "no mask of 0 there"),
    ],
)
def test_what_cannot_be_told(files, masks, photographs, message):
    with pytest.raises(TableError, match=message):
        mask_files.in_folder(photographs, files(*masks))


def test_no_folder(tmp_path):
    with pytest.raises(TableError, match=r"set --config.data.vessels to a folder"):
        mask_files.in_folder(["a.jpg"], tmp_path / "none")


def test_a_column_names_the_masks(files):
    root = files("m/1.png", "m/2.png")
    (root / "t.csv").write_text("image,vessels\ni\\a.jpg,m\\1.png\ni/b.jpg,\n./i/c.jpg,m/2.png\n")
    found = mask_files.in_column(["i/a.jpg", "i/b.jpg", "i/c.jpg"], root / "t.csv")
    assert found == [str(root / "m/1.png"), "", str(root / "m/2.png")]
    # Rows that the photographs' own loader dropped have no place in the answer.
    assert mask_files.in_column(["i/c.jpg"], root / "t.csv") == [str(root / "m/2.png")]


def test_a_column_by_another_name_and_another_root(files):
    root = files("deep/1.png")
    (root / "t.csv").write_text("photo,av\na.jpg,1.png\n")
    columns = {"path": "photo", "vessels": "av"}
    found = mask_files.in_column(["a.jpg"], root / "t.csv", root=root / "deep", columns=columns)
    assert found == [str(root / "deep" / "1.png")]


def test_a_table_without_masks(files):
    root = files()
    (root / "t.csv").write_text("path,quality\na.jpg,good\n")
    assert mask_files.in_column(["a.jpg"], root / "t.csv") == [""]


def test_masks_that_are_not_there(files):
    root = files("1.png")
    (root / "t.csv").write_text("path,vessels\na.jpg,1.png\nb.jpg,2.png\n")
    with pytest.raises(
        TableError, match=r"t.csv, column 'vessels': 1 of 2 files .* line 3: .*2.png"
    ):
        mask_files.in_column(["a.jpg", "b.jpg"], root / "t.csv")
    found = mask_files.in_column(["a.jpg", "b.jpg"], root / "t.csv", require_files=False)
    assert found[1] == str(root / "2.png")


def test_a_misspelt_column(files):
    root = files()
    (root / "t.csv").write_text("path,vesels\na.jpg,1.png\n")
    with pytest.raises(TableError, match="no column 'vessels', but 'vesels'"):
        mask_files.in_column(["a.jpg"], root / "t.csv")
