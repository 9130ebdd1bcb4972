"""Words and numbers of label columns: what each means, and what is refused."""

import numpy as np
import pytest

from input_pipeline.tables import codes as labels
from input_pipeline.tables.table_error import TableError

LINES = range(2, 20)


def test_quality_words_in_any_case():
    raw = ["Good", "usable ", "REJECT", "bad", "gradable", "Ungradable", ""]
    grade, ungradable, keep, note = labels.quality(raw, LINES, "quality", {})
    np.testing.assert_array_equal(grade, [0, 1, 2, 2, -1, -1, -1])
    np.testing.assert_array_equal(ungradable, [0, 0, 1, 1, 0, 1, -1])
    assert grade.dtype == ungradable.dtype == np.int32
    assert keep.all()
    assert "'reject' 1 times -> reject" in note


def test_quality_codes_of_sets_that_count_in_opposite_ways():
    eyeq = {"0": "good", "1": "usable", "2": "reject"}
    eyeq_d = {"0": "reject", "1": "usable", "2": "good"}
    raw = ["0", "1", "2.0", " 2"]
    np.testing.assert_array_equal(labels.quality(raw, LINES, "q", eyeq)[0], [0, 1, 2, 2])
    np.testing.assert_array_equal(labels.quality(raw, LINES, "q", eyeq_d)[0], [2, 1, 0, 0])


def test_codes_may_leave_rows_or_labels_out():
    codes = {"outlier": "drop", "unsure": ""}
    grade, _, keep, _ = labels.quality(["good", "Outlier", "unsure"], LINES, "q", codes)
    np.testing.assert_array_equal(grade, [0, -1, -1])
    np.testing.assert_array_equal(keep, [True, False, True])


@pytest.mark.parametrize("raw", ["0", "2", "-1", "3.0", "1.5"])
def test_bare_numbers_are_refused_with_the_reason(raw):
    with pytest.raises(TableError, match=r"line 3, column 'IQ': .*opposite|line 3.*EyeQ-D's"):
        labels.quality(["good", raw], LINES, "IQ", {})


def test_unknown_words_are_counted():
    with pytest.raises(TableError, match=r"line 3, column 'q': 'poor' \(and 2 more rows, with"):
        labels.quality(["good", "poor", "poor", "fair"], LINES, "q", {})


def test_a_code_without_a_meaning():
    with pytest.raises(TableError, match="maps '0' to 'fine'"):
        labels.quality(["0"], LINES, "q", {"0": "fine"})


def test_binary_and_its_opposite():
    raw = ["0", "1", "yes", "No", "", "1.0", "TRUE"]
    ungradable, _ = labels.binary(raw, LINES, "ungradable", invert=False)
    np.testing.assert_array_equal(ungradable, [0, 1, 1, 0, -1, 1, 1])
    ungradable, note = labels.binary(raw, LINES, "gradable", invert=True)
    np.testing.assert_array_equal(ungradable, [1, 0, 0, 1, -1, 0, 0])
    assert "'0' 1 times -> ungradable" in note
    with pytest.raises(TableError, match="line 2, column 'gradable': '2'"):
        labels.binary(["2"], LINES, "gradable", invert=True)


def test_a_detail_says_what_one_means():
    got, _ = labels.detail(["0", "1", "", "good", "Bad"], LINES, "clarity", "defect")
    np.testing.assert_array_equal(got, [0, 1, -1, 0, 1])
    assert got.dtype == np.int8
    got, _ = labels.detail(["0", "1", "", "good", "Bad"], LINES, "clarity", "good")
    np.testing.assert_array_equal(got, [1, 0, -1, 0, 1])
    with pytest.raises(TableError, match="detail_code"):
        labels.detail(["good", "1"], LINES, "clarity", "")
    with pytest.raises(TableError, match="line 2, column 'clarity': '8'"):
        labels.detail(["8"], LINES, "clarity", "good")
    with pytest.raises(TableError, match="'bad', expected"):
        labels.detail(["1"], LINES, "clarity", "bad")


def test_diagnoses_by_name_or_number():
    names = ("none", "Mild", "severe")
    got, note = labels.diagnosis(["mild", "0", "SEVERE", "", "2.0"], LINES, "dr", names)
    np.testing.assert_array_equal(got, [1, 0, 2, -1, 2])
    assert "'0' 1 times -> none" in note
    with pytest.raises(TableError, match=r"'3': expected one of .* a number from 0 to 2"):
        labels.diagnosis(["3"], LINES, "dr", names)


def test_pairs():
    assert labels.as_pairs(((0, "good"), ("b", "reject")), "f") == {"0": "good", "b": "reject"}
    assert labels.as_pairs({"a": "b"}, "f") == {"a": "b"}
    with pytest.raises(TableError, match=r"data.quality_codes holds 'ab'"):
        labels.as_pairs(("ab",), "data.quality_codes")


def test_grades_of_retinopathy_become_none_and_any():
    names, merge = ("none", "any"), (0, 1, 1, 1, 1)
    got, note = labels.diagnosis(["0", "1", "4", "", "Any"], LINES, "dr", names, merge)
    np.testing.assert_array_equal(got, [0, 1, 1, -1, 1])
    assert "'4' 1 times -> any" in note
    with pytest.raises(TableError, match="number from 0 to 4"):
        labels.diagnosis(["5"], LINES, "dr", names, merge)
    with pytest.raises(TableError, match=r"data.merge is .* every place in"):
        labels.diagnosis(["0"], LINES, "dr", names, (0, 0, 0))
