"""Files, folders and manifests as one list of photographs."""

import os

import pytest
from PIL import Image

from fiqa_jax.inference.inputs import InputError, collect, gather
from input_pipeline import marked, plain_text


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
    assert [item.id for item in got] == ["notes.txt", "a.png"]


def test_ids_do_not_depend_on_the_working_directory(tmp_path, monkeypatch):
    touch(tmp_path, "one/x/a.png", "two/x/a.png", "one/b.png")
    whole = collect([tmp_path / "one", tmp_path / "two"], recursive=True)
    assert [item.id for item in whole] == ["b.png", "one/x/a.png", "two/x/a.png"]
    monkeypatch.chdir(tmp_path / "one")
    near = collect([".", "../two"], recursive=True)
    assert [item.id for item in near] == [item.id for item in whole]
    assert [item.id for item in collect(["x/a.png"], recursive=False)] == ["a.png"]


def test_names_that_are_no_text_have_ids_of_their_own(tmp_path):
    for name in (b"\xff.png", b"\xfe.png"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    got = collect([tmp_path], recursive=False)
    assert len({item.id for item in got}) == 2
    assert {item.shown for item in got} == {str(tmp_path / "\ufffd.png")}


def test_names_that_are_formulas_are_written_as_paths(tmp_path, monkeypatch):
    touch(tmp_path, "=1+1.png", "-x.png", "@a.png", "+b.png", "plain.png")
    monkeypatch.chdir(tmp_path)
    got = collect(["."], recursive=False)
    anchored = ["./+b.png", "./-x.png", "./=1+1.png", "./@a.png"]
    assert [item.shown for item in got] == [*anchored, "plain.png"]
    assert [item.id for item in got] == [item.shown for item in got]
    assert all(os.path.exists(item.path) for item in got)


def test_a_tilde_may_begin_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "~tmp.png", "a.png")
    assert collect(["~tmp.png"], recursive=False)[0].path == "~tmp.png"
    with pytest.raises(InputError, match="no user whose home folder"):
        collect(["~nobody-of-that-name/x.png"], recursive=False)
    table = tmp_path / "list.csv"
    table.write_text("path\n~nobody-of-that-name/x.png\na.png\n")
    assert len(collect([table], recursive=False)) == 2  # the first is a row with an error


def test_what_earlier_runs_wrote_is_no_photograph(tmp_path):
    touch(tmp_path, "a.png", "judged/run.json", "judged/predictions.jsonl", "judged/maps/a.png")
    touch(tmp_path, "explained/explanations.csv", "explained/maps/a.png")
    touch(tmp_path, "maps/b.png")  # a folder of that name that no run wrote
    got = collect([tmp_path], recursive=True)
    assert [item.id for item in got] == ["a.png", "maps/b.png"]


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
        ("picture\na.png\n", r"no column with paths, expected one of.*there are \['picture'\]"),
        ("path\nC:\\photos\\1.jpg\n", "is an absolute Windows path"),
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


def test_what_a_folder_holds_besides_is_named(tmp_path):
    touch(tmp_path, "a.png", ".hidden", "Thumbs.db", "sub/c.tif", "sub/d.doc")
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7\n")
    (tmp_path / "notes.txt").write_text("two\n")
    flat = gather([tmp_path], recursive=False)
    assert names(flat.items, tmp_path) == ["a.png"]
    assert [(one.id, one.other) for one in flat.others] == [
        ("letter.pdf", "a PDF document"),
        ("notes.txt", "a text file"),
    ]
    assert [(one.path.name, one.what) for one in flat.folders] == [("sub", "2 files not looked at")]
    deep = gather([tmp_path], recursive=True)
    assert names(deep.items, tmp_path) == ["a.png", "sub/c.tif"]
    assert [one.id for one in deep.others] == ["letter.pdf", "notes.txt", "sub/d.doc"]
    assert deep.folders == ()


def test_photographs_are_found_by_their_first_bytes_too(tmp_path):
    """Cameras and archives write names without an ending, or with one of their own."""
    Image.new("RGB", (8, 8), "red").save(tmp_path / "IM0001", "JPEG")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "b.jpg_large", "PNG")
    (tmp_path / "c").write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "d.jpg").write_bytes(b"%PDF-1.7\n")  # a row that says so
    (tmp_path / "e.heic").write_bytes(b"\0\0\0\x18ftypheic")
    found = gather([tmp_path], recursive=False)
    assert names(found.items, tmp_path) == ["IM0001", "b.jpg_large", "c", "d.jpg", "e.heic"]


def test_what_the_package_drew_is_no_photograph(tmp_path):
    """Wherever a map, a thumbnail or a sheet is copied to; no folder of results is gone into."""
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.jpg")
    (tmp_path / "map.png").write_bytes(marked.png(Image.new("L", (8, 8))))
    (tmp_path / "thumbnail.jpg").write_bytes(marked.jpeg(Image.new("RGB", (8, 8)), quality=80))
    touch(tmp_path, "judged/predictions.jsonl", "judged/maps/b.png", "run/recipe.json", "run/c.png")
    found = gather([tmp_path], recursive=True)
    assert names(found.items, tmp_path) == ["a.jpg"]
    drawn = "a picture that fiqa_jax drew"
    assert [(one.id, one.other) for one in found.others] == [
        ("map.png", drawn),
        ("thumbnail.jpg", drawn),
    ]
    assert [one.path.name for one in found.folders] == ["judged", "run"]
    named = gather([tmp_path / "map.png"], recursive=False)  # asked for by itself
    assert names(named.items, tmp_path) == ["map.png"]


@pytest.mark.parametrize("column", ["path", "image", "file", "Filename"])
def test_a_manifest_may_call_its_paths_as_tables_do(tmp_path, column):
    touch(tmp_path, "a.png")
    (tmp_path / "list.csv").write_text(f"\ufeff{column}\tquality\na.png\tgood\n", encoding="utf-8")
    assert names(collect([tmp_path / "list.csv"], recursive=False), tmp_path) == ["a.png"]


def test_a_tilde_that_is_no_user(tmp_path, monkeypatch):
    touch(tmp_path, "~tmp.jpg")
    monkeypatch.chdir(tmp_path)
    assert [item.path for item in collect(["~tmp.jpg"], recursive=False)] == ["~tmp.jpg"]
    with pytest.raises(InputError, match=r"~nobody_is_called_so\.jpg: there is no such file"):
        collect(["~nobody_is_called_so.jpg"], recursive=False)


def test_names_that_are_no_text():
    name = os.fsdecode(b"caf\xe9.png")
    assert plain_text.as_text(name) == "caf�.png"
    assert plain_text.as_text("café.png") == "café.png"
