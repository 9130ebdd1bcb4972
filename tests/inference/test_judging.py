"""Judging from Python: whatever is given, a list of rows in order."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fiqa_jax.inference import judging
from fiqa_jax.inference.inputs import InputError
from fiqa_jax.inference.predictor import Judged
from input_pipeline.photo.reader import PhotoError


class Dark:
    """A stand-in for a predictor: a photograph is as bad as it is dark."""

    batch = 2

    def read(self, source):
        try:
            pixels = np.asarray(Image.open(source)) if isinstance(source, str) else source
        except OSError as error:
            return PhotoError(str(error))
        return pixels

    def judge(self, photos, path, id, patient):
        out = []
        for photo, where, name in zip(photos, path, id, strict=True):
            bad = isinstance(photo, PhotoError)
            row = {"path": where, "id": name, "status": "error" if bad else "ok"}
            row["patient"] = patient[len(out)]
            row["score"] = None if bad else 1 - float(photo.mean()) / 255
            out.append(Judged(row, None if bad else np.ones((2, 2), np.float32)))
        return out


@pytest.fixture
def dark(monkeypatch):
    monkeypatch.setattr(judging, "_predictor", lambda *a: Dark())


def test_paths_folders_and_arrays_in_order(dark, tmp_path):
    (tmp_path / "photos").mkdir()
    for name, grey in (("a", 255), ("b", 0), ("c", 51)):
        Image.new("RGB", (4, 4), (grey,) * 3).save(tmp_path / "photos" / f"{name}.png")
    (tmp_path / "photos" / "d.jpg").write_bytes(b"none")
    white = np.full((3, 3, 3), 255, np.uint8)
    rows = judging.judge([white, tmp_path / "photos", white - 255])
    assert [row["score"] for row in rows] == [0, 0, 1, pytest.approx(0.8), None, 1]
    assert [row["status"] for row in rows] == [*["ok"] * 4, "error", "ok"]
    assert rows[0]["id"] == "#0"
    assert rows[-1]["id"] == "#2"
    assert "map" not in rows[0]
    (one,) = judging.judge(tmp_path / "photos" / "b.png", maps=True)
    assert one["map"].shape == (2, 2)
    assert judging.judge([]) == []
    with pytest.raises(InputError, match="there is no such file"):
        judging.judge(str(tmp_path / "nothing.png"))


def test_ids_and_patients_are_those_of_one_run_of_predict(dark, tmp_path):
    for name in ("day1/7_left.png", "day1/7_right.png", "day2/7_left.png"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(file)
    one, two = tmp_path / "day1" / "7_left.png", tmp_path / "day2" / "7_left.png"
    rows = judging.judge([one, two, one])
    assert [row["id"] for row in rows] == ["day1/7_left.png", "day2/7_left.png", "day1/7_left.png"]
    pair = judging.judge([one, np.zeros((2, 2), np.uint8), one.with_name("7_right.png")])
    assert [row["id"] for row in pair] == ["7_left.png", "#1", "7_right.png"]
    assert [row["patient"] for row in pair] == ["7", "", "7"]


def test_what_is_no_photograph_is_named_by_its_place(dark):
    white = np.full((3, 3, 3), 255, np.uint8)
    with pytest.raises(TypeError, match=r"photographs\[1\] is of type NoneType; expected a path"):
        judging.judge([white, None])
    with pytest.raises(TypeError, match=r"photographs\[0\] is of type Image; .*np\.asarray"):
        judging.judge([Image.fromarray(white)])


def test_rows_become_a_table_of_pandas():
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = judging.to_frame([{"id": "a", "score": 0.5}, {"id": "b", "score": None}])
    assert list(frame.columns) == ["id", "score"]
    assert frame.score.isna().tolist() == [False, True]


@pytest.mark.slow
def test_the_shipped_model_judges_a_real_photograph_in_one_line(shared_data):
    photo = sorted((shared_data / "hrf" / "images").iterdir())[0]
    code = f"import fiqa_jax; r = fiqa_jax.judge({str(photo)!r}); print(len(r), r[0]['status'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "ok"]


def test_trust_and_encoder_reach_the_predictor(monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr(judging, "Predictor", lambda *a, **k: given.append(k) or Dark())
    (tmp_path / "config.json").write_text('{"name": "m"}')
    picture = np.zeros((2, 2), np.uint8)
    for trust in ("mine.grader", ["mine.grader", "theirs"], ()):
        judging.judge(picture, model=tmp_path, trust=trust, encoder="folder")
    assert [k["trust"] for k in given] == [("mine.grader",), ("mine.grader", "theirs"), ()]
    assert {k["encoder"] for k in given} == {"folder"}
    judging._predictor.cache_clear()


def test_a_predictor_is_made_once_for_the_same_files(monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(judging, "Predictor", lambda *a, **k: made.append(a) or Dark())
    judging._predictor.cache_clear()
    (tmp_path / "config.json").write_text('{"name": "m"}')
    for _ in range(2):
        judging.judge(np.zeros((2, 2), np.uint8), model=tmp_path)
    assert len(made) == 1
    (tmp_path / "config.json").write_text('{"name": "m", "thresholds": {}}')
    judging.judge(np.zeros((2, 2), np.uint8), model=tmp_path)
    assert len(made) == 2
    limits = tmp_path / "calibration.json"
    for content, times in (("{}", 3), ("{}", 3), ('{"accept": 0}', 4)):
        if not limits.exists() or limits.read_text() != content:
            limits.write_text(content)
        judging.judge(np.zeros((2, 2), np.uint8), model=tmp_path, calibration=limits)
        assert len(made) == times
    encoder = tmp_path / "encoder"
    (encoder / "sub").mkdir(parents=True)
    for content, times in (("a", 5), ("ab", 6)):
        (encoder / "sub" / "weights").write_text(content)
        judging.judge(np.zeros((2, 2), np.uint8), model=tmp_path, encoder=str(encoder))
        assert len(made) == times
    judging._predictor.cache_clear()
