"""Which eye, and whose, from the names of files."""

import pytest

from input_pipeline.tables import eyes


@pytest.mark.parametrize(
    ("name", "eye", "patient"),
    [
        ("10_left", "left", "10"),
        ("10_right", "right", "10"),
        ("P23-OD-2", "right", "P23"),
        ("P23 OS", "left", "P23"),
        ("Image_01L", "left", "Image_01"),  # CHASE_DB1
        ("IM0021_R1", "right", "IM0021"),
        ("fundus_left_001", "left", "fundus_001"),
        ("IMG_OD_4711", "right", "IMG_4711"),
        ("smith_left_macula", "left", "smith"),
        ("smith_left_2", "left", "smith"),
        ("OD-23", "right", "23"),
        ("2024-01-05_R_lee", "right", "2024-01-05_lee"),
        ("left", "left", ""),
        ("lens_oldest", "", ""),
        ("01_dr", "", ""),
        ("left_or_right", "", ""),
        ("", "", ""),
    ],
)
def test_names(name, eye, patient):
    assert eyes.eye(name) == eye
    assert eyes.patient(name) == patient


def test_both_eyes_of_a_person_have_one_patient():
    assert eyes.patient("X_12.od") == eyes.patient("X_12.os") == "X_12"


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        # What stands before the word is the same for everybody: the number behind it tells.
        (
            ["fundus_left_001", "fundus_right_001", "fundus_left_002", "fundus_right_003"],
            ["fundus_001", "fundus_001", "fundus_002", "fundus_003"],
        ),
        (["IMG_OD_4711", "IMG_OS_4711", "IMG_OD_4712"], ["IMG_4711", "IMG_4711", "IMG_4712"]),
        (["left_1", "right_1", "left_2"], ["1", "1", "2"]),
        (
            ["visit1_OD_4711", "visit1_OS_4711", "visit1_OD_4712", "visit1_OS_4712"],
            ["visit1_4711", "visit1_4711", "visit1_4712", "visit1_4712"],
        ),
        (
            ["2024-01-05_R_lee", "2024-01-05_L_lee", "2024-01-05_R_roe"],
            ["2024-01-05_lee", "2024-01-05_lee", "2024-01-05_roe"],
        ),
        # What stands before it names a person: numbers behind it count photographs, or are dates.
        (["P23_OD_1", "P23_OS_2", "P24_OD_1"], ["P23", "P23", "P24"]),
        (["P23_OD_0007", "P23_OS_0008"], ["P23", "P23"]),
        (
            ["P23_OD_20240105", "P23_OS_20240105", "P23_OD_20250107", "P23_OS_20250107"],
            ["P23"] * 4,
        ),
        (["lee_left_1", "lee_right_2", "roe_left_1"], ["lee", "lee", "roe"]),
        (["lee_left_macula", "lee_left_disc", "lee_right_disc"], ["lee"] * 3),
        (["day1/10_left", "day2/10_right"], ["day1/10_left", "day2/10_right"]),  # other folders
    ],
)
def test_patients_of_many_names(names, patients):
    for suffix in ("", ".jpg"):
        seen, note = eyes.patients([name + suffix for name in names])
        if len(set(names)) == len(set(patients)):
            assert seen == [name + suffix for name in names]
            assert not note
        else:
            assert seen == patients
            assert f"{len(set(patients))} patients in all" in note
