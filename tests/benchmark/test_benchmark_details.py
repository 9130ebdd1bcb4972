"""Naming defects: cut-offs and tables against scikit-learn; regressions on known answers."""

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from fiqa_jax import defaults
from fiqa_jax.benchmark import __main__ as benchmark
from fiqa_jax.benchmark import detail_floors, details, simple
from fiqa_jax.evaluation import intervals
from fiqa_jax.predictions import rows as judge
from fiqa_jax.predictions import schema, triage
from fiqa_jax.recipe.data import open_data

ALL = ("illumination", "clarity", "contrast", "artefact")


def test_best_cut_is_the_best_of_all():
    rng = np.random.default_rng(0)
    for _ in range(8):
        truth = rng.permutation([0, 1, *rng.integers(0, 2, 20)])
        score = np.round(rng.normal(truth * 0.8), 1)  # with ties
        cut = detail_floors.best_cut(truth, score)

        def macro(c, truth=truth, score=score):
            return f1_score(truth, score >= c, average="macro", zero_division=0)

        assert macro(cut) == pytest.approx(max(macro(c) for c in score))


def test_best_cut_lies_between_what_it_parts():
    assert detail_floors.best_cut([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9]) == pytest.approx(0.4)


def test_features_take_the_logarithm_of_the_variance():
    found = {"laplacian_variance": [0.0, np.e - 1], "mean": [1, 2], "rms_contrast": [3, 4]}
    np.testing.assert_allclose(detail_floors.features(found), [[0, 1, 3], [1, 2, 4]])


def test_regressions_find_what_depends_on_one_statistic_and_on_its_square():
    rng = np.random.default_rng(1)
    x, test = rng.normal(size=(600, 3)), rng.normal(size=(400, 3))

    def truth(x):
        return np.stack([x[:, 1] < -0.5, np.abs(x[:, 2]) > 1], -1).astype(np.int8)

    found = detail_floors.regressions(x, truth(x), test, ("a", "b"))
    auroc = {
        name: [roc_auc_score(truth(test)[:, k], way.score[:, k]) for k in (0, 1)]
        for name, way in found.items()
    }
    assert auroc["best single statistic"][0] > 0.999
    assert auroc["three statistics"][0] > 0.99
    assert auroc["three statistics"][1] < 0.65  # dark and bright alike: no line parts them
    assert auroc["with squares and products"][1] > 0.99
    named = found["best single statistic"].score[:, 0] >= found["best single statistic"].cut[0]
    assert (named == truth(test)[:, 0]).mean() > 0.98


@pytest.fixture
def three_ways():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, (120, 2)).astype(np.int8)
    patient = np.repeat(np.arange(12), 10)
    good = truth + rng.normal(0, 0.5, truth.shape)
    poor = truth + rng.normal(0, 2.0, truth.shape)
    cut = np.array([0.5, 0.5])
    return truth, patient, {"network": (good, cut), "poor": (poor, cut), "same": (good, cut)}


def rows_of(three_ways, **kwargs):
    truth, patient, ways = three_ways
    named = {name: detail_floors.Named(*way) for name, way in ways.items()}
    found = details.table(truth, named, patient, ("a", "b"), seed=0, **kwargs)
    return {(row["way"], row["detail"], row["metric"]): row for row in found}


def test_values_are_scikit_learns(three_ways):
    truth, _, ways = three_ways
    rows = rows_of(three_ways, draws=50)
    for name, (score, cut) in ways.items():
        auroc = [roc_auc_score(truth[:, k], score[:, k]) for k in (0, 1)]
        f1 = [f1_score(truth[:, k], score[:, k] >= cut[k], average="macro") for k in (0, 1)]
        for metric, expected in (("auroc", auroc), ("macro_f1", f1)):
            assert rows[name, "a", metric]["value"] == pytest.approx(expected[0])
            assert rows[name, "b", metric]["value"] == pytest.approx(expected[1])
            assert rows[name, "mean of all", metric]["value"] == pytest.approx(np.mean(expected))


def test_intervals_are_those_of_stats(three_ways):
    """The same bootstrap of patients as `stats.intervals` makes, with its own draws."""
    truth, patient, ways = three_ways
    rows = rows_of(three_ways)
    score = 1 / (1 + np.exp(-(ways["poor"][0][:, 0] - 0.5)))
    expected = intervals.intervals(truth[:, 0], score, patient, ("good", "defect"), seed=1)
    for metric in ("auroc", "macro_f1"):
        row = rows["poor", "a", metric]
        assert row["value"] == pytest.approx(expected[metric].value)
        assert row["low"] == pytest.approx(expected[metric].low, abs=0.02)
        assert row["high"] == pytest.approx(expected[metric].high, abs=0.02)


def test_leads_are_paired(three_ways):
    rows = rows_of(three_ways, draws=400)
    assert "lead" not in rows["network", "a", "auroc"]
    for metric in ("auroc", "macro_f1"):
        same, poor = rows["same", "a", metric], rows["poor", "mean of all", metric]
        assert same["lead"] == same["lead_low"] == same["lead_high"] == 0.0
        assert 0 < poor["lead_low"] < poor["lead"] < poor["lead_high"]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """What a run leaves, written by hand: its settings and predictions that are nearly right."""
    root = tmp_path_factory.mktemp("run")
    section = defaults.base().data
    section.update({"side": 32, "classes": 0, "details": ALL, "lq_ratio": 0.8, "workers": 1})
    section.update({"driver": "threads", "count": 40, "cache": "disk", "split": (0.7, 0.3, 0.0)})
    stages = {"drawn": {"seed": 1}, "photos": {"seed": 2}, "elsewhere": {"seed": 3}}
    rng = np.random.default_rng(0)
    recipe = {"stage": {}}
    for stage, change in stages.items():
        section.update(change)
        recipe["stage"][stage] = {"data": json.loads(section.to_json())}
        data = open_data(section, root)
        split = "all" if stage == "elsewhere" else "val"
        rows, table = data.rows(split), data.source.table
        truth = data.labels(rows)
        sure = np.clip(truth["details"] * 0.6 + rng.uniform(0, 0.4, (len(rows), 4)), 0, 1)
        outputs = {"p_details": sure.astype(np.float32), "score": sure.mean(-1)}
        names = {key: getattr(table, key)[rows].tolist() for key in ("path", "id", "patient")}
        made = judge.rows_from_outputs(
            outputs,
            **names,
            details=ALL,
            diagnosis=(),
            thresholds=triage.Thresholds(),
            model=stage,
            truth=truth,
        )
        (root / stage).mkdir()
        columns = schema.columns(ALL, (), truth=True)
        schema.write_csv(root / stage / f"predictions_{split}.csv", made, columns)
    (root / "recipe.json").write_text(json.dumps(recipe))
    return root


def test_a_run_beside_statistics_of_its_own_photographs(workdir, tmp_path, capsys):
    out = tmp_path / "out.json"
    assert benchmark.main(["details", "--workdir", str(workdir), "--output", str(out)]) == 0
    text = capsys.readouterr().out
    assert "trained on 56 photographs of drawn, photos; tested on 40 of 40 patients" in text
    assert "| mean of all | auroc | network | 1.000 [1.000, 1.000] |" in text
    rows = json.loads(out.read_text())
    assert {row["way"] for row in rows} == {
        "network",
        "best single statistic",
        "three statistics",
        "with squares and products",
    }
    assert len(rows) == 4 * 5 * 2
    network = [row for row in rows if row["way"] == "network"]
    assert all(row["value"] == 1.0 for row in network if row["metric"] == "auroc")
    others = [row for row in rows if row["way"] != "network" and row["detail"] == "mean of all"]
    assert all(0.4 < row["value"] < 1.0 and row["lead"] > 0 for row in others)


def test_the_statistics_are_of_the_training_rows_alone(workdir, monkeypatch):
    measured = []
    real = simple.measure

    def watched(source, rows):
        measured.append(source.table.id[rows].tolist())
        return real(source, rows)

    monkeypatch.setattr(simple, "measure", watched)
    details.compared(workdir, ("drawn", "photos"), "elsewhere", 0)
    assert [len(names) for names in measured] == [28, 28, 40]
    for stage, names in zip(("drawn", "photos"), measured, strict=False):
        val = schema.load(workdir / stage / "predictions_val.csv").id.tolist()
        assert len(val) == 12
        assert not set(names) & set(val)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workdir", "nowhere"], "nowhere/elsewhere/predictions_all.csv"),
        (["--train", "teacher"], "teacher/predictions_val.csv"),
        (["--apply", "drawn"], "drawn/predictions_all.csv"),
    ],
)
def test_what_is_not_there_is_named(workdir, capsys, arguments, message):
    assert benchmark.main(["details", "--workdir", str(workdir), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_defect_that_no_training_photograph_has():
    x, truth = np.zeros((4, 3)), np.array([[0, 1], [1, 1], [0, 1], [1, 1]], np.int8)
    with pytest.raises(ValueError, match="all 4 training photographs are alike in 'b'"):
        detail_floors.regressions(x, truth, x, ("a", "b"))


def test_no_such_stage(workdir, tmp_path):
    with pytest.raises(ValueError, match="no stage 'x'; there are drawn, photos, elsewhere"):
        details.stage_data(workdir, "x")
    with pytest.raises(ValueError, match="give the work directory of a finished run"):
        details.stage_data(tmp_path, "x")
