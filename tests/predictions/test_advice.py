"""Decision, reasons and advice on photographs whose outcome is known by the written rules."""

import math

import numpy as np
import pytest

from fiqa_jax.predictions import advice
from fiqa_jax.predictions.advice import Thresholds

NAN = float("nan")


@pytest.mark.parametrize(
    ("score", "quality", "band", "want"),
    [
        (0.1, "good", {}, "accept"),
        (0.5, "usable", {}, "review"),
        (0.1, "reject", {}, "recapture"),
        (0.4, "gradable", {}, "accept"),
        (0.6, "ungradable", {}, "recapture"),
        (0.49, "", {}, "accept"),
        (0.5, "", {}, "recapture"),
        (NAN, "", {}, "review"),
        # With a band the score decides, whatever the grade.
        (0.19, "reject", {"accept": 0.2, "recapture": 0.6}, "accept"),
        (0.2, "good", {"accept": 0.2, "recapture": 0.6}, "review"),
        (0.6, "good", {"accept": 0.2, "recapture": 0.6}, "recapture"),
        (0.3, "good", {"accept": 0.3, "recapture": 0.3}, "recapture"),
    ],
)
def test_decision(score, quality, band, want):
    assert advice.decide(score, quality, Thresholds(**band)) == want


def test_half_a_band_and_unknown_names_are_refused():
    with pytest.raises(ValueError, match="neither"):
        Thresholds(accept=0.3)
    with pytest.raises(ValueError, match="not above"):
        Thresholds(accept=0.6, recapture=0.3)
    with pytest.raises(ValueError, match=r"\['acept'\] are not known"):
        Thresholds.from_dict({"acept": 0.3})


def test_reasons_are_ordered_and_say_the_cause():
    reasons, todo = advice.explain(
        ("illumination", "clarity", "artefact"),
        (0.6, 0.9, 0.4),
        "recapture",
        "reject",
        Thresholds(details={"artefact": 0.5}),
    )
    clarity, light = reasons.split("; ")
    assert clarity.startswith("clarity: ")
    assert clarity.endswith("(capture or media)")
    assert light.startswith("illumination: ")
    assert light.endswith("(capture)")
    assert "refocus" in todo
    assert "flash" in todo
    assert todo.count("the eye may be the cause") == 1
    assert "lid" not in todo


def test_own_threshold_of_a_detail_counts():
    names, p = ("clarity",), (0.4,)
    low = advice.explain(names, p, "review", "usable", Thresholds(details={"clarity": 0.3}))
    assert low[0].startswith("clarity")
    assert advice.explain(names, p, "review", "usable", Thresholds())[0].startswith("overall")


def test_nobody_is_turned_away_without_a_reason():
    reasons, todo = advice.explain((), (), "recapture", "reject", Thresholds())
    assert "reject" in reasons
    assert "retake" in todo
    reasons, _ = advice.explain((), (), "recapture", "good", Thresholds(0.1, 0.2))
    assert "score beyond the limit" in reasons
    assert advice.explain((), (), "accept", "good", Thresholds()) == ("", "")


def test_unknown_detail_stands_for_itself():
    reasons, todo = advice.explain(("tilt",), (0.9,), "recapture", "", Thresholds())
    assert reasons == "tilt: tilt (cause not known)"
    assert "retake" in todo


def test_accepted_photograph_keeps_its_reason_but_gets_no_advice():
    reasons, todo = advice.explain(("contrast",), (0.7,), "accept", "good", Thresholds())
    assert reasons.startswith("contrast")
    assert todo == ""


def test_every_known_defect_is_complete():
    for name, record in advice.DEFECTS.items():
        assert name == name.lower()
        assert "capture" in record.cause
        assert "retake" in record.advice
        assert advice.defect(name.title()) is record


@pytest.mark.parametrize(
    ("rows", "columns", "place"),
    [
        (slice(0, 3), slice(0, 3), "upper left"),
        (slice(9, 12), slice(9, 12), "lower right"),
        (slice(0, 2), slice(4, 8), "upper part"),
        (slice(4, 8), slice(10, 12), "right"),
        (slice(4, 8), slice(4, 8), "centre"),
        (slice(0, 12), slice(0, 12), "all over"),
        (slice(0, 0), slice(0, 0), ""),
    ],
)
def test_where_the_bad_part_lies(rows, columns, place):
    field = np.zeros((12, 12))
    field[rows, columns] = 0.9
    share, where = advice.bad_area(field, None, 0.5)
    assert where == place
    assert share == pytest.approx((field > 0).sum() / 144)


def test_bad_area_counts_the_field_only():
    quality_map = np.zeros((4, 4), np.float32)
    quality_map[:2] = 1
    fov = np.zeros((64, 64), np.uint8)
    fov[:, 32:] = 1  # the right half: four bad cells of eight
    fov[:16] = 0  # without its first row of cells: two of six
    share, _ = advice.bad_area(quality_map, fov, 0.5)
    assert share == pytest.approx(2 / 6)
    share, where = advice.bad_area(quality_map, np.zeros_like(fov), 0.5)
    assert math.isnan(share)
    assert where == ""


def test_small_bad_area_is_no_reason():
    for area, named in ((0.04, False), (0.34, True)):
        reasons, _ = advice.explain((), (), "accept", "good", Thresholds(), area, "upper left")
        assert ("upper left" in reasons) == named
    assert reasons == "map: 34% of the field bad, upper left"
