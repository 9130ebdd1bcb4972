"""The recipes on photographs graded by readers: what they read, and MKCNet's whole, on drawings."""

import csv

import pytest
from PIL import Image
from recipes import load

from fiqa_jax.recipe import runner
from input_pipeline import synthetic
from input_pipeline.sources import opening

SPLITS = ("train",) * 6 + ("val",) * 3 + ("test",) * 3  # of eyes, each with every grade in turn


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """36 synthetic eyes, three of a person, with grades of quality and of retinopathy."""
    root = tmp_path_factory.mktemp("graded")
    lines = ["path,patient,split,quality,diagnosis"]
    for i in range(3 * len(SPLITS)):
        Image.fromarray(synthetic.draw(i, 64, "abc"[i % 3]).image).save(root / f"{i}.png")
        person = i // 3
        quality = ("good", "usable", "reject")[i % 3]
        lines.append(f"{i}.png,p{person},{SPLITS[person]},{quality},{(person + i) % 5}")
    (root / "table.csv").write_text("\n".join(lines))
    return root / "table.csv"


@pytest.mark.whole
def test_mkcnet_on_graded_photographs(table, tmp_path):
    config = load("eyeq,tiny", "mkcnet")
    config.data.path = str(table)
    runner.run(config, tmp_path)
    with (tmp_path / "compare" / "compare.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["stage"] for row in rows} >= {"vanilla", "multitask", "second_order"}
    assert {row["head"] for row in rows if row["stage"] == "vanilla"} == {
        "diagnosis",
        "hq_diagnosis",
        "lq_diagnosis",
    }


def test_any_retinopathy_is_told_from_none(table):
    config = load("eyeq", "mkcnet")
    config.data.path = str(table)
    found = opening.make_source(config.stage.vanilla.data).table
    assert found.diagnosis_names == ("no DR", "any DR")
    with table.open() as file:
        grades = [int(row["diagnosis"]) for row in csv.DictReader(file)]
    assert found.labels["diagnosis"].tolist() == [int(grade > 0) for grade in grades]
    assert config.repeat.seed == 1
    assert (config.data.side, config.model.width, config.train.steps) == (128, 0.25, 600)


def test_the_teacher_reads_other_photographs_than_the_students(table):
    whole, few = (load(a, "multitask") for a in ("eyeq", "eyeq,few"))
    assert {*whole.stages} - {*few.stages} == {"shuffled", "frozen"}
    assert whole.stage.teacher.data.source == "degraded"
    for name in ("single", "student", "longer"):
        stage = whole.stage[name].to_dict()
        assert stage["data"]["source"] == "csv"
        assert stage == few.stage[name].to_dict()
    whole.data.path = str(table)
    assert whole.stage.teacher.data.path == ""  # is asked for, not taken from the students
    # As long as its control without details, which differs in them alone.
    assert whole.stage.student.train.to_dict() == whole.stage.longer.train.to_dict()
