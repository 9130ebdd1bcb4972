"""The whole recipe from the command line, in process, on synthetic photographs."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from absl.testing import flagsaver
from recipes import LOADS, load, run_main

from fiqa_jax import main
from fiqa_jax.inference import model_dir
from fiqa_jax.predictions import schema
from fiqa_jax.recipe import command_line, earlier, runner
from fiqa_jax.recipe.jobs import RecipeError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tiny")
    runner.run(load("tiny"), directory)
    return directory


def test_every_stage_is_finished(workdir):
    for name in load("tiny").stages:
        record = json.loads((workdir / name / "stage.json").read_text())
        assert record["name"] == name
        assert record["result"]


def test_report_is_there_and_self_contained(workdir):
    page = (workdir / "report.html").read_text()
    for stage in ("teacher", "student", "shuffled"):
        assert stage in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_delivered_model_predicts_as_the_test_file_says(workdir):
    """The model directory alone gives the probabilities that evaluation wrote down."""
    from fiqa_jax.recipe.data import open_data

    config = load("tiny").stage.student
    data = open_data(config.data, workdir)
    model = model_dir.load(workdir / "model")
    found = schema.load(workdir / "student" / "predictions_test.csv")
    batch = next(iter(data.once("test", 16)))
    outputs = model.predict({k: batch[k] for k in ("image", "fov")})
    place = {name: i for i, name in enumerate(found.id.tolist())}
    rows = [place[data.source.table.id[i]] for i in batch["index"]]
    np.testing.assert_allclose(outputs["p_quality"], found.outputs["p_quality"][rows], atol=1e-5)


def test_model_card_says_what_the_run_knows(workdir):
    text = (workdir / "model" / "model_card.md").read_text()
    facts = json.loads((workdir / "student" / "stage.json").read_text())["facts"]
    photographs, patients = facts["splits"]["test"]
    assert f"| test | {photographs} | {patients} |" in text
    assert "not a medical device" in text
    assert "pseudo-labels of stage `labels`" in text
    assert "disjoint by photograph: patients were not known" in text
    accuracy = facts["test"]["quality_accuracy"]
    assert f"| quality | {photographs} | {accuracy:.3f} [" in text


def test_student_learns_from_the_teachers_probabilities(workdir):
    stored = np.load(workdir / "labels" / "outputs.npz", allow_pickle=False)
    assert stored["p_details"].shape == (len(stored["id"]), 3)
    assert ((stored["p_details"] >= 0) & (stored["p_details"] <= 1)).all()
    lines = [
        json.loads(text)
        for text in (workdir / "student" / "metrics.jsonl").read_text().splitlines()
    ]
    trained = [line for line in lines if line["split"] == "train"]
    assert trained
    assert all({"loss", "quality", "detail_clarity"} <= set(line) for line in trained)


def test_controls_differ_where_they_should(workdir):
    """C1 has no detail head; C2 and the student part only through the labels."""
    longer = json.loads((workdir / "longer" / "model" / "config.json").read_text())
    assert longer["settings"]["method"]["heads"] == ["quality"]
    one = schema.load(workdir / "student" / "predictions_test.csv").outputs["p_details"]
    two = schema.load(workdir / "shuffled" / "predictions_test.csv").outputs["p_details"]
    assert not np.allclose(one, two)


def test_frozen_trunk_is_the_single_tasks(workdir):
    """C4: not one weight or running statistic of the trunk has moved."""
    from fiqa_jax.pretrained import tensors

    single, _ = tensors.read(workdir / "single" / "model" / "model.safetensors")
    frozen, _ = tensors.read(workdir / "frozen" / "model" / "model.safetensors")
    trunk = [n for n in single if "/trunk/" in n]
    assert len(trunk) > 20
    for name in trunk:
        np.testing.assert_array_equal(single[name], frozen[name], err_msg=name)
    head = "params/heads/quality/kernel"
    assert not np.array_equal(single[head], frozen[head])


def test_compare_has_every_row(workdir):
    with (workdir / "compare" / "compare.csv").open() as file:
        rows = list(csv.DictReader(file))
    stages = {r["stage"] for r in rows if r["head"] == "quality"}
    assert stages >= {"single", "single + prior", "student", "student + prior", "longer"}
    rows = list(csv.DictReader((workdir / "details" / "compare.csv").read_text().splitlines()))
    details = {r["stage"] for r in rows if r["head"] == "clarity"}
    told = {"rule: fine if good", "rule: fine if usable"}
    assert details == {"student", "shuffled", "frozen", "teacher_here"} | told


def test_second_run_changes_nothing(workdir):
    before = (workdir / "student" / "stage.json").read_bytes()
    runner.run(load("tiny"), workdir)
    assert (workdir / "student" / "stage.json").read_bytes() == before


def test_changed_value_stops_with_its_name(workdir):
    config = load("tiny")
    config.stage.student.optim.lr = 0.123
    with pytest.raises(RecipeError, match=r"'student' was finished .* optim\.lr: .* -> 0\.123"):
        runner.run(config, workdir)


def test_one_stage_needs_what_it_reads(tmp_path):
    with pytest.raises(RecipeError, match="'student' reads 'labels', which is not finished"):
        runner.run(load("tiny"), tmp_path, only="student")
    with pytest.raises(RecipeError, match="--stage=nobody: no such stage"):
        runner.run(load("tiny"), tmp_path, only="nobody")


def test_default_workdir():
    assert main.default_workdir("configs/multitask.py") == "runs/multitask"
    assert main.default_workdir("/a/b/efiqa.py:tiny,seed=3") == "runs/efiqa-tiny-seed-3"


# ml_collections 1.1 loads configs by a call that Python 3.12 no longer has a use for.
BAD = [
    f"--config={ROOT / 'configs' / 'multitask.py'}:tiny,single",
    "--config.data.source=csv",
    "--config.data.path=nowhere.csv",
]


@LOADS
def test_one_clear_error_and_results_below_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_main(BAD, monkeypatch) == 1
    said = capsys.readouterr()
    assert "nowhere.csv" in said.err
    assert "Traceback" not in said.err
    assert f"work directory: {tmp_path}/runs/multitask-tiny-single" in said.out


@LOADS
def test_named_workdir(tmp_path, monkeypatch, capsys):
    assert run_main([*BAD, f"--workdir={tmp_path}"], monkeypatch) == 1
    assert f"work directory: {tmp_path}\n" in capsys.readouterr().out


def test_config_is_found_in_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = command_line.resolved(["x", "--config", "configs/multitask.py:tiny", "--workdir=w"])
    assert found[2].endswith("configs/multitask.py:tiny")
    assert Path(found[2].partition(":")[0]).is_file()
    with pytest.raises(SystemExit, match=r"no config at nope\.py, .* multitask\.py"):
        command_line.find_config("nope.py")


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("data.pathh=x", "no pathh in config.data (did you mean path?); there are allow_frame, "),
        ("daat.path=x", "no daat in config (did you mean data?)"),
        ("stage.nobody.optim.lr=1", "no nobody in config.stage; there are "),
        ("stage.student.data.sid=8", "no sid in config.stage.student.data (did you mean side?)"),
        ("name.first=x", "name is a value, there are no fields in it"),
    ],
)
@LOADS
def test_a_setting_that_is_not_there(flag, says, monkeypatch):
    """One line that names it, and no traceback of ml_collections."""
    command = ["x", f"--config={ROOT / 'configs' / 'multitask.py'}:tiny", f"--config.{flag}"]
    monkeypatch.setattr(sys, "argv", command)
    with flagsaver.flagsaver(), pytest.raises(SystemExit) as error:
        command_line.parse(command)
    assert f"--config.{flag.partition('=')[0]}: {says}" in str(error.value)


def test_a_folder_may_be_called_dir():
    words = ["--config.data.dir=a", "--config.stage.good.data.dir", "--config.data.dirt=a"]
    path = ["--config.data.path=a", "--config.stage.good.data.path", "--config.data.dirt=a"]
    assert command_line.resolved(words) == path


def test_shares_of_defects_that_a_model_learned_from():
    """A student learned its defects from pseudo-labels: it has no counts of its own to hand on."""
    data = {"detail_names": ["clarity", "contrast"], "class_counts": {"contrast": (30, 10)}}
    assert earlier.details_share({"data": data}).tolist() == [0.0, 0.25]
