"""The report of a work directory that is made by hand, with everything a recipe leaves."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from fiqa_jax.evaluation import metrics
from fiqa_jax.predictions import rows as judge
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.triage import Thresholds
from fiqa_jax.report import __main__ as report_command
from fiqa_jax.report import build, comparison_page, page
from fiqa_jax.report import gallery as examples
from fiqa_jax.report.page import Gallery, Picture, Section, Table

DETAILS = ("clarity", "contrast")


def photographs(folder, n):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(n):
        pixels = rng.integers(0, 255, (48, 48, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"i{i}.png")
    return [str(folder / f"i{i}.png") for i in range(n)]


def prediction_rows(paths, labelled=True):
    n = len(paths)
    rng = np.random.default_rng(1)
    quality = np.arange(n) % 3
    prob = rng.dirichlet(np.ones(3), n) + 0.5 * np.eye(3)[quality]
    truth = {
        "quality": quality,
        "ungradable": (quality == 2) * 1,
        "details": np.stack([quality % 2, np.full(n, -1)], -1),
    }
    return judge.rows_from_outputs(
        {
            "p_quality": prob / prob.sum(-1, keepdims=True),
            "p_ungradable": rng.random(n),
            "p_details": rng.random((n, 2)),
        },
        path=paths,
        id=[f"i{k}" for k in range(n)],
        details=DETAILS,
        thresholds=Thresholds(),
        model="m",
        truth=truth if labelled else None,
    )


def stage(root, name, kind, paths=(), repeat="", **facts):
    folder = root / name / repeat if repeat else root / name
    folder.mkdir(parents=True)
    record = {"name": name, "kind": kind, "repeat": repeat, "seconds": 75.0, "facts": facts}
    record["settings"] = {"of": "student"} if kind == "fit" else {}
    (folder / "stage.json").write_text(json.dumps(record))
    if kind == "train":
        lines = [{"step": s, "split": "train", "loss": 1 / s, "grad_norm": 9.0} for s in (1, 2, 3)]
        lines += [{"step": 3, "split": "val", "quality_macro_f1": 0.5, "quality_ece": None}]
        text = "\n".join(map(json.dumps, lines)) + '\n{"step": 4, "spl'
        (folder / "metrics.jsonl").write_text(text)
    if paths:
        rows = prediction_rows(paths)
        schema.write_csv(folder / "predictions_test.csv", rows, list(rows[0]))
    return folder


COMPARED = {
    "stage": ("single", "student"),
    "head": ("quality",) * 2,
    "metric": ("macro_f1",) * 2,
    "n": (24, 24),
    "patients": (24, 24),
    "seeds": (2, 2),
    "value": (0.7, 0.8),
    "low": (0.6, 0.7),
    "high": (0.8, 0.9),
    "seed_mean": (0.71, 0.79),
    "seed_low": (0.6, "nan"),
    "seed_high": (0.8, "nan"),
    "difference": ("", 0.1),
    "difference_low": ("", 0.02),
    "difference_high": ("", 0.18),
    "p": ("", 0.013),
    "seed_difference": ("", 0.08),
    "seed_difference_low": ("", 0.01),
    "seed_difference_high": ("", 0.15),
}


def write_compared(path):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COMPARED)
        writer.writerows(zip(*COMPARED.values(), strict=True))


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    paths = photographs(root / "photos", 24)
    facts = {"train_rows": 1234, "steps": 3, "step_used": 2, "input_wait": 0.031}
    test = {"quality_macro_f1": 0.61, "clarity_macro_f1": 0.72}
    for repeat in ("seed0", "seed1"):
        folder = stage(root, "single", "train", paths, repeat, test=test, **facts)
    page.save_section(folder, Section("Of the method", ("A sentence of its own.",)))
    stage(root, "student", "train", paths, test=test, **facts)
    fitted = stage(root, "calibrated", "fit", temperature={"quality": {"temperature": 1.25}})
    page.save_section(fitted, Section("What matters", ("Before all.",), first=True))
    write_compared(stage(root, "compare", "compare") / "compare.csv")
    order = ["single", "student", "calibrated", "compare"]
    recipe = {"name": "my recipe", "stages": order, "deliver": "calibrated"}
    recipe["stage"] = {name: {"of": "student"} if name == "calibrated" else {} for name in order}
    (root / "recipe.json").write_text(json.dumps(recipe))
    (root / "versions.json").write_text(json.dumps({"jax": "0.10.2", "devices": ["cpu", "cpu"]}))
    (root / "model").mkdir()
    return root


@pytest.fixture(scope="module")
def written(workdir):
    """The page's text, made once."""
    (workdir / "report").mkdir()
    (workdir / "report" / "old.png").write_bytes(b"")
    (workdir / "report" / "mine.txt").write_text("kept")
    target = build.write_report(workdir, [Section("Added", ("Extra.",))])
    assert target == workdir / "report.html"
    return target.read_text(encoding="utf-8")


def test_the_page_of_a_recipe(written):
    assert "<h1>my recipe</h1>" in written
    assert "4 stages, 5 runs, 6 min. 2 x cpu, jax 0.10.2." in written
    assert "not a medical device" in written
    titles = ["What matters", "Stages", "Comparison: compare", "single", "Of the method"]
    titles += ["student", "calibrated"]
    found = [written.index(f"<h2>{title}</h2>") for title in [*titles, "Added"]]
    assert found == sorted(found)
    assert "2 runs (seed0, seed1), 1,234 training photographs, 3 steps" in written
    assert "3.1% of the time waiting for data" in written
    assert "quality 0.610, clarity 0.720" in written
    assert "fit, with the results of stage student" in written
    assert "<td>quality temperature</td><td>1.250</td>" in written
    # The stage whose model is delivered is open, with the one it was fitted on; others are folded.
    for name, opened in (("single", False), ("student", True), ("calibrated", True)):
        tag = written[: written.index(f"<h2>{name}</h2>")].rsplit("<details", 1)[1]
        assert (" open" in tag) == opened, name


def test_results_are_those_of_the_prediction_file(workdir, written):
    found = schema.load(workdir / "student" / "predictions_test.csv")
    scores = metrics.head_scores(found.truth, found.outputs, found.details)
    accuracy = scores["quality"].values["accuracy"]
    assert f"<td>accuracy</td><td>{accuracy:.3f}<small>" in written
    macro = scores["clarity"].values["macro_f1"]
    assert "<small>24 labelled, 8 with defect</small></td><td>" in written
    assert f"<td>{macro:.3f}<small>" in written
    assert "Most confident errors of quality" in written
    assert "Surest correct answers of quality" in written


def test_pictures_lie_beside_the_page_and_old_ones_go(workdir, written):
    assert written
    names = {file.name for file in (workdir / "report").iterdir()}
    assert {"student-training.png", "student-validation.png", "mine.txt"} <= names
    assert {"student-quality-confusion.png", "student-clarity-reliability.png"} <= names
    assert "compare-quality-macro_f1.png" in names
    assert "old.png" not in names
    assert any(name.startswith("student-quality-wrong") and name.endswith(".jpg") for name in names)


def test_two_reports_of_one_directory_are_equal(workdir, written):
    again = build.write_report(workdir, [Section("Added", ("Extra.",))])
    assert again.read_text(encoding="utf-8") == written


def test_comparison_shows_both_kinds_of_interval(workdir):
    section = comparison_page.compare_section("compare", workdir / "compare" / "compare.csv")
    table = next(item for item in section.items if isinstance(item, Table))
    assert table.head == (
        "stage",
        "value, patients",
        "mean, seeds",
        "difference, patients",
        "p",
        "difference, seeds",
    )
    assert table.rows[1] == (
        "student",
        "0.800|0.700 to 0.900",
        "0.790",
        "0.100|0.020 to 0.180",
        "0.013",
        "0.080|0.010 to 0.150",
    )
    assert table.caption == "quality, macro-F1; 24 photographs, 24 patients; 2 seeds"
    picture = next(item for item in section.items if isinstance(item, Picture))
    assert picture.caption == "quality, macro-F1, over patients."


def test_worst_errors_come_first(tmp_path):
    paths = photographs(tmp_path / "photos", 12)
    rows = prediction_rows(paths)
    schema.write_csv(tmp_path / "p.csv", rows, list(rows[0]))
    found = schema.load(tmp_path / "p.csv")
    head = examples.graded(found)["quality"]
    shown = examples.galleries(
        found, "quality", head, examples.Photographs(tmp_path), "s", tmp_path, count=3
    )
    for gallery in shown:
        assert isinstance(gallery, Gallery)
        assert len(gallery.pictures) <= 3
    wrong = [int(one.name.rsplit("-", 1)[1]) for one in shown[0].pictures]
    guess = head.prob.argmax(-1)
    every = [i for i in np.argsort(-head.prob.max(-1)) if guess[i] != head.truth[i]]
    assert wrong == every[:3]
    first = shown[0].pictures[0].caption.split("\n")[0]
    i = wrong[0]
    assert first == (
        f"true {metrics.QUALITY[head.truth[i]]}, predicted {metrics.QUALITY[guess[i]]} "
        f"({head.prob[i].max():.2f})"
    )
    right = [head.truth[int(one.name.rsplit("-", 1)[1])] for one in shown[1].pictures]
    assert sorted(right) == [0, 1, 2]  # one of each class


def test_photographs_that_are_gone_are_left_out(tmp_path):
    rows = prediction_rows(["/nowhere/a.png", ""])
    assert examples.Photographs(tmp_path).find("s", rows[0], tmp_path) is None
    assert examples.Photographs(tmp_path).find("s", rows[1], tmp_path) is None


def test_report_on_what_predict_left(tmp_path):
    paths = photographs(tmp_path / "photos", 6)
    rows = prediction_rows(paths, labelled=False)
    for row, decision in zip(rows, ("recapture", "review", *["accept"] * 4), strict=True):
        row["decision"] = decision
    rows.append(judge.failed_row("x.jpg", "x", "error", "a text file", "m", DETAILS))
    schema.write_csv(tmp_path / "predictions.csv", rows, list(rows[0]))
    text = build.write_report(tmp_path).read_text(encoding="utf-8")
    assert "7 photographs judged" in text
    assert "<td>accept</td><td>4</td><td>57%</td>" in text
    assert "i0.png" in text
    assert "a text file" in text
    assert (tmp_path / "report" / "recapture-0.jpg").is_file()


def test_one_stage_folder_alone(tmp_path):
    rows = prediction_rows(photographs(tmp_path / "photos", 12))
    schema.write_csv(tmp_path / "predictions_val.csv", rows, list(rows[0]))
    text = build.write_report(tmp_path).read_text(encoding="utf-8")
    assert "val split; quality: 12 photographs" in text


def test_empty_directory_and_command(tmp_path, capsys):
    assert report_command.main([str(tmp_path)]) == 1
    assert "holds nothing to report on" in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_photograph_of_a_drawn_stage_comes_from_its_source(tmp_path, monkeypatch):
    """Rows of synthetic photographs have no path: the stage's own data section is opened again."""
    image = np.full((8, 8, 3), 7, np.uint8)
    asked = []

    class Source:
        table = type("T", (), {"id": np.array(["x", "y"])})
        digest = "abc"

        def read(self, row):
            asked.append(row)
            return {"image": image}

    recipe = {"stage": {"s": {"data": {"source": "drawn"}}}}
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    folder = stage(tmp_path, "s", "apply", data="abc")
    monkeypatch.setattr(examples.opening, "make_source", lambda data, folder: Source())
    row = dict(prediction_rows([""])[0], id="y")
    got = examples.Photographs(tmp_path).find("s", row, folder)
    np.testing.assert_array_equal(got, image)
    assert asked == [1]
    # Drawn by another version since: no picture rather than a wrong one.
    Source.digest = "changed"
    assert examples.Photographs(tmp_path).find("s", row, folder) is None
    # A run that left out what shows no eye looked at the whole source, and listed it.
    (tmp_path / "fields_changed.csv").write_text("")
    got = examples.Photographs(tmp_path).find("s", row, folder)
    np.testing.assert_array_equal(got, image)
