"""A user's CSV: what is understood, and one clear error for what is not."""

import os

import numpy as np
import pytest

from input_pipeline.sources.csv_source import csv_source
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.tables.examples import class_counts, summary
from input_pipeline.tables.table_error import TableError

READER = PhotoReader(32, "fundus")
DETAILS = ("illumination", "clarity", "contrast")


@pytest.fixture
def write(tmp_path):
    """write(text, files=...) -> path of the CSV; empty files stand for photographs."""

    def _write(text, files=("a.jpg", "b.jpg", "c.jpg"), encoding="utf-8"):
        for name in files:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        (tmp_path / "t.csv").write_text(text, encoding=encoding)
        return tmp_path / "t.csv"

    return _write


def read(path, **kwargs):
    return csv_source(path, reader=READER, **kwargs)


def test_a_path_and_one_label_are_enough(write, tmp_path):
    source = read(write("path,quality\na.jpg,good\nb.jpg,reject\nc.jpg,\n"), details=DETAILS)
    table = source.table
    assert table.id.tolist() == table.patient.tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert source.items.tolist() == [str(tmp_path / n) for n in ("a.jpg", "b.jpg", "c.jpg")]
    assert sorted(table.labels) == ["quality", "ungradable"]
    np.testing.assert_array_equal(table.labels["quality"], [0, 2, -1])
    np.testing.assert_array_equal(table.labels["ungradable"], [0, 1, -1])
    assert table.quality_names == ("good", "usable", "reject")
    assert table.detail_names == ()
    assert set(table.split) == {""}
    counts = class_counts(table)["quality"]
    assert counts == {"good": 1, "usable": 0, "reject": 1, "absent": 1}


def test_every_column(write):
    text = (
        "id,image,patient_id,split,quality,clarity,diagnosis\n"
        "1,a.jpg,p1,train,good,good,none\n"
        "2,b.jpg,p1,train,usable,bad,severe\n"
        "3,c.jpg,,Validation,reject,,1\n"
    )
    table = read(write(text), details=DETAILS, diagnosis=("none", "severe")).table
    assert table.id.tolist() == ["1", "2", "3"]
    assert table.patient.tolist() == ["p1", "p1", "3"]
    assert table.split.tolist() == ["train", "train", "val"]
    np.testing.assert_array_equal(table.labels["details"], [[-1, 0, -1], [-1, 1, -1], [-1, -1, -1]])
    assert table.detail_names == DETAILS
    np.testing.assert_array_equal(table.labels["diagnosis"], [0, 1, 1])
    text = summary("t", table)
    assert "3 photographs of 2 patients" in text
    assert "no column for ['contrast', 'illumination']" in text
    assert "'reject' 1 times -> reject" in text


def test_two_class_words(write):
    table = read(write("path,quality\na.jpg,gradable\nb.jpg,ungradable\n")).table
    assert list(table.labels) == ["ungradable"]
    np.testing.assert_array_equal(table.labels["ungradable"], [0, 1])
    assert table.quality_names == ("gradable", "ungradable")


def test_three_grades_read_as_two_classes(write):
    table = read(write("path,quality\na.jpg,usable\nb.jpg,reject\n"), classes=2).table
    assert list(table.labels) == ["ungradable"]
    np.testing.assert_array_equal(table.labels["ungradable"], [0, 1])


def test_no_grade_asked_for(write):
    table = read(write("path,quality\na.jpg,whatever\nb.jpg,7\n"), classes=0).table
    assert table.labels == {}


def test_gradable_is_turned_round(write):
    table = read(write("path,gradable\na.jpg,1\nb.jpg,0\nc.jpg,\n")).table
    np.testing.assert_array_equal(table.labels["ungradable"], [0, 1, -1])


def test_semicolons_byte_order_mark_and_crlf_as_excel_writes_them(write):
    text = "Path;Quality;Overall note\r\na.jpg;Good;one, two\r\n\r\nb.jpg;Bad;\r\n"
    table = read(write(text, encoding="utf-8-sig")).table
    np.testing.assert_array_equal(table.labels["quality"], [0, 2])
    table = read(write("sep=;\r\n" + text)).table
    np.testing.assert_array_equal(table.labels["quality"], [0, 2])


def test_tabs_quotes_and_an_unnamed_index_column(write):
    text = '\tpath\tquality\n0\t"a.jpg"\tgood\n1\tb.jpg\tusable\n'
    np.testing.assert_array_equal(read(write(text)).table.labels["quality"], [0, 1])


def test_backslashes_in_relative_paths(write, tmp_path):
    path = write("path,quality\nimages\\one (1).jpg,good\n", files=("images/one (1).jpg",))
    source = read(path)
    assert source.table.path.tolist() == ["images/one (1).jpg"]
    assert source.items[0] == str(tmp_path / "images" / "one (1).jpg")


def test_root(write, tmp_path):
    path = write("path,quality\nx.jpg,good\n", files=("deep/x.jpg",))
    assert read(path, root=tmp_path / "deep").items[0] == str(tmp_path / "deep" / "x.jpg")


def test_columns_by_other_names(write):
    text = "image_name,IQ,Eye of\na.jpg,2,p\nb.jpg,0,p\n"
    columns = {"path": "image_name", "quality": "IQ", "patient": "Eye of"}
    codes = {"2": "good", "0": "reject"}
    table = read(write(text), columns=columns, quality_codes=codes).table
    np.testing.assert_array_equal(table.labels["quality"], [0, 2])
    assert table.patient.tolist() == ["p", "p"]


def test_patients_by_a_pattern_in_the_id(write):
    text = "path,quality\na.jpg,good\nb.jpg,good\nc.jpg,good\n"
    assert read(write(text), patient=r"([ab])|x(y)").table.patient.tolist() == ["a", "b", "c.jpg"]
    text = "path,quality,patient\na.jpg,good,p\nb.jpg,good,\nc.jpg,good,p\n"
    assert read(write(text), patient="(.)").table.patient.tolist() == ["p", "b.jpg", "p"]


def test_dropped_codes_need_no_files(write):
    text = "path,quality\na.jpg,good\nnot there.jpg,outlier\nb.jpg,bad\n"
    source = read(write(text), quality_codes={"outlier": "drop"})
    assert source.table.id.tolist() == ["a.jpg", "b.jpg"]
    assert len(source.items) == 2


def test_missing_files_may_be_left_to_the_reader(write):
    assert len(read(write("path\nnowhere.jpg\n"), require_files=False).table) == 1


GOOD = "path,quality\na.jpg,good\n"


@pytest.mark.parametrize(
    ("text", "kwargs", "message"),
    [
        (
            "picture,quality\na.jpg,good\n",
            {},
            r"no column 'path' \(or one of image, .*; the columns are",
        ),
        ("paths,quality\na.jpg,good\n", {}, r"nearest: \['paths'\]"),
        ("path,qualty\na.jpg,good\n", {}, r"no column 'quality', but 'qualty'"),
        ("path,patients\na.jpg,7\n", {}, r"no column 'patient', but 'patients'"),
        (
            "path,ilumination\na.jpg,good\n",
            {"details": DETAILS},
            "no column 'illumination', but 'ilumination'",
        ),
        (GOOD, {"columns": {"quality": "IQ"}}, r"no column 'IQ' \(data.columns: quality\)"),
        (
            GOOD,
            {"columns": {"grade": "IQ"}, "details": DETAILS},
            r"data.columns names \['grade'\]",
        ),
        ("path,quality\na.jpg,1\n", {}, "line 2, column 'quality': '1': numbers have no meaning"),
        ("path,quality\na.jpg,good\nb.jpg,poor\n", {}, "line 3, column 'quality': 'poor'"),
        (
            "id,path\nx,a.jpg\ny,b.jpg\nx,c.jpg\n",
            {},
            "line 4: id 'x' stands in line 2 already",
        ),
        ("path\na.jpg\n./a.jpg\n", {}, "line 3: path 'a.jpg' stands in line 2 already"),
        ("id,path\nx,a.jpg\n,b.jpg\n", {}, "line 3: the id is empty"),
        (
            "path,patient,split\na.jpg,p,train\nb.jpg,q,val\nc.jpg,p,test\n",
            {},
            r"'p' in test \(line 4\), train \(line 2\)",
        ),
        (GOOD, {"diagnosis": ("no", "yes")}, "there is no column 'diagnosis'; the columns are"),
        ("path,split\na.jpg,later\n", {}, "line 2, column 'split': 'later'"),
        (
            "path\nx.jpg\na.jpg\ny.jpg\nz.jpg\nw.jpg\n",
            {},
            r"4 of 5 files are not there, the first: line 2: .*x.jpg; line 4: .*y.jpg; line 5: "
            r".*z.jpg\. Relative paths start from",
        ),
        ("path,quality\n", {}, "a header but no rows"),
        ("", {}, "the file is empty"),
        ("\n\n", {}, "the file is empty"),
        ("path\na.jpg\n", {"require_labels": True}, r"no labels; expected one or more"),
        ("path,quality\na.jpg,\n", {"require_labels": True}, r"no labels; expected one or more"),
        ("path,quality\na.jpg,good,\n", {}, "line 2: 3 cells, the header has 2"),
        ("path,quality,path\na.jpg,good,b\n", {}, r"columns \['path'\] stand more than once"),
        ("path,quality\n,good\n", {}, "line 2: the path is empty"),
        ('path,quality\n"a.jpg,good\n', {}, "line 2: unexpected end of data"),
        (
            "path,quality,ungradable\na.jpg,good,0\nb.jpg,good,1\n",
            {},
            "line 3: 'ungradable' contradicts",
        ),
        ("path,quality\na.jpg,x\n", {"quality_codes": {"x": "drop"}}, "drops every row"),
    ],
)
def test_errors_name_the_file_and_the_place(write, text, kwargs, message):
    path = write(text)
    with pytest.raises(TableError, match=message) as error:
        read(path, **kwargs)
    assert str(path) in str(error.value) or "data.columns names" in str(error.value)


@pytest.mark.skipif(os.name == "nt", reason="these paths are right there")
@pytest.mark.parametrize("cell", ["C:\\photos\\a.jpg", "d:/a.jpg", "\\\\server\\share\\a.jpg"])
def test_absolute_windows_paths(write, cell):
    with pytest.raises(TableError, match=r"line 2: .* is an absolute Windows path"):
        read(write(f"path,quality\n{cell},good\n"))


def test_no_file_and_wrong_encoding(tmp_path):
    with pytest.raises(TableError, match="there is no such file"):
        read(tmp_path / "none.csv")
    with pytest.raises(TableError, match=r"data.path is empty"):
        read("")
    (tmp_path / "t.csv").write_bytes("path\nä.jpg\n".encode("latin-1"))
    with pytest.raises(TableError, match="byte 5 is not UTF-8"):
        read(tmp_path / "t.csv")


def test_a_column_can_be_said_to_serve_nothing(write):
    path = write("path,patients\na.jpg,7\n")
    table = read(path, columns={"patient": ""}).table
    assert table.patient.tolist() == ["a.jpg"]


def test_settings_of_columns_that_a_stage_does_not_use_do_no_harm(write):
    path = write("path,IQ\na.jpg,good\n")
    columns = {"quality": "IQ", "clarity": "sharp", "diagnosis": "dr"}
    assert read(path, columns=columns, classes=0).table.labels == {}


EYEQ = {"0": "good", "1": "usable", "2": "reject"}


@pytest.mark.parametrize(
    ("name", "published"),  # counts of the EyeQ label files, Fu et al. 2019
    [
        ("train", {"good": 8347, "usable": 1876, "reject": 2320}),
        ("test", {"good": 8471, "usable": 4558, "reject": 3220}),
    ],
)
def test_eyeqs_own_table(shared_data, name, published):
    path = shared_data / "labels" / "eyeq" / f"Label_EyeQ_{name}.csv"
    table = read(path, quality_codes=EYEQ, require_files=False).table
    assert class_counts(table)["quality"] == published
    assert class_counts(table)["ungradable"]["ungradable"] == published["reject"]


def test_eyeq_d_codes_the_same_photographs_in_reverse(shared_data):
    # All 160 photographs of EyeQ-D carry EyeQ's grade, written the other way round.
    labels = shared_data / "labels"
    eyeq = read(
        labels / "eyeq" / "Label_EyeQ_test.csv", quality_codes=EYEQ, require_files=False
    ).table
    other = read(
        labels / "eyeq_d" / "EyeQ-D-Quality-Details.csv",
        columns={"path": "file_name", "quality": "overall_quality"},
        quality_codes={"0": "reject", "1": "usable", "2": "good"},
        details=DETAILS,
        detail_code="good",
        require_files=False,
    ).table
    grade = {p.split(".")[0]: q for p, q in zip(eyeq.path, eyeq.labels["quality"], strict=True)}
    assert [grade[p] for p in other.path] == other.labels["quality"].tolist()
    assert len(other) == 160
    # 30 of the 78 good ones are badly lit (published table of EyeQ-D).
    good = other.labels["quality"] == 0
    assert (good.sum(), other.labels["details"][good, 0].sum()) == (78, 30)
