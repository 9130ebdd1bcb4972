"""MKCNet's sets: codes that count upwards, EyeQ's own split, patients from names."""

import dataclasses

import dummy_sets
import numpy as np
import pytest

from input_pipeline import readers
from input_pipeline.readers import eyeq, iqad
from input_pipeline.sources import splits
from input_pipeline.tables.table_error import TableError


def read(name, root, lists=""):
    return readers.listed(name, dummy_sets.write(name, root), lists, "any")


def test_mkcnet_counts_upwards(tmp_path):
    t = read("iqad/EYEQ", tmp_path, "mkcnet").table
    assert t.id.tolist() == ["10_left", "7_right", "15337_left", "10_right", "9_left"]
    assert t.labels["quality"].tolist() == [0, 2, 1, 2, 0]
    assert t.labels["diagnosis"].tolist() == [0, 0, 1, 2, 1]  # 1 to 3 merged, 4 is 2
    assert t.split.tolist() == ["train", "train", "val", "test", "test"]
    assert t.shares_patients  # patient 10 is in train and in test
    np.testing.assert_array_equal(splits.assign(t, (0.7, 0.1, 0.2), 0), t.split)
    unaware = dataclasses.replace(t, shares_patients=False)
    with pytest.raises(TableError, match="1 patients have photographs in more than one split"):
        splits.assign(unaware, (0.7, 0.1, 0.2), 0)


def test_the_official_split_of_mkcnets_photographs_is_eyeqs(tmp_path):
    t = read("iqad/EYEQ", tmp_path).table
    assert t.split.tolist() == ["train", "test", "train", "train", "test"]
    assert not t.shares_patients
    assert any("5 of 5 grades agree" in note for note in t.notes)
    dummy_sets.table(
        tmp_path / "EYEQ" / "val.txt",
        ("image_name", "DR_label", "IQ_label"),
        [("Images/15337_left.jpg", 2, 0)],  # EyeQ says usable
    )
    with pytest.raises(TableError, match="4 of 5 grades of EYEQ are those of EyeQ's label files"):
        readers.listed("iqad/EYEQ", tmp_path, counts="any")
    for name in eyeq.FILES.values():
        (tmp_path / "data" / name).unlink()
    with pytest.raises(TableError, match=r"no Label_EyeQ_train.csv and no .*lists=mkcnet"):
        readers.listed("iqad/EYEQ", tmp_path, counts="any")


@pytest.mark.parametrize(
    ("variant", "labels"),
    [
        ("DEEPDR", {"ungradable": [1, 0, 1], "diagnosis": [1, 2, 0]}),
        ("DRAC", {"ungradable": [0, 1], "diagnosis": [0, 2]}),
        ("IQAD-CT", {"ungradable": [1, 0, 1, 1, 0], "diagnosis": [1, 1, 0, 1, 0]}),
        ("IQAD-CXR", {"quality": [2, 0, 1, 1, 0], "diagnosis": [1, 0, 0, 1, 1]}),
    ],
)
def test_mkcnets_other_sets(tmp_path, variant, labels):
    t = read(f"iqad/{variant}", tmp_path, "mkcnet").table
    for name, values in labels.items():
        assert t.labels[name].tolist() == values
    assert readers.modality(f"iqad/{variant}") == ("fundus" if variant == "DEEPDR" else "slice")


def test_folders_with_underscores_as_in_the_released_code(tmp_path):
    dummy_sets.iqad(tmp_path)
    (tmp_path / "IQAD-CT").rename(tmp_path / "IQAD_CT")
    assert len(readers.listed("iqad/IQAD-CT", tmp_path, counts="any").table) == 5


@pytest.mark.parametrize(
    ("variant", "name", "patient"),
    [
        ("EYEQ", "43379_right", "43379"),
        ("DEEPDR", "265_l1", "265"),
        ("IQAD-CT", "2020.02.23.20026856-p17-115%3", "2020.02.23.20026856"),
        ("IQAD-CT", "PIIS0140673620301549_0%1", "PIIS0140673620301549"),
        ("IQAD-CT", "18%2", "figure 18"),
        ("IQAD-CT", "77", "figure 77"),
        ("IQAD-CT", "Non-Covid (12)", "Non-Covid (12)"),
        ("IQAD-CXR", "person447_virus_921_1", "person447"),
        ("IQAD-CXR", "NORMAL2-IM-1102-0001", "NORMAL2-IM-1102"),
        ("IQAD-CXR", "IM-0115-0001", "IM-0115"),
        ("IQAD-CXR", "00000042_001", "00000042"),
    ],
)
def test_patients_from_names(variant, name, patient):
    assert iqad.patient(variant, name) == patient
