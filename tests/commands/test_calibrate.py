"""Fitting a whole prediction file, and the command that changes a model's config."""

import json
import shutil

import numpy as np
import pytest
import shipped_config
from PIL import Image

from fiqa_jax import calibrate
from fiqa_jax.predictions import rows as judge
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.advice import Thresholds
from fiqa_jax.predictions.schema import Predictions
from fiqa_jax.pretrained.shipped import model_name
from input_pipeline import synthetic
from input_pipeline.photo.reader import read_photo

TRUTH = {
    "quality": np.arange(50) % 3,
    "ungradable": (np.arange(50) % 3 == 2) * 1,
    "details": np.stack([np.arange(50) % 2, np.full(50, -1)], -1),
}


def make_outputs(seed=0):
    rng = np.random.default_rng(seed)
    return {
        "p_quality": rng.dirichlet(np.ones(3), 50).astype(np.float32),
        "p_ungradable": rng.random(50).astype(np.float32),
        "p_details": rng.random((50, 2)).astype(np.float32),
        "score": rng.random(50).astype(np.float32),
    }


def predicted(outputs, truth):
    n = len(outputs["score"])
    names = np.array([f"p{i}" for i in range(n)])
    return Predictions((), names, names, outputs, truth, ("clarity", "contrast"), (), {})


def test_fit_of_a_prediction_file_gives_temperature_and_band():
    outputs = make_outputs()
    outputs["score"] = np.linspace(0, 1, 50)
    bad = np.r_[np.zeros(30, int), np.ones(20, int)]
    bad[28], bad[32] = 1, 0  # one bad photograph among the good scores and the reverse
    got = calibrate.fit(predicted(outputs, TRUTH | {"ungradable": bad}), sensitivity=1.0)
    assert set(got.temperature) == {"quality", "ungradable", "clarity"}
    assert "contrast" not in got.temperature  # no label of it
    assert got.thresholds["accept"] == pytest.approx(28 / 49)
    # 95 % of 30 others kept: 28.5, so 29 of them lie below 32 / 49.
    assert got.thresholds["recapture"] == pytest.approx(30 / 49)
    assert got.band.sensitivity.value == 1
    assert Thresholds.from_dict(got.thresholds).details == {}


def test_fit_takes_reject_as_bad_and_says_when_there_is_none():
    outputs = make_outputs()
    by_grade = calibrate.fit(predicted(outputs, {"quality": TRUTH["quality"]}))
    by_flag = calibrate.fit(predicted(outputs, {"ungradable": TRUTH["ungradable"]}))
    assert by_grade.thresholds == by_flag.thresholds
    none = calibrate.fit(predicted(outputs, {"quality": TRUTH["quality"] % 2}))
    assert none.thresholds == {}
    assert none.band is None
    assert "no band of the score" in none.notes[0]


def test_too_few_examples_fit_nothing():
    outputs = make_outputs()
    few = (np.arange(50) < 9) * 1
    got = calibrate.fit(predicted(outputs, {"ungradable": few}))
    assert (got.temperature, got.thresholds) == ({}, {})
    assert "fewer than 10 examples of a kind: ungradable" in got.notes[0]
    enough = (np.arange(50) < 10) * 1
    got = calibrate.fit(predicted(outputs, {"ungradable": enough}))
    assert set(got.temperature) == {"ungradable"}
    assert set(got.thresholds) == {"accept", "recapture"}


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


PALETTE = [0, 0, 0, 0, 255, 0, 255, 255, 0, 255, 0, 0]  # of codes 0 to 3


def brushed(root, names, seed=0):
    """A judged folder with maps, and annotations whose bad places are those above .3 of the map."""
    rng = np.random.default_rng(seed)
    for folder in ("photos", "maps", "brushed"):
        (root / folder).mkdir()
    for name in names:
        picture = synthetic.draw(len(name), 256, "a").image
        Image.fromarray(picture).save(root / "photos" / f"{name}.png")
        quality = np.kron(rng.random((4, 4)), np.ones((128, 128))).astype(np.float32)
        np.save(root / "maps" / f"{name}.npy", quality)
        photo = read_photo(root / "photos" / f"{name}.png", 512)
        left, top, right, bottom = photo.box
        y, x = np.mgrid[:256, :256] + 0.5
        row, column = ((y - top) / (bottom - top) * 512), ((x - left) / (right - left) * 512)
        inside = (row > 0) & (row < 512) & (column > 0) & (column < 512)
        value = quality[row.clip(0, 511).astype(int), column.clip(0, 511).astype(int)]
        codes = np.where(inside & (x < 200), np.where(value > 0.3, 3, 1), 0).astype(np.uint8)
        drawn = Image.fromarray(codes, "P")
        drawn.putpalette(PALETTE)
        drawn.save(root / "brushed" / f"{name}.png")
    rows = judge.rows_from_outputs(
        {"score": np.linspace(0, 1, len(names))},
        path=[f"photos/{name}.png" for name in names],
        id=names,
        thresholds=Thresholds(),
        model="m@12345678",
    )
    schema.write_csv(root / "predictions.csv", rows, schema.columns())
    (root / "run.json").write_text(json.dumps({"began_in": str(root)}))


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_brushed_photographs_say_from_where_on_a_place_is_bad(tmp_path, capsys):
    brushed(tmp_path, ["a_1", "bb_2", "ccc_3"])
    argv = [str(tmp_path), "--annotations", str(tmp_path / "brushed")]
    assert calibrate.main(argv) == 0
    text = capsys.readouterr().out
    assert "fitted to 3 brushed photographs of 3 patients" in text
    told = json.loads((tmp_path / "calibration.json").read_text())
    assert told["thresholds"] == {"map": pytest.approx(0.3, abs=0.06)}  # 48 values lie in [0, 1]
    assert told["map"]["dice"]["value"] > 0.9
    assert not (tmp_path / "calibration.png").exists()  # of a score's limits
    for name in ("a_1", "bb_2"):
        (tmp_path / "brushed" / f"{name}.png").unlink()
    flat = Image.fromarray(np.full((256, 256), 3, np.uint8), "P")
    flat.putpalette(PALETTE)
    flat.save(tmp_path / "brushed" / "ccc_3.png")
    assert calibrate.main(argv) == 1
    assert "and 0 are not (1 good, 2 usable)" in capsys.readouterr().err


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
