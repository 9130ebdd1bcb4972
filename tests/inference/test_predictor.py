"""The predictor in Python: rows by the model's calibration, or by one of the user's own."""

import json
import math

import dark_model
import numpy as np
import pytest
from dark_model import Model, config, network, read, run

from fiqa_jax import methods, predict
from fiqa_jax.pretrained import shipped

here = dark_model.here  # the fixture


def test_python_call(here):
    root, _ = here
    judge = predict.Predictor(root / "model")
    row = judge(root / "photos" / "b.png")
    assert (row["decision"], row["path"]) == ("recapture", str(root / "photos" / "b.png"))
    assert judge(np.full((8, 8, 3), 250, np.uint8))["decision"] == "accept"
    assert judge(str(root / "photos" / "broken.jpg"))["status"] == "error"


def test_what_judges_nothing_is_refused():
    """The package's segmentor finds vessels: it has neither a grade nor a map of quality."""
    with pytest.raises(ValueError, match=r"segmentor@\w+ finds vessels and judges no photographs"):
        predict.Predictor("segmentor")
    assert set(shipped.OTHERS) <= set(methods.METHODS)


def test_calibration_and_thresholds_of_the_model_are_used(here):
    root, _ = here
    halved = {"quality": {"temperature": 2.0}, "illumination": {"slope": 0.0, "offset": -2.0}}
    changed = config(temperature=halved, thresholds={"accept": 0.9, "recapture": 0.95})
    row = predict.Predictor(Model(changed, network))(root / "photos" / "b.png")
    bad = 1 - 10 / 255
    # Two classes with all the weight, temperature 2: roots, normalised.
    want = math.sqrt(bad) / (math.sqrt(bad) + math.sqrt(1 - bad) + 1e-6)
    assert row["p_reject"] == pytest.approx(want, rel=1e-4)
    assert row["p_illumination"] == pytest.approx(1 / (1 + math.exp(2)))
    # The score is the expected grade before calibration, on which thresholds are fitted.
    assert row["score"] == pytest.approx(bad)
    assert row["decision"] == "recapture"


def limits(root, model, accept=0.3, recapture=0.8):
    file = root / "calibration.json"
    content = {"schema": 1, "kind": "fiqa calibration", "model": model}
    content["thresholds"] = {"accept": accept, "recapture": recapture}
    content["probability"] = {"slope": 2.0, "offset": -1.0}
    file.write_text(json.dumps(content))
    return file


def test_limits_of_ones_own(here, capsys):
    root, _ = here
    assert run(root) == 3
    name = read(root)["a.png"]["model"]
    file = limits(root, name, accept=0.01, recapture=0.99)
    assert run(root, "--calibration", str(file), out="own") == 3
    rows = read(root, "own")
    assert {rows[n]["decision"] for n in ("a.png", "b.png", "c.png")} == {"review"}
    assert rows["a.png"]["model"].startswith(name + "+")
    assert rows["a.png"]["p_reject"] == read(root)["a.png"]["p_reject"]  # grades stay as they are
    assert run(root, "--calibration", str(limits(root, "other@1")), out="no") == 1
    assert "was fitted to other@1, this is dark@" in capsys.readouterr().err


def test_a_score_alone_becomes_a_chance_with_limits_of_ones_own(here):
    root, _ = here

    def scored(batch):
        return {"score": network(batch)["p_details"][:, 0]}

    model = Model(config(), scored)
    plain = predict.Predictor(model)
    file = limits(root, plain.name)
    row = predict.Predictor(model, calibration=file)(root / "photos" / "c.png")
    bad = 1 - 200 / 255
    chance = 1 / (1 + math.exp(-(2 * math.log(bad / (1 - bad)) - 1)))
    assert row["p_ungradable"] == pytest.approx(chance)
    assert plain(root / "photos" / "c.png")["p_ungradable"] is None
