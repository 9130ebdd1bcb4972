"""fiqa export: both formats beside Flax, here and in a fresh process; a mismatch leaves nothing."""

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fiqa_jax import cli, export, predict
from fiqa_jax.exports import equality, onnx_file, stablehlo
from fiqa_jax.inference import model_dir, model_method
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


PAGE = Path(__file__).resolve().parents[2] / "docs" / "export.md"


@pytest.fixture(scope="module")
def page_run(tmp_path_factory):
    """The folder in which the commands of docs/export.md were run, and what they printed."""
    here = tmp_path_factory.mktemp("export")
    lines = re.findall(r"^    fiqa (export .*)$", PAGE.read_text(), re.MULTILINE)
    printed = io.StringIO()
    with contextlib.chdir(here), contextlib.redirect_stdout(printed):
        for line in lines:
            assert cli.main(shlex.split(line)) == 0
    return here, printed.getvalue()


@pytest.mark.whole
def test_the_page_shows_what_the_commands_print(page_run):
    text = PAGE.read_text()
    shown = text[text.index("    fundus-onnx/") :].split("\n\n")[0]
    numbers = re.compile(r"[\d.]+ MB|\de-\d+")
    expected, seen = (numbers.sub("N", one.strip()) for one in (page_run[1], shown))
    assert re.sub(r"^    ", "", seen, flags=re.MULTILINE) == expected


def test_the_python_of_the_page_runs(page_run, monkeypatch):
    from PIL import Image

    from input_pipeline import synthetic

    monkeypatch.chdir(page_run[0])
    Image.fromarray(synthetic.draw(3, 256, "a").image).save("eye.jpg")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        folder = "efiqa-stablehlo" if "efiqa-stablehlo" in block else "fundus-onnx"
        side = json.loads(Path(folder, "export.json").read_text())["data"]["side"]
        assert f'read_photo("eye.jpg", {side})' in block
        exec(block, names)
        assert len(names["outputs"]) >= 1


def test_an_exported_folder_holds_what_a_user_needs(page_run):
    out = page_run[0] / "fundus-onnx"
    about = json.loads((out / "export.json").read_text())
    config = model_dir.read_config(shipped.find("fundus"))
    assert about["model"] == shipped.model_name("fundus")
    assert about["thresholds"] == config["thresholds"]
    assert about["compared"]["largest_difference"] < equality.TOLERANCE
    assert (out / "LICENSE").is_file()
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
    same = lambda model, kind, name: (b"file", model.predict)  # noqa: E731
    monkeypatch.setattr(export, "made", same)
    out = tmp_path / "out"
    assert export.main(["efiqa", "--format", "onnx", "--output", str(out)]) == 1
    assert "No space left" in capsys.readouterr().err
    assert list(tmp_path.rglob("*")) == []


def test_stablehlo_in_a_fresh_process_without_this_package(page_run, tmp_path):
    out = page_run[0] / "efiqa-stablehlo"
    model = model_dir.load("efiqa")
    (batch, _) = export.examples(model)
    given, found = tmp_path / "given.npz", tmp_path / "found.npz"
    np.savez(given, **batch)
    arguments = [str(out / "model.stablehlo"), str(given), str(found)]
    subprocess.run([sys.executable, "-c", FRESH, *arguments], check=True, cwd=tmp_path)
    equality.check(model.predict(batch), dict(np.load(found)), "fresh process")


def test_outputs_are_compared_by_name_shape_and_number():
    here = {"score": np.zeros(3)}
    assert equality.largest_difference(here, {"score": np.full(3, 0.25)}) == 0.25
    for wrong in ({"map": np.zeros(3)}, {"score": np.zeros(2)}, {"score": np.full(3, np.nan)}):
        with pytest.raises(ValueError, match="output"):
            equality.largest_difference(here, wrong)


@pytest.mark.whole
@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_fifty_real_photographs(name, shared_data):
    model = model_dir.load(name)
    folders = [str(shared_data / part) for part in ("hrf/images", "chase_db1/images")]
    batches = export.photographs(model, folders)
    assert sum(len(batch["image"]) for batch in batches) >= 50
    given = model_method.inputs(model.config)
    onnx = onnx_file.session(onnx_file.convert(model.program, given, {}))
    hlo = stablehlo.loaded(stablehlo.convert(model.program, given))
    for batch in batches:
        expected = model.predict(batch)
        equality.check(expected, onnx(batch), "onnx")
        equality.check(expected, hlo(batch), "stablehlo")


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
