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
