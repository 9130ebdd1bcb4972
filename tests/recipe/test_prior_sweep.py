"""Diagnoses by quality: groups, weighting to a share of low quality, pictures, areas by pairs."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from fiqa_jax.evaluation import bootstrap, metrics
from fiqa_jax.predictions import rows as judge
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.triage import Thresholds
from fiqa_jax.recipe import comparison, fit_embedding, prior_sweep
from fiqa_jax.recipe.jobs import Job, RecipeError
from fiqa_jax.recipe.repetitions import by_quality, join
from input_pipeline.loading.order import epoch_permutation

DR = ("none", "mild", "severe")


def write(directory, seed=0, n=60, lucky=0.6, classes=DR):
    """A file of diagnoses that are right more often where the quality is good."""
    rng = np.random.default_rng(0)
    count = len(classes)
    quality, truth = rng.integers(0, 3, n), rng.integers(0, count, n)
    other = np.random.default_rng(seed + 1)
    prob = other.dirichlet(np.ones(count), n)
    prob += np.eye(count)[truth] * np.where(quality == 0, 2 * lucky, lucky / 2)[:, None]
    prob /= prob.sum(-1, keepdims=True)
    directory.mkdir(parents=True)
    rows = judge.rows_from_outputs(
        {"p_diagnosis": prob},
        path=[""] * n,
        id=[f"e{i:02d}" for i in range(n)],
        diagnosis=classes,
        thresholds=Thresholds(),
        model="m",
        truth={"quality": quality, "diagnosis": truth},
    )
    path = directory / "predictions_test.csv"
    schema.write_csv(path, rows, schema.columns((), classes, truth=True))
    return path, quality, truth, prob


def test_groups_of_quality(tmp_path):
    path, quality, truth, _ = write(tmp_path / "one")
    run = join("one", [path])
    assert set(run.prob) == {"diagnosis", "hq_diagnosis", "lq_diagnosis"}
    np.testing.assert_array_equal(run.truth["hq_diagnosis"], np.where(quality == 0, truth, -1))
    np.testing.assert_array_equal(run.truth["lq_diagnosis"], np.where(quality > 0, truth, -1))
    assert by_quality({"diagnosis": truth}) == {}
    two = by_quality({"ungradable": np.array([0, 1, -1])})
    assert two["hq"].tolist() == [True, False, False]
    assert two["lq"].tolist() == [False, True, False]


def test_compared_by_quality(tmp_path):
    path, quality, truth, prob = write(tmp_path / "one")
    files = {"one": [path], "two": [write(tmp_path / "two", 1, lucky=1.5)[0]]}
    wanted = ("diagnosis_accuracy", "hq_diagnosis_accuracy", "lq_diagnosis_auroc_ovo")
    found = comparison.table(files, wanted, "one").rows
    assert [row["head"] for row in found[:3]] == ["diagnosis", "hq_diagnosis", "lq_diagnosis"]
    hit = prob.argmax(-1) == truth
    assert found[0]["value"] == pytest.approx(hit.mean())
    assert found[1]["value"] == pytest.approx(hit[quality == 0].mean())
    assert found[1]["n"] == (quality == 0).sum()
    low = quality > 0
    want = roc_auc_score(truth[low], prob[low], multi_class="ovo", average="macro")
    assert found[2]["value"] == pytest.approx(want)
    assert found[3]["difference"] > 0
    assert np.isfinite([row["p"] for row in found[3:]]).all()


def test_two_classes(tmp_path):
    """COVID-CT's: compared and swept by the probability of the second."""
    path, quality, truth, prob = write(tmp_path / "one", classes=("no", "yes"))
    wanted = ("diagnosis_auroc", "hq_diagnosis_auroc", "diagnosis_f1_yes", "diagnosis_auroc_hard")
    found = {
        (r["head"], r["metric"]): r["value"]
        for r in comparison.table({"one": [path]}, wanted, "one").rows
    }
    good = quality == 0
    assert found["diagnosis", "auroc"] == pytest.approx(roc_auc_score(truth, prob[:, 1]), abs=1e-5)
    assert found["hq_diagnosis", "auroc"] == pytest.approx(
        roc_auc_score(truth[good], prob[good, 1]), abs=1e-5
    )
    assert found["diagnosis", "auroc_hard"] == pytest.approx(
        roc_auc_score(truth, prob.argmax(1)), abs=1e-5
    )
    assert found["diagnosis", "f1_yes"] == pytest.approx(f1_score(truth, prob.argmax(1)), abs=1e-5)
    swept = prior_sweep.values(join("one", [path]), (0.0,))
    assert swept["auroc"][0] == pytest.approx(found["hq_diagnosis", "auroc"], abs=1e-5)


def test_a_sweep_passes_through_the_groups(tmp_path):
    path, quality, truth, prob = write(tmp_path / "one")
    got = prior_sweep.values(join("one", [path]), (0.0, 0.25, 1.0))
    hit = prob.argmax(-1) == truth
    high, low = hit[quality == 0].mean(), hit[quality > 0].mean()
    np.testing.assert_allclose(got["accuracy"], [high, 0.75 * high + 0.25 * low, low])
    for name, rows in (("hq", quality == 0), ("lq", quality > 0)):
        alone = metrics.scores(truth[rows], prob[rows], DR).values
        at = 0 if name == "hq" else 2
        assert got["macro_f1"][at] == pytest.approx(alone["macro_f1"])
        assert got["auroc"][at] == pytest.approx(alone["auroc"])
    # At the share that the photographs have, nothing is changed.
    same = prior_sweep.values(join("one", [path]), (float((quality > 0).mean()),))
    whole = metrics.scores(truth, prob, DR).values
    assert same["auroc"][0] == pytest.approx(whole["auroc"])
    assert same["macro_f1"][0] == pytest.approx(whole["macro_f1"])


def test_sweep_section_and_what_it_refuses(tmp_path):
    files = {"one": [write(tmp_path / "one")[0]], "two": [write(tmp_path / "two", 1)[0]]}
    section = prior_sweep.section(files, (0.0, 0.5, 1.0))
    tables = [item for item in section.items if hasattr(item, "rows")]
    assert [row[0] for row in tables[0].rows] == ["one", "two"]
    assert tables[0].head == ("stage", "0% low", "50% low", "100% low")
    low = np.array([True, False])
    np.testing.assert_array_equal(prior_sweep.weights(low, (0.0, 0.25)), [[0, 2], [0.5, 1.5]])
    with pytest.raises(ValueError, match=r"lie in \[0, 1\], not \(1.5,\)"):
        prior_sweep.weights(low, (1.5,))
    with pytest.raises(ValueError, match="0 photographs of low and 2 of high quality"):
        prior_sweep.weights(np.zeros(2, bool), (0.5,))
    text = files["one"][0].read_text().replace("true_quality", "true_something")
    files["one"][0].write_text(text)
    with pytest.raises(ValueError, match="'one' has no diagnosis, or its photographs no known"):
        prior_sweep.section(files, (0.5,))


def test_area_by_pairs_is_scikit_learns_and_undefined_without_a_class():
    rng = np.random.default_rng(0)
    truth, prob = rng.integers(0, 3, 80), rng.dirichlet(np.ones(3), 80)
    got = metrics.scores(truth, prob, DR).values["auroc_ovo"]
    assert got == pytest.approx(roc_auc_score(truth, prob, multi_class="ovo", average="macro"))
    once = bootstrap.weighted_scores(truth, prob, np.ones((1, 80)), DR)["auroc_ovo"]
    assert once[0] == pytest.approx(got, abs=1e-12)
    some = truth < 2
    assert np.isnan(metrics.scores(truth[some], prob[some], DR).values["auroc_ovo"])
    none = bootstrap.weighted_scores(truth[:1], prob[:1], np.ones((2, 1)), DR)
    assert np.isnan(none["auroc_ovo"]).all()


def test_area_of_hard_predictions():
    rng = np.random.default_rng(0)
    truth, prob = rng.integers(0, 2, 50), rng.random(50)
    got = metrics.scores(truth, prob, ("well", "ill")).values["auroc_hard"]
    assert got == pytest.approx(roc_auc_score(truth, prob >= 0.5))


def test_components_find_the_plane_that_points_lie_in():
    rng = np.random.default_rng(0)
    plane, turn = rng.normal(size=(50, 2)) * (3, 1), np.linalg.qr(rng.normal(size=(6, 6)))[0]
    points, share = fit_embedding.components(plane @ turn[:2])
    assert share.sum() == pytest.approx(1)
    for k in range(2):
        assert abs(np.corrcoef(points[:, k], plane[:, k])[0, 1]) > 0.95
    np.testing.assert_allclose(points.std(0, ddof=1), 1)


def job(directory):
    config = type("C", (), {"split": "test", "of": "seen"})()
    return Job("shown", "fit", config, 0, 0, 1, "", directory, {})


def test_pictures_of_a_stage(tmp_path):
    write(tmp_path / "seen")
    ids = np.array([f"e{i:02d}" for i in epoch_permutation(0, 0, 60)])  # another order
    features = np.random.default_rng(0).normal(size=(60, 5))
    np.savez(tmp_path / "seen" / "outputs.npz", id=ids, embedding=features)
    lines = ["id,conflict", *(f"{i},{-0.5 if k < 15 else 0.5}" for k, i in enumerate(ids))]
    (tmp_path / "seen" / "rows_test.csv").write_text("\n".join([*lines[:-1], f"{ids[-1]},nan"]))
    (tmp_path / "shown").mkdir()
    facts = fit_embedding.pictures(job(tmp_path / "shown"), tmp_path / "seen")
    assert facts["conflicting"] == pytest.approx(15 / 59)
    assert sorted(p.name for p in (tmp_path / "shown").iterdir()) == [
        "conflict.png",
        "embedding.png",
        "section.json",
    ]
    np.savez(tmp_path / "seen" / "outputs.npz", id=ids)
    with pytest.raises(RecipeError, match="'seen' stored no embedding"):
        fit_embedding.pictures(job(tmp_path / "shown"), tmp_path / "seen")
