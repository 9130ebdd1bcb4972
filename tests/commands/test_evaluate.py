"""The evaluate command: published figures, its own files, comparison and errors."""

import json
import subprocess
import sys

import numpy as np
import pytest

from fiqa_jax import evaluate
from fiqa_jax.predictions import rows as judge
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.triage import Thresholds


def own_file(path, seed=0, skill=1.0, n=60):
    rng = np.random.default_rng(seed)
    quality = np.arange(n) % 3
    prob = rng.dirichlet(np.ones(3), n) + skill * np.eye(3)[quality]
    details = np.stack([np.arange(n) % 2, np.arange(n) // 2 % 2], -1)
    rows = judge.rows_from_outputs(
        {
            "p_quality": prob / prob.sum(-1, keepdims=True),
            "p_details": np.clip(rng.random((n, 2)) * 0.6 + 0.4 * details, 0, 1),
        },
        path=[""] * n,
        id=[f"i{k}" for k in range(n)],
        patient=[f"p{k // 2}" for k in range(n)],
        details=("clarity", "contrast"),
        thresholds=Thresholds(),
        model="m",
        truth={"quality": quality, "details": details},
    )
    schema.write_csv(path, rows, list(rows[0]))
    return str(path)


def value(text, metric):
    line = next(line for line in text.splitlines() if line.startswith(metric + " "))
    return float(line.split()[1])


def test_own_evaluation_file_needs_no_labels(tmp_path, capsys):
    path = own_file(tmp_path / "p.csv")
    assert evaluate.main(["--predictions", path, "--draws", "50"]) == 0
    text = capsys.readouterr().out
    assert "quality: 60 photographs of 30 patients" in text
    assert "clarity: 60 photographs" in text
    assert "95 % interval, patients resampled" in text


def test_compare_margin_holm_and_json(tmp_path, capsys):
    one = own_file(tmp_path / "one.csv", 0, 3.0)
    two = own_file(tmp_path / "two.csv", 1, 0.1)
    target = tmp_path / "m.json"
    argv = ["--predictions", one, "--compare", two, "--draws", "100", "--margin", "0.03"]
    assert evaluate.main([*argv, "--json", str(target)]) == 0
    text = capsys.readouterr().out
    after = text.split(" minus ")[1]
    accuracy = next(line for line in after.splitlines() if line.startswith("accuracy"))
    assert accuracy.endswith("margin 0.03: not inferior")
    assert "McNemar" in after
    assert "DeLong: AUROC of reject" in after
    assert "photographs taken as independent" in after
    assert "Holm over the details' macro-F1: p clarity" in after
    stored = json.loads(target.read_text())
    assert stored["heads"]["quality"]["scores"]["values"]["accuracy"] == pytest.approx(
        value(text, "accuracy"), abs=1e-4
    )
    assert stored["compared"]["quality"]["differences"]["accuracy"]["low"] > 0
    assert [file.name for file in tmp_path.glob("*.part")] == []


def test_foreign_files_by_flags(tmp_path, capsys):
    p = tmp_path / "p.csv"
    p.write_text("name,g,u,r\na_1.png,0.8,0.1,0.1\na_2.png,0.1,0.1,0.8\nb_1.png,0.2,0.7,0.1\n")
    t = tmp_path / "t.csv"
    t.write_text("name;grade\na_1;3\na_2;1\nb_1;1\n")
    argv = ["--predictions", str(p), "--labels", str(t), "--id", "name", "--draws", "0"]
    argv += [
        "--prob-columns",
        "g,u,r",
        "--truth-column",
        "grade",
        "--codes",
        "1=reject,2=usable,3=good",
    ]
    assert evaluate.main([*argv, "--patient-pattern", "^(.)_"]) == 0
    text = capsys.readouterr().out
    assert "quality: 3 photographs of 2 patients" in text
    assert value(text, "accuracy") == 0.6667
    counts = tmp_path / "train.csv"
    counts.write_text("name,grade\nx,1\ny,2\nz,3\n")
    argv += ["--prior_correction", "1", "--train_labels", str(counts)]
    assert evaluate.main(argv) == 0
    assert "to the power 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "match"),
    [
        (["--labels", "none.csv"], "none.csv"),
        (["--prior-correction", "1"], "give --train-labels"),
        (["--compare", "own", "--draws", "0"], "--compare needs draws"),
        (["--codes", "0"], "--codes '0': expected NAME=VALUE"),
        (["--prob-columns", "a,b"], "expected GOOD,USABLE,REJECT"),
    ],
)
def test_errors_are_one_line_and_write_nothing(tmp_path, capsys, argv, match):
    path = own_file(tmp_path / "p.csv")
    argv = [path if one == "own" else one for one in argv]
    target = tmp_path / "m.json"
    assert evaluate.main(["--predictions", path, "--json", str(target), *argv]) == 1
    got = capsys.readouterr()
    assert got.err.startswith("evaluate: ")
    assert match in got.err
    assert got.err.count("\n") == 1
    assert not target.exists()


def test_predictions_without_labels(tmp_path, capsys):
    rows = judge.rows_from_outputs(
        {"p_ungradable": np.array([0.2])}, path=["a"], id=["a"], thresholds=Thresholds(), model="m"
    )
    path = tmp_path / "p.csv"
    schema.write_csv(path, rows, list(rows[0]))
    assert evaluate.main(["--predictions", str(path)]) == 1
    assert "holds no true labels; give a label file with --labels" in capsys.readouterr().err


def test_help_loads_no_framework():
    code = (
        "import sys\n"
        "from fiqa_jax import evaluate\n"
        "try: evaluate.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'jax', 'tensorflow', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--prob-columns" in done.stdout


PUBLISHED = {
    "accuracy": 0.8800,
    "macro_f1": 0.8606,
    "auroc": 0.9588,
    "kappa": 0.802,
    "quadratic_kappa": 0.896,
    "f1_good": 0.935,
    "f1_usable": 0.783,
    "f1_reject": 0.864,
    "weighted_f1": 0.878,
}


def test_mcfnet_on_eyeq_as_published(shared_data, tmp_path, capsys):
    folder = shared_data / "labels" / "eyeq"
    argv = ["--predictions", str(folder / "mcfnet_predictions.csv"), "--draws", "0"]
    argv += ["--labels", str(folder / "Label_EyeQ_test.csv"), "--format", "eyeq"]
    assert evaluate.main([*argv, "--json", str(tmp_path / "m.json")]) == 0
    text = capsys.readouterr().out
    values = json.loads((tmp_path / "m.json").read_text())["heads"]["quality"]["scores"]["values"]
    for metric, number in PUBLISHED.items():
        digits = 4 if metric in ("accuracy", "macro_f1", "auroc") else 3
        assert round(values[metric], digits) == number, metric
    assert "rows of p_quality sum to 0.668 ... 1.160: each divided by its sum" in text
    assert "16,249 photographs of 12,048 patients" in text
    matrix = [line.split()[1:] for line in text.splitlines()[-3:]]
    assert matrix == [["8086", "380", "5"], ["691", "3420", "447"], ["47", "380", "2793"]]
    # The published training counts stand in where no training labels are given.
    train = ["--train-labels", str(folder / "Label_EyeQ_train.csv")]
    for extra in ([], train):
        assert evaluate.main([*argv, "--prior-correction", "1.0", *extra]) == 0
        text = capsys.readouterr().out
        assert (value(text, "macro_f1"), value(text, "accuracy")) == (0.8651, 0.8827)


def test_mcfnet_on_eyeq_d(shared_data, capsys):
    """Accuracy .9125 and macro-F1 .912 on the 160 images (spec, section 6), codes reversed."""
    folder = shared_data / "labels"
    argv = ["--predictions", str(folder / "eyeq" / "mcfnet_predictions.csv"), "--draws", "0"]
    argv += ["--labels", str(folder / "eyeq_d" / "EyeQ-D-Quality-Details.csv")]
    argv += ["--format", "eyeq_d", "--id", "image_name", "--label-columns", "id=file_name"]
    argv += ["--prob-columns", "Good,Usable,Reject"]
    assert evaluate.main(argv) == 1
    assert "16,089 of 16,249 predictions have no label" in capsys.readouterr().err
    assert evaluate.main([*argv, "--allow-missing"]) == 0
    text = capsys.readouterr().out
    assert (value(text, "accuracy"), round(value(text, "macro_f1"), 3)) == (0.9125, 0.912)


def test_a_score_without_probabilities_is_held_against_labels(tmp_path, capsys):
    """Of 3 bad and 4 good photographs one pair of the twelve is the wrong way round: 11/12."""
    score, bad = [0.1, 0.2, 0.3, 0.6, 0.5, 0.7, 0.9], [0, 0, 0, 0, 1, 1, 1]
    lines = ["id,status,score", *(f"i{k},ok,{s}" for k, s in enumerate(score))]
    (tmp_path / "p.csv").write_text("\n".join(lines) + "\n")
    lines = ["id,grade", *(f"i{k},{'bad' if b else 'good'}" for k, b in enumerate(bad))]
    (tmp_path / "l.csv").write_text("\n".join(lines) + "\n")
    files = ["--predictions", str(tmp_path / "p.csv"), "--labels", str(tmp_path / "l.csv")]
    codes = ["--truth-column", "grade", "--codes", "good=gradable,bad=ungradable"]
    assert evaluate.main([*files, *codes]) == 0
    assert "7 photographs held out" in (told := capsys.readouterr().out)
    assert "AUROC of 0.917 [" in told
