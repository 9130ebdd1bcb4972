"""Decision, reasons and advice on photographs whose outcome is known by the written rules."""

import pytest

from fiqa_jax.methods import visible_cells
from fiqa_jax.predictions import advice, defect_terms, triage
from fiqa_jax.predictions.triage import Thresholds
from input_pipeline.synthetic import defects

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
    assert triage.decide(score, quality, Thresholds(**band)) == want


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
    for name, record in defect_terms.DEFECTS.items():
        assert name == name.lower()
        assert "capture" in record.cause
        assert "retake" in record.advice
        assert defect_terms.defect(name.title()) is record


def test_small_bad_area_is_no_reason():
    for area, named in ((0.04, False), (0.34, True)):
        reasons, _ = advice.explain((), (), "accept", "good", Thresholds(), area, "upper left")
        assert ("upper left" in reasons) == named
    assert reasons == "map: 34% of the field bad, upper left"


def test_no_finding_leaves_a_milder_decision_than_it_says():
    few, blank = triage.too_few_pixels(96), triage.nothing_seen("white")
    assert few.reason == "pixels: 96 across the field, too few to judge sharpness"
    assert triage.settled("accept", [few]) == "review"
    assert triage.settled("recapture", [few]) == "recapture"
    assert triage.settled("accept", [few, blank]) == "recapture"
    assert triage.settled("accept", []) == "accept"
    reasons, todo = advice.explain((), (), "recapture", "", Thresholds(), findings=[few, blank])
    assert reasons.split("; ") == [blank.reason, few.reason]
    assert "full size" in todo


@pytest.mark.parametrize(
    ("finding", "below", "at", "least"),
    [
        (triage.too_few_pixels, 200, 199, "review"),
        (triage.cut_field, 0.5, 0.49, "review"),
        (triage.cut_field, 1.0, NAN, "review"),
        (triage.macula_lost, 0.49, 0.5, "review"),
        (lambda area: triage.large_area(area, "rim"), 0.24, 0.25, "review"),
        (lambda area: triage.large_area(area, "rim"), NAN, 0.5, "recapture"),
    ],
)
def test_what_limits_a_decision(finding, below, at, least):
    assert finding(below) is None
    assert finding(at).least == least
    assert finding(at).advice


def test_the_bad_area_is_named_once():
    wide = triage.large_area(0.51, "rim")
    reasons, _ = advice.explain((), (), "recapture", "", Thresholds(), 0.51, "rim", findings=[wide])
    assert reasons == "map: 51% of the field bad, rim"


def test_a_cause_is_named_with_its_place_and_gives_the_advice():
    one = [("covered", 0.3, "lower left"), ("sharpness", 0.04, "rim")]
    text = defect_terms.where_and_why(one)
    assert text == "lower left: covered (lid, lashes, dust or text)"
    wide = triage.large_area(0.34, text, True, one)
    assert wide.reason == f"map: 34% of the field bad, {text}"
    assert "Lift the lid" in wide.advice
    two = defect_terms.where_and_why(
        [("contrast", 0.3, "all over"), ("illumination", 0.1, "right")]
    )
    assert two == "all over hazy (30%), right too dark, too bright or glaring (10%)"


def test_causes_are_the_same_everywhere():
    assert tuple(defect_terms.CAUSES) == tuple(defects.CAUSES) == visible_cells.CAUSES
    assert {defect for _, defect in defect_terms.CAUSES.values()} <= set(defect_terms.DEFECTS)
