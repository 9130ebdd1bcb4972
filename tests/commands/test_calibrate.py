"""The calibrate command: a model's config changed, and limits from decisions of one's own."""

import json
import shutil

import numpy as np
import pytest
import shipped_config

from fiqa_jax import calibrate
from fiqa_jax.predictions import rows as judge
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.schema import Predictions
from fiqa_jax.predictions.triage import Thresholds
from fiqa_jax.pretrained.shipped import model_name


@pytest.fixture
def model(tmp_path):
    """A model directory, predictions made with it, and labels of the same photographs."""
    directory = tmp_path / "model"
    directory.mkdir()
    config = shipped_config.config(
        name="m",
        temperature={"ungradable": {"slope": 2.0, "offset": 1.0}},
        thresholds={"ungradable": 0.4},
    )
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "model.safetensors").write_bytes(b"weights")
    bad = np.arange(100) % 2
    score = np.clip(np.linspace(0, 1, 100) * 0.4 + bad * 0.4 + 0.1, 0, 1)
    rows = judge.rows_from_outputs(
        {"p_ungradable": score},
        path=[f"{i}.png" for i in range(100)],
        id=[f"{i}.png" for i in range(100)],
        thresholds=Thresholds(),
        model=model_name(directory),
    )
    schema.write_csv(tmp_path / "p.csv", rows, list(rows[0]))
    lines = ["id,gradable", *(f"{i},{1 - b}" for i, b in enumerate(bad))]
    (tmp_path / "l.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def run(root, *extra):
    argv = ["--model", str(root / "model"), "--predictions", str(root / "p.csv")]
    return calibrate.main([*argv, "--labels", str(root / "l.csv"), *extra])


def test_the_command_changes_the_config_and_says_what_it_reaches(model, capsys):
    before = json.loads((model / "model" / "config.json").read_text())
    assert run(model, "--sensitivity", "0.9", "--specificity", "0.9") == 0
    after = json.loads((model / "model" / "config.json").read_text())
    thresholds = Thresholds.from_dict(after["thresholds"])
    assert thresholds.ungradable == 0.4
    # Bad ones lie above .5, others below .5 except the highest: one cut reaches both targets.
    assert thresholds.accept == thresholds.recapture
    assert 0.45 < thresholds.accept < 0.6
    assert after["calibration"]["band"]["sensitivity"]["value"] >= 0.9
    assert after["calibration"]["photographs"] == 100
    # The new Platt scaling stands on top of the old one.
    found, _ = fitted_alone(model)
    old = before["temperature"]["ungradable"]
    assert after["temperature"]["ungradable"]["slope"] == pytest.approx(
        found["slope"] * old["slope"]
    )
    text = capsys.readouterr().out
    assert "not accepted (asked for 90%)" in text
    assert "of these photographs: accept" in text


def fitted_alone(root):
    got = schema.load(root / "p.csv")
    truth = {"ungradable": np.arange(100) % 2}
    whole = calibrate.fit(
        Predictions((), got.id, got.patient, got.outputs, truth, (), (), {}),
        sensitivity=0.9,
        specificity=0.9,
    )
    return whole.temperature["ungradable"], whole


def test_predictions_of_another_model_are_refused(model, capsys):
    assert run(model) == 0
    before = (model / "model" / "config.json").read_bytes()
    assert run(model) == 1  # the config has changed since they were made
    assert "run fiqa predict with that model again" in capsys.readouterr().err
    assert (model / "model" / "config.json").read_bytes() == before


def test_targets_outside_the_range_are_refused(model, capsys):
    assert run(model, "--sensitivity", "95") == 1
    assert "target in ]0, 1]" in capsys.readouterr().err


def judged(root, scores, bad):
    """A folder as predict leaves it, and a person's decisions on it as the report saves them."""
    names = [f"visit/{i:03d}.png" for i in range(len(scores))]
    rows = judge.rows_from_outputs(
        {"score": scores}, path=names, id=names, thresholds=Thresholds(), model="m@12345678+abcdef"
    )
    schema.write_csv(root / "predictions.csv", rows, schema.columns())
    marks = {0: "good,1", 1: "retake,0", -1: "unsure,"}
    lines = ["id,patient,decision,gradable"]
    lines += [f"{n},,{marks[b]}" for n, b in zip(names, bad, strict=True) if b is not None]
    (root / "decisions.csv").write_text("\n".join(lines) + "\n")


def test_own_decisions_become_limits_that_predict_takes(tmp_path, capsys):
    """100 photographs, the first 60 of 80 labelled ones good; two unsure, the rest undecided."""
    scores = np.linspace(0.005, 0.995, 100)
    bad = [0] * 60 + [-1] * 2 + [1] * 20 + [None] * 18
    judged(tmp_path, scores, bad)
    labels = str(tmp_path / "decisions.csv")
    assert calibrate.main([str(tmp_path), "--labels", labels]) == 0
    text = capsys.readouterr().out
    assert "20 bad and 60 other photographs" in text
    assert "promised: at least 95.2% " in text
    assert "18 predictions have no label" in text
    told = json.loads((tmp_path / "calibration.json").read_text())
    assert told["model"] == "m@12345678"  # limits rest on the score, which none changes
    # Told apart without an error: one limit in the middle of those that keep both promises,
    # between the 3rd of 60 good ones from above (k = floor(.05 * 61)) and the lowest bad one.
    low, high = np.nextafter(scores[57], 1), scores[62]
    assert told["thresholds"]["accept"] == pytest.approx((low + high) / 2)
    assert told["thresholds"]["recapture"] == told["thresholds"]["accept"]
    assert (tmp_path / "calibration.png").read_bytes().startswith(b"\x89PNG")


def test_a_retake_rate_and_another_file(tmp_path, capsys):
    scores = np.linspace(0.005, 0.995, 100)
    judged(tmp_path, scores, [0] * 60 + [1] * 40)
    argv = [str(tmp_path), "--labels", str(tmp_path / "decisions.csv")]
    file = tmp_path / "mine.json"
    assert calibrate.main([*argv, "--retake-rate", "0.1", "--output", str(file)]) == 0
    told = json.loads(file.read_text())
    assert (scores >= told["thresholds"]["recapture"]).sum() == 10
    assert set(told["promised"]) == {"sensitivity"}


def test_annotations_need_a_folder_with_maps(tmp_path, capsys):
    judged(tmp_path, np.linspace(0, 1, 40), [0] * 20 + [1] * 20)
    given = ["--annotations", str(tmp_path)]
    assert calibrate.main([str(tmp_path), *given]) == 1
    assert "judge again with fiqa predict --maps" in capsys.readouterr().err
    assert calibrate.main([str(tmp_path), "--model", str(tmp_path), *given]) == 1
    assert "leave --model out" in capsys.readouterr().err
    table = str(tmp_path / "predictions.csv")
    assert calibrate.main(["--predictions", table, "--output", "x.json", *given]) == 1
    assert "give it as DIR" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "match"),
    [
        ([], "give the folder that fiqa predict wrote"),
        (["--predictions", "p.csv"], "add --output FILE"),
    ],
)
def test_what_is_missing_is_said(argv, match, capsys):
    assert calibrate.main(argv) == 1
    assert match in capsys.readouterr().err


def test_labels_of_other_photographs_are_an_error(tmp_path, capsys):
    judged(tmp_path, np.linspace(0, 1, 40), [0] * 20 + [1] * 20)
    (tmp_path / "decisions.csv").write_text("id,gradable\nelsewhere.png,1\n")
    argv = [str(tmp_path), "--labels", str(tmp_path / "decisions.csv")]
    assert calibrate.main(argv) == 1
    assert "labels have no prediction" in capsys.readouterr().err


def test_a_runs_own_predictions_refit_its_delivered_model(model, capsys):
    """A recipe delivers a calibrated copy; its predictions are of the stage before calibration."""
    delivered = model / "delivered"
    shutil.copytree(model / "model", delivered)
    config = json.loads((delivered / "config.json").read_text())
    config |= {"calibrated_from": model_name(model / "model"), "thresholds": {"ungradable": 0.3}}
    (delivered / "config.json").write_text(json.dumps(config))
    argv = ["--model", str(delivered), "--predictions", str(model / "p.csv")]
    argv += ["--labels", str(model / "l.csv"), "--sensitivity", "0.9", "--specificity", "0.9"]
    found, whole = fitted_alone(model)
    for _ in range(2):  # again: they are still predictions of that stage
        assert calibrate.main(argv) == 0
        after = json.loads((delivered / "config.json").read_text())
        assert after["temperature"]["ungradable"] == pytest.approx(found)  # replaced, not on top
        assert after["thresholds"] == pytest.approx({"ungradable": 0.3} | whole.thresholds)


def test_nothing_is_called_written_where_nothing_was_fitted(model, capsys):
    (model / "l.csv").write_text("id,gradable\n" + "".join(f"{i},{i % 2}\n" for i in range(6)))
    before = (model / "model" / "config.json").read_bytes()
    assert run(model) == 0
    text = capsys.readouterr().out
    assert "nothing was fitted" in text
    assert "written to" not in text
    assert (model / "model" / "config.json").read_bytes() == before
