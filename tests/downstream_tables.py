"""Tables of diagnoses and scores of 30 photographs, for the downstream benchmark."""

import csv

import numpy as np
import pytest

from fiqa_jax.benchmark import __main__ as benchmark
from fiqa_jax.predictions import schema
from input_pipeline import atomic

NAMES = ("no DR", "NPDR", "PDR")
COUNT = 30


def rows():
    """Diagnoses of 30 photographs of 15 people."""
    rng = np.random.default_rng(0)
    truth = np.arange(COUNT) % 3
    prob = rng.dirichlet(np.ones(3), COUNT) + 0.4 * np.eye(3)[truth]
    prob /= prob.sum(-1, keepdims=True)
    return [f"{i // 2:02d}_{('left', 'right')[i % 2]}" for i in range(COUNT)], truth, prob


def save(file, header, body):
    atomic.write_csv(file, header, body)
    return file


@pytest.fixture
def folder(tmp_path):
    """A prediction file, the same as a plain table with labels apart, and scores."""
    ids, truth, prob = rows()
    columns = schema.columns((), NAMES, truth=True)
    made = []
    for i, name in enumerate(ids):
        row = {"id": f"{name}.jpeg", "patient": name[:2], "status": "ok", "schema": 1}
        row |= {f"p_diagnosis_{n}": float(p) for n, p in zip(NAMES, prob[i], strict=True)}
        made.append(row | {"true_diagnosis": NAMES[truth[i]]})
    schema.write_csv(tmp_path / "diagnosis.csv", made, columns)
    plain = [[name, *p] for name, p in zip(ids, prob.tolist(), strict=True)]
    save(tmp_path / "plain.csv", ["Image", "none", "p_NPDR", "proliferative"], plain)
    labels = [[f"a/{name}.png", t] for name, t in zip(ids, truth.tolist(), strict=True)]
    save(tmp_path / "labels.csv", ["image", "level"], labels[::-1])
    grades = ["good", "usable", "reject"]
    rng = np.random.default_rng(1)
    body = [[name, i % 7 / 8, grades[rng.integers(3)], "ok"] for i, name in enumerate(ids)]
    save(tmp_path / "scores.csv", ["id", "score", "quality", "status"], body)
    return tmp_path


def run(folder, *more, diagnosis="diagnosis.csv", scores=("s=scores.csv",)):
    given = []
    for text in scores:
        name, _, place = text.partition("=")
        given += ["--score", f"{name}={folder / place}"]
    file = ["--diagnosis", str(folder / diagnosis)]
    return benchmark.main(["downstream", *file, *given, "--draws", "60", *more])


def table(file):
    with file.open(newline="") as f:
        return {(r["score"], r["metric"], r["rejected"]): r for r in csv.DictReader(f)}
