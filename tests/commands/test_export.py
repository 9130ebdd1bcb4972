"""fiqa export: both formats beside Flax, here and in a fresh process; a mismatch leaves nothing."""

import json
import subprocess
import sys

import numpy as np
import pytest

from fiqa_jax import export, predict
from fiqa_jax.exports import comparison, onnx_file, stablehlo
from fiqa_jax.inference import model_dir
from fiqa_jax.pretrained import shipped
from input_pipeline import sums

pytest.importorskip("onnx", reason="the extra export is not installed")

MODELS = sorted(f.parent.name for f in shipped.FOLDER.glob("*/config.json"))
# Reads an export with JAX alone: the package may not be there where it is used.
FRESH = """
import sys
import numpy as np
from jax import export
given = dict(np.load(sys.argv[2]))
program = export.deserialize(bytearray(open(sys.argv[1], "rb").read()))
assert {"cpu", "cuda", "tpu"} == set(program.platforms)
np.savez(sys.argv[3], **program.call(given))
assert not [name for name in sys.modules if name.startswith("fiqa_jax")]
"""


@pytest.mark.parametrize("name", ["efiqa", "fundus"])
def test_an_exported_folder_holds_what_a_user_needs(name, tmp_path, capsys):
    out = tmp_path / "out"
    assert export.main([name, "--format", "onnx", "--output", str(out)]) == 0
    assert "compared on 4 photographs: largest difference" in capsys.readouterr().out
    about = json.loads((out / "export.json").read_text())
    config = model_dir.read_config(shipped.find(name))
    assert about["model"] == shipped.model_name(name)
    assert about["thresholds"] == config["thresholds"]
    assert about["compared"]["largest_difference"] < comparison.TOLERANCE
    assert (out / "LICENSE").is_file() == (shipped.FOLDER / name / "LICENSE").is_file()
    assert list(sums.problems(out)) == []
    run = onnx_file.session((out / "model.onnx").read_bytes())
    side = about["data"]["side"]
    given = {
        "image": np.zeros((2, side, side, 3), np.uint8),
        "fov": np.ones((2, side, side), np.uint8),
        "field_px": np.ones(2, np.float32),
    }
    for key, value in run(given).items():
        shape, dtype = about["outputs"][key]
        assert (["batch", *value.shape[1:]], value.dtype) == (shape, dtype)


def test_a_folder_that_is_there_stays(tmp_path, capsys):
    assert export.main(["efiqa", "--format", "onnx", "--output", str(tmp_path)]) == 1
    assert f"{tmp_path} is there: give another --output" in capsys.readouterr().err


def test_a_mismatch_is_an_error_and_leaves_nothing(tmp_path, capsys, monkeypatch):
    def other(model, kind, name):
        return b"file", lambda batch: {k: v + 2e-4 for k, v in model.predict(batch).items()}

    monkeypatch.setattr(export, "made", other)
    out = tmp_path / "deep" / "out"
    assert export.main(["fundus", "--format", "onnx", "--output", str(out)]) == 1
    assert "onnx: the export differs from the model by 0.0002" in capsys.readouterr().err
    assert list(tmp_path.rglob("*")) == []


def test_a_disk_that_is_full_leaves_nothing(tmp_path, capsys, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sums, "write", full)
    out = tmp_path / "out"
    assert export.main(["efiqa", "--format", "onnx", "--output", str(out)]) == 1
    assert "No space left" in capsys.readouterr().err
    assert list(tmp_path.rglob("*")) == []


def test_stablehlo_in_a_fresh_process_without_this_package(tmp_path):
    out = tmp_path / "out"
    assert export.main(["efiqa", "--format", "stablehlo", "--output", str(out)]) == 0
    model = model_dir.load("efiqa")
    (batch, _) = export.examples(model)
    given, found = tmp_path / "given.npz", tmp_path / "found.npz"
    np.savez(given, **batch)
    arguments = [str(out / "model.stablehlo"), str(given), str(found)]
    subprocess.run([sys.executable, "-c", FRESH, *arguments], check=True, cwd=tmp_path)
    comparison.check(model.predict(batch), dict(np.load(found)), "fresh process")


def test_outputs_are_compared_by_name_shape_and_number():
    here = {"score": np.zeros(3)}
    assert comparison.largest_difference(here, {"score": np.full(3, 0.25)}) == 0.25
    for wrong in ({"map": np.zeros(3)}, {"score": np.zeros(2)}, {"score": np.full(3, np.nan)}):
        with pytest.raises(ValueError, match="output"):
            comparison.largest_difference(here, wrong)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_fifty_real_photographs(name, shared_data):
    model = model_dir.load(name)
    folders = [str(shared_data / part) for part in ("hrf/images", "chase_db1/images")]
    batches = export.photographs(model, folders)
    assert sum(len(batch["image"]) for batch in batches) >= 50
    given = model_dir.inputs(model.config)
    onnx = onnx_file.session(onnx_file.convert(model.program, given, {}))
    hlo = stablehlo.loaded(stablehlo.convert(model.program, given))
    for batch in batches:
        expected = model.predict(batch)
        comparison.check(expected, onnx(batch), "onnx")
        comparison.check(expected, hlo(batch), "stablehlo")


def test_predict_by_onnxruntime_gives_the_rows_of_jax(tmp_path):
    from PIL import Image

    from fiqa_jax.predictions import schema
    from input_pipeline import synthetic

    Image.fromarray(synthetic.draw(3, 256, "a").image).save(tmp_path / "eye.png")
    rows = {}
    for engine in ("jax", "onnx"):
        out = tmp_path / engine
        given = [str(tmp_path / "eye.png"), "--output", str(out), "--engine", engine]
        assert predict.main(given) == 0
        (rows[engine],) = schema.read_rows(out / "predictions.csv")
    assert rows["jax"]["model"] == rows["onnx"]["model"]
    assert rows["jax"]["decision"] == rows["onnx"]["decision"]
    assert float(rows["onnx"]["score"]) == pytest.approx(float(rows["jax"]["score"]), abs=1e-4)
