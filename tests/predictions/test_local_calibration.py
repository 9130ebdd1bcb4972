"""Limits from a clinic's own labels, their file, and predictions made with it."""

import json

import numpy as np
import pytest

from fiqa_jax.evaluation import intervals
from fiqa_jax.maps.cut_fit import MapCut
from fiqa_jax.predictions import local_calibration
from fiqa_jax.predictions.local_calibration import CalibrationError
from fiqa_jax.predictions.triage import Thresholds

TARGETS = {"sensitivity": 0.9, "specificity": 0.9}


def labelled(n=300, seed=0, apart=2.0):
    """Scores whose log-odds are normal, the bad ones' `apart` further up; a third is bad."""
    rng = np.random.default_rng(seed)
    bad = (np.arange(n) % 3 == 0).astype(np.int64)
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + apart * bad)))
    return bad, score, np.array([f"p{i // 2}" for i in range(n)])


def test_limits_keep_their_promises_on_other_photographs():
    bad, score, patient = labelled()
    got = local_calibration.fit(bad, score, patient, **TARGETS)
    assert 0 < got.accept < got.recapture < 1
    reached = []
    for seed in range(1, 40):
        fresh, value, _ = labelled(seed=seed)
        reached.append(
            [(value[fresh == 1] >= got.accept).mean(), (value[fresh == 0] < got.recapture).mean()]
        )
    mean = np.mean(reached, 0)
    assert got.sensitivity.low <= mean[0] <= got.sensitivity.high
    assert got.specificity.low <= mean[1] <= got.specificity.high
    assert got.held_out["sensitivity"].value == pytest.approx(0.9, abs=0.06)
    shares = sum(got.held_out[name].value for name in ("accept", "review", "recapture"))
    assert shares == pytest.approx(1)


def test_separable_scores_leave_nothing_between():
    bad, score, patient = labelled(apart=40)
    got = local_calibration.fit(bad, score, patient, **TARGETS)
    assert got.accept == got.recapture
    assert got.held_out["review"].value < 0.05


def test_the_chance_of_being_bad_comes_true():
    """Log-odds N(0, 1) and N(2, 1), a third bad: Bayes' slope is 2, offset -2 + log(1 / 2)."""
    bad, score, patient = labelled(n=2000)
    got = local_calibration.fit(bad, score, patient, **TARGETS)
    assert got.probability["slope"] == pytest.approx(2, abs=0.25)
    assert got.probability["offset"] == pytest.approx(-2 - np.log(2), abs=0.25)
    assert got.p_after.mean() == pytest.approx(1 / 3, abs=0.02)


def test_a_wished_retake_rate():
    bad, score, patient = labelled()
    judged = np.linspace(0, 1, 101)
    got = local_calibration.fit(bad, score, patient, **TARGETS, retakes=0.2, judged=judged)
    assert (judged >= got.recapture).mean() == pytest.approx(0.2, abs=0.01)
    assert got.specificity is None
    assert got.accept <= got.recapture


def test_too_few_labels_say_what_to_do():
    bad, score, patient = labelled(n=24)
    with pytest.raises(CalibrationError, match=r"8 bad and 16 other .* at least 10 of each"):
        local_calibration.fit(bad, score, patient, **TARGETS)
    bad, score, patient = labelled(n=45)
    with pytest.raises(ValueError, match=r"95\.0% cannot be promised from 15 labelled"):
        local_calibration.fit(bad, score, patient, sensitivity=0.95, specificity=0.9)
    with pytest.raises(CalibrationError, match="retake rate of 20"):
        local_calibration.fit(*labelled(), **TARGETS, retakes=20)


def test_a_kind_of_few_patients_is_dealt_to_different_folds():
    """Two patients hold all the bad photographs: each is judged by limits from the other's."""
    bad, score, _ = labelled(n=60)
    patient = np.array([f"bad{i % 2}" if b else f"p{i}" for i, b in enumerate(bad)])
    for seed in range(20):
        got = local_calibration.fit(bad, score, patient, **TARGETS, seed=seed)
        assert np.isfinite(got.p_after).all()
        assert got.held_out["sensitivity"].units == 2
    patient[bad == 1] = "one"
    with pytest.raises(CalibrationError, match="all bad photographs are of one patient, 'one'"):
        local_calibration.fit(bad, score, patient, **TARGETS)
    patient = np.where(bad == 0, "one", [f"p{i}" for i in range(60)])
    with pytest.raises(CalibrationError, match="all other photographs are of one patient"):
        local_calibration.fit(bad, score, patient, **TARGETS)


def test_the_file_goes_round(tmp_path):
    got = local_calibration.fit(*labelled(), **TARGETS)
    file = tmp_path / "c.json"
    local_calibration.write(file, "m@1", got, {"photographs": 300})
    back = local_calibration.read(file)
    assert back.model == "m@1"
    assert (back.accept, back.recapture) == (got.accept, got.recapture)
    assert back.probability == got.probability
    told = json.loads(file.read_text())
    assert told["promised"]["sensitivity"]["promised"] >= 0.9
    assert told["made_from"] == {"photographs": 300}


def test_a_cut_of_the_map_goes_round_alone_or_beside_limits(tmp_path):
    nothing = intervals.mean_interval(np.array([np.nan]), ["a"], seed=0)
    cut = MapCut(0.37, nothing, 2, 1, 0.25)
    file = tmp_path / "c.json"
    local_calibration.write(file, "m@1", None, {}, cut)
    back = local_calibration.read(file)
    assert (back.accept, back.recapture, back.map, back.probability) == (None, None, 0.37, {})
    before = Thresholds(accept=0.2, recapture=0.4, map=0.5)
    assert back.applied(before) == Thresholds(accept=0.2, recapture=0.4, map=0.37)
    told = json.loads(file.read_text(), parse_constant=pytest.fail)  # NaN is no JSON
    assert told["map"]["dice"]["value"] is None
    got = local_calibration.fit(*labelled(), **TARGETS)
    local_calibration.write(file, "m@1", got, {}, cut)
    both = local_calibration.read(file).applied(before)
    assert both == Thresholds(accept=got.accept, recapture=got.recapture, map=0.37)
    for wrong in ('{"map": 1.5}', '{"map": NaN}', '{"accept": 0.1, "map": 0.4}', "[]"):
        told["thresholds"] = json.loads(wrong)
        file.write_text(json.dumps(told))
        with pytest.raises(CalibrationError, match="is no calibration"):
            local_calibration.read(file)


@pytest.mark.parametrize(
    "content", [None, "", "[]", '{"kind": "else", "schema": 1}', '{"kind": "fiqa calibration"}']
)
def test_other_files_are_refused(tmp_path, content):
    file = tmp_path / "c.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CalibrationError, match=r"c\.json is no calibration of `fiqa calibrate`"):
        local_calibration.read(file)


def test_limits_that_are_no_numbers_are_refused(tmp_path):
    got = local_calibration.fit(*labelled(), **TARGETS)
    file = tmp_path / "c.json"
    local_calibration.write(file, "m@1", got, {})
    told = json.loads(file.read_text())
    told["thresholds"]["accept"] = float("nan")
    file.write_text(json.dumps(told))
    with pytest.raises(CalibrationError, match="thresholds nan"):
        local_calibration.read(file)
