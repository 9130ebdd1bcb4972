"""MSHF: the majority of three, cameras, sheets of another kind."""

import dummy_sets
import numpy as np
import openpyxl
import pytest

from input_pipeline import readers
from input_pipeline.readers.tree import photographs, tree
from input_pipeline.tables.table_error import TableError


def read(name, root, lists=""):
    return readers.listed(name, dummy_sets.write(name, root), lists, "any")


def test_mshf_takes_the_majority_of_three(tmp_path):
    found = read("mshf/all", tmp_path)
    t = found.table
    assert t.id.tolist() == list(dummy_sets.MSHF_NAMES)
    # Votes by hand: DR-XJU-30 has illumination 2 of 3, clarity 1, contrast 1, overall 3.
    np.testing.assert_array_equal(t.labels["details"], [[0, 1, 1], [0, 0, 0], [1, 0, 1], [1, 1, 1]])
    assert t.labels["ungradable"].tolist() == [0, 0, 1, 1]
    assert t.split.tolist() == ["train", "train", "test", "train"]
    assert found.counts["groups"] == {"DR-XJU": 1, "Healthy": 1, "Local2": 1, "UWF-mosaic": 1}
    paths = photographs(tree(tmp_path), t.path.tolist())
    assert all("/Original/" in path for path in paths)


def test_mshf_by_camera(tmp_path):
    dummy_sets.mshf(tmp_path)
    kept = {
        variant: readers.listed(f"mshf/{variant}", tmp_path, counts="any").table.id.tolist()
        for variant in ("cfp_portable", "cfp", "portable", "uwf")
    }
    names = dummy_sets.MSHF_NAMES
    assert kept["cfp_portable"] == [*names[:3]]
    assert kept["cfp"] == [*names[:2]]
    assert kept["portable"] == [names[2]]
    assert kept["uwf"] == [names[3]]


def test_mshf_sheets_of_another_kind(tmp_path):
    dummy_sets.mshf(tmp_path)
    file = tmp_path / "MSHF dataset 2.0" / "Individual_scores.xlsx.xlsx"
    rows = list(openpyxl.load_workbook(file).active.iter_rows(values_only=True))
    one = [list(row) for row in rows]
    one[2][1] = 2
    dummy_sets.book(file, one)
    with pytest.raises(TableError, match=r"row 3: .*'2'.*expected a name and twelve 0 or 1"):
        readers.listed("mshf", tmp_path, counts="any")
    dummy_sets.book(file, [rows[0], *rows[2:]])  # one row of header only
    with pytest.raises(TableError, match="expected three blocks of illumination"):
        readers.listed("mshf", tmp_path, counts="any")


def test_mshf_counts_groups(tmp_path):
    dummy_sets.mshf(tmp_path)
    with pytest.raises(TableError, match=r"groups: DR-XJU 1 \(published 235\)"):
        readers.listed("mshf", tmp_path)


def test_excel_without_its_package(tmp_path, monkeypatch):
    dummy_sets.mshf(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(TableError, match=r"not installed; pip install 'fiqa-jax\[datasets\]'"):
        readers.listed("mshf", tmp_path, counts="any")
