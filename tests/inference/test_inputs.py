"""Files, folders and manifests as one list of photographs."""

import os

import pytest

from fiqa_jax.inference.inputs import InputError, as_text, collect


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(items, root):
    return [os.path.relpath(item.path, root).replace(os.sep, "/") for item in items]


def test_a_folder_and_what_is_below_it(tmp_path):
    touch(tmp_path, "b.JPG", "a.png", "notes.txt", ".hidden.png", "sub/c.tif", ".git/d.png")
    assert names(collect([tmp_path], recursive=False), tmp_path) == ["a.png", "b.JPG"]
    assert names(collect([tmp_path], recursive=True), tmp_path) == ["a.png", "b.JPG", "sub/c.tif"]


def test_a_file_stands_for_itself_whatever_its_name(tmp_path):
    touch(tmp_path, "notes.txt", "a.png")
    got = collect([tmp_path / "notes.txt", tmp_path, tmp_path / "a.png"], recursive=False)
    assert names(got, tmp_path) == ["notes.txt", "a.png"]
    assert got[0].id == str(tmp_path / "notes.txt")


def test_manifest(tmp_path):
    touch(tmp_path, "data/a.png")
    table = tmp_path / "list.csv"
    table.write_text("path;id;patient\ndata\\a.png;A;7\n/elsewhere/b.png;B;\n")
    got = collect([table], recursive=False)
    assert names(got[:1], tmp_path) == ["data/a.png"]
    assert [(item.id, item.patient) for item in got] == [("A", "7"), ("B", "")]
    assert got[1].path == "/elsewhere/b.png"


def test_links_in_a_circle_end(tmp_path):
    touch(tmp_path, "sub/a.png")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    assert len(collect([tmp_path], recursive=True)) == 1


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, "there is no such file or folder"),
        ("", "in or below it"),
        ("image\na.png\n", r"no column 'path'; there are \['image'\]"),
        ("path,id\na.png,1\n,2\n", "an empty path"),
        ("path,id\na.png,1\nb.png,1\n", "id '1' stands for"),
    ],
)
def test_wrong_inputs(tmp_path, content, match):
    one = tmp_path / ("list.csv" if content else "folder")
    if content:
        one.write_text(content)
    elif content == "":
        one.mkdir()
    with pytest.raises(InputError, match=match):
        collect([one], recursive=False)


def test_names_that_are_no_text():
    name = os.fsdecode(b"caf\xe9.png")
    assert as_text(name) == "caf�.png"
    assert as_text("café.png") == "café.png"
