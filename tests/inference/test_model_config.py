"""config.json of a model directory: what passes, and one clear error for each thing that does not.

Every hostile case is written with digests of its own, so that it reaches the check it is for.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from fiqa_jax import methods
from fiqa_jax.inference import model_config, model_dir
from fiqa_jax.inference.model_dir import ModelError
from fiqa_jax.inference.predictor import Predictor
from fiqa_jax.pretrained import encoders, shipped
from input_pipeline import sums

SOURCE = shipped.FOLDER / "efiqa"


def hostile(target, change=None, data=None):
    """The shipped model with another config.json; digests are those of what is there."""
    shutil.copytree(SOURCE, target, dirs_exist_ok=True)
    if change:
        config = json.loads((target / "config.json").read_text())
        change(config)
        data = json.dumps(config).encode()
    if data is not None:
        (target / "config.json").write_bytes(data)
    names = [f.name for f in target.iterdir() if f.suffix in (".json", ".safetensors")]
    sums.write(target, names)
    return target


def put(value, *path):
    def change(config):
        for name in path[:-1]:
            config = config[name]
        config[path[-1]] = value

    return change


@pytest.mark.parametrize("name", ["efiqa", "segmentor"])
def test_what_is_shipped_passes(name, caplog):
    assert model_dir.load(name).config["schema"] in model_config.SCHEMAS
    assert not caplog.records  # it has digests: nothing is to be said


CASES = [
    (put("this module", "method"), "method is 'this module'; expected the name of a method"),
    (put([1], "method"), r"method is \[1\]"),
    (put("=cmd|'x'!A0", "name"), 'name is "=cmd'),
    (put(["../../x"], "name"), "name is "),
    (put("a\x1b[31m", "name"), r"name is 'a\\x1b"),
    (put("x", "data", "side"), "data.side is 'x'; expected a whole number from 1 to 8192"),
    (put(10**6, "data", "side"), "data.side is 1000000"),
    (put(-1, "data", "side"), "data.side is -1"),
    (put(True, "data", "side"), "data.side is True"),
    (put("ct", "data", "modality"), "data.modality is 'ct'; expected one of 'fundus', 'slice'"),
    (put([0.5] * 4, "data", "mean"), "data.mean is .* a list of 1 to 3 entries"),
    (put([0.1, 0.0, 0.1], "data", "std"), r"data.std\[1\] is 0.0; expected a number above 0"),
    (put(["x"], "data", "erase"), r"data.erase\[0\] is 'x'; expected a list of 4 entries"),
    (put([[5, 0, 5, 9]], "data", "erase"), "with left < right and top < bottom"),
    (put(["../../etc/x"], "data", "detail_names"), r"data.detail_names\[0\] is"),
    (put(["a", "a"], "data", "detail_names"), "expected entries that differ"),
    (put([16, 16, 1 << 40], "data", "features"), r"data.features\[2\] is"),
    (lambda c: c.pop("data"), "data is missing"),
    (put("x", "thresholds"), "thresholds is 'x'; expected an object"),
    (put({"accept": 0.9, "recapture": 0.1}, "thresholds"), "the first not above the second"),
    (put({"bad": 1}, "thresholds"), "a name in thresholds is 'bad'"),
    (put([1], "temperature"), "temperature is"),
    (put({"quality": {"temperature": 0}}, "temperature"), "expected a number above 0"),
    (put(10**9, "settings", "method", "around"), "settings.method.around is 1000000000"),
    (put("yes", "settings", "method", "field"), "settings.method.field is 'yes'"),
    (put("0" * 63, "encoder", "digest"), "encoder.digest is"),
    (put(99, "schema"), "schema 99; this version reads 1 and 2"),
    (put(2, "schema"), "files is None; expected an object"),
    (put(True, "schema"), "schema True"),
]


@pytest.mark.parametrize(("change", "match"), CASES, ids=[m[:30] for _, m in CASES])
def test_a_value_that_cannot_be_is_one_error(tmp_path, change, match):
    target = hostile(tmp_path / "m", change)
    with pytest.raises(ModelError, match=match) as raised:
        model_dir.load(target)
    assert str(raised.value).count("\n") == 0
    assert len(str(raised.value)) < 600


RAW = [
    (b"[]", "holds list; expected an object"),
    (b'{"schema": 1, "x": "\xff"}', "is not UTF-8"),
    (b"[" * 200_000, "is nested more than 24 deep"),
    (b'{"a":' * 30 + b"1" + b"}" * 30, "is nested more than 24 deep"),
    (b'{"schema": 1, "schema": 1}', "the field 'schema' stands twice"),
    (b'{"schema": 1, "x": NaN}', "holds NaN, which is no JSON"),
    (b'{"schema": 1, "x": 1e999}', "a number in .* is inf"),
    (b'{"schema": 1' + b"0" * 5000 + b"}", "is not JSON"),
    (b" " * (model_config.LARGEST + 1), "expected 4,194,304 at most"),
    (b"", "is not JSON"),
]


@pytest.mark.parametrize(("data", "match"), RAW, ids=[m[:30] for _, m in RAW])
def test_a_file_that_is_no_config(tmp_path, data, match):
    with pytest.raises(ModelError, match=match):
        model_dir.load(hostile(tmp_path / "m", data=data))


EVIL = "open({mark!r}, 'w').write('x')\n"


def test_code_in_a_model_directory_is_never_run(tmp_path, monkeypatch):
    """Neither when it is named alone, nor when it is trusted; wherever Python would look for it."""
    mark = tmp_path / "EXECUTED"
    target = hostile(tmp_path / "evilmodel", put("evilmodel.evil", "method"))
    (target / "evil.py").write_text(EVIL.format(mark=str(mark)))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"no method 'evilmodel\.evil' comes with the package"):
        Predictor(target)
    with pytest.raises(ValueError, match="code there is never run"):
        Predictor(target, trust="evilmodel.evil")
    (target / "__init__.py").write_text(EVIL.format(mark=str(mark)))
    with pytest.raises(ValueError, match="code there is never run"):
        Predictor(target, trust=["evilmodel.evil"])
    monkeypatch.syspath_prepend(str(target))
    hostile(target, put("evil", "method"))
    with pytest.raises(ValueError, match="code there is never run"):
        model_dir.load(target, trust=["evil"])
    assert not mark.exists()
    assert not {"evil", "evilmodel", "evilmodel.evil"} & set(sys.modules)


def test_a_module_runs_only_where_it_is_trusted():
    with pytest.raises(ValueError, match="--trust quadrant"):
        methods.build("quadrant", None, None, None)
    with pytest.raises(ValueError, match=r"no method 'nowhere'; there are .*'multitask'"):
        methods.build("nowhere", None, None, None, trust=("nowhere",))


def test_a_trusted_module_is_found_in_the_working_directory(monkeypatch, tmp_path):
    """The console script, unlike `python -m`, has another folder in front."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    before = [*sys.path]
    (tmp_path / "own_grader_here.py").write_text("def build(config, data, run):\n    return 7\n")
    assert methods.build("own_grader_here", None, None, None, trust=("own_grader_here",)) == 7
    assert sys.path == before
    with pytest.raises(ValueError, match="code there is never run"):
        methods.build(
            "own_grader_here", None, None, None, trust=("own_grader_here",), apart=tmp_path
        )
    sys.modules.pop("own_grader_here")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("../../../../etc/passwd", "lacks encoder.safetensors"),
        ("/dev/zero", "lacks encoder.safetensors"),
        ("evil-owner/evil-repo", "a model fetches nothing on its own|is no file or folder"),
    ],
)
def test_an_encoder_is_neither_fetched_nor_taken_from_elsewhere(tmp_path, monkeypatch, name, match):
    def refused(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refused)
    target = hostile(tmp_path / "m", put(name, "encoder", "name"))
    with pytest.raises(ModelError, match=match):
        model_dir.load(target)
    monkeypatch.undo()
    if name.startswith("evil"):  # the user may say where it is
        assert model_dir.load(target, encoder="shipped").config["encoder"]["name"] == name
        with pytest.raises(ModelError, match="not the one the model was trained on"):
            model_dir.load(target, encoder=encoders.PIXELS)


def test_schema_1_without_digests_is_used_and_that_is_said_once(tmp_path, caplog):
    target = tmp_path / "m"
    shutil.copytree(SOURCE, target)
    (target / sums.FILE).unlink(missing_ok=True)
    for _ in range(2):
        model_dir.load(target)
    assert [r.message.count("without digests") for r in caplog.records] == [1]


def test_damage_is_found_and_named(tmp_path):
    target = tmp_path / "m"
    config = model_dir.read_config(SOURCE)
    model_dir.copy(SOURCE, target, config)
    assert model_dir.read_config(target)["schema"] == model_config.SCHEMA
    assert set(sums.read(target)) == {"config.json", "model.safetensors"}
    model_dir.load(target)
    for name in ("model.safetensors", "config.json"):
        file = target / name
        data = bytearray(file.read_bytes())
        data[-9] ^= 1
        file.write_bytes(data)
        with pytest.raises(ModelError, match=f"{name} is damaged"):
            model_dir.load(target)
        data[-9] ^= 1
        file.write_bytes(data)
    (target / sums.FILE).unlink()  # the digests in config.json still stand
    data = bytearray((target / "model.safetensors").read_bytes())
    data[-9] ^= 1
    (target / "model.safetensors").write_bytes(data)
    with pytest.raises(ModelError, match=r"model\.safetensors is damaged"):
        model_dir.load(target)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    target = hostile(tmp_path / "m")
    file = target / "model.safetensors"
    raw = file.read_bytes()
    tensors = safetensors.numpy.load(raw)
    name = next(n for n, x in sorted(tensors.items()) if x.dtype.kind == "f")
    for value in (np.nan, np.inf):
        tensors[name] = tensors[name].copy()
        tensors[name].flat[0] = value
        file.write_bytes(safetensors.numpy.save(tensors, {"fiqa_jax": "{}"}))
        hostile_sums = [f.name for f in target.iterdir() if f.suffix in (".json", ".safetensors")]
        sums.write(target, hostile_sums)
        with pytest.raises(ValueError, match="NaN or infinity"):
            model_dir.load(target)
    assert Path(file).exists()
