"""The downstream benchmark: tables of scores in, numbers out; what is refused."""

import re

import downstream_tables
import numpy as np
import pytest
from downstream_tables import COUNT, rows, run, save, table
from PIL import Image
from sklearn.metrics import roc_auc_score

folder = downstream_tables.folder  # the fixture


def test_from_tables_to_numbers(folder, capsys):
    out, png = folder / "out.csv", folder / "curves.png"
    scores = ("s=scores.csv", "grade=scores.csv:quality", "turned=scores.csv:-score")
    more = ("--output", str(out), "--picture", str(png), "--rates", "0.3,0")
    assert run(folder, *more, scores=scores) == 0
    text = capsys.readouterr().out
    assert "30 photographs of 15 patients; no DR 10, NPDR 10, PDR 10" in text
    found = table(out)
    _, truth, prob = rows()
    wrong = prob.argmax(-1) != truth
    score = np.arange(COUNT) % 7 / 8
    found_turned = float(found["turned", "accuracy", "0.3"]["value"])
    for name, order, got in (
        ("s", score, float(found["s", "accuracy", "0.3"]["value"])),
        ("turned", -score, found_turned),
    ):
        last = np.sort(order)[20]  # 21 of 30 stay, 4 or 5 have the same score
        sure, tied = order < last, order == last
        share = (21 - sure.sum()) / tied.sum()
        right = (~wrong)[sure].sum() + share * (~wrong)[tied].sum()
        assert got == pytest.approx(right / 21), name
    area = roc_auc_score(truth, prob, multi_class="ovr")
    assert float(found["grade", "auroc", "0.0"]["value"]) == pytest.approx(area, abs=1e-6)
    assert float(found["random", "aurc", ""]["value"]) == pytest.approx(wrong.mean())
    assert float(found["oracle", "e_aurc", ""]["value"]) == pytest.approx(0, abs=1e-12)
    for name in ("s", "grade", "turned", "confidence", "random"):
        excess = float(found[name, "e_aurc", ""]["value"])
        best = float(found["oracle", "aurc", ""]["value"])
        assert excess == pytest.approx(float(found[name, "aurc", ""]["value"]) - best)
    gap = found["turned", "accuracy", "0.3"]["gap"]
    first = float(found["s", "accuracy", "0.3"]["value"])
    assert float(gap) == pytest.approx(first - found_turned)
    assert found["s", "aurc", ""]["gap"] == ""
    whole = float(found["s", "curve error_rate", "0.0"]["value"])
    assert whole == pytest.approx(wrong.mean())
    with Image.open(png) as picture:
        assert picture.width > 1000


def test_confidence_rejects_the_least_sure_first(folder):
    assert run(folder, "--output", str(folder / "o.csv"), "--rates", "0.5") == 0
    _, truth, prob = rows()
    sure = np.argsort(-prob.max(-1))[:15]
    want = (prob.argmax(-1) == truth)[sure].mean()
    found = table(folder / "o.csv")["confidence", "accuracy", "0.5"]
    assert float(found["value"]) == pytest.approx(want)


def test_a_plain_table_gives_the_same(folder, capsys):
    assert run(folder) == 0
    ours = capsys.readouterr().out
    classes = "no DR=none,NPDR,PDR=proliferative"
    more = ["--labels", str(folder / "labels.csv"), "--truth", "level", "--classes", classes]
    more += ["--id", "image", "--patient-pattern", r"^(\d+)_"]
    assert run(folder, *more, diagnosis="plain.csv") == 0
    theirs = capsys.readouterr().out
    assert ours[ours.index("30 photographs of") :] == theirs[theirs.index("30 photographs of") :]


def test_out_of_scope_is_rejected_first(folder, capsys):
    ids, truth, prob = rows()
    right = prob.argmax(-1) == truth
    strange = np.flatnonzero(right)[:3]
    body = [
        [n, "" if i in strange else 0.5, "out_of_scope" if i in strange else "ok"]
        for i, n in enumerate(ids)
    ]
    save(folder / "scope.csv", ["id", "score", "status"], body)
    more = ("--rates", "0.1", "--output", str(folder / "o.csv"))
    assert run(folder, *more, scores=("s=scope.csv",)) == 0
    assert "s: 3 out of scope, rejected first" in capsys.readouterr().out
    found = table(folder / "o.csv")["s", "accuracy", "0.1"]
    assert float(found["value"]) == pytest.approx((right.sum() - 3) / 27)


def test_missing_ones_are_left_out_of_all(folder, capsys):
    lines = (folder / "scores.csv").read_text().splitlines()
    (folder / "few.csv").write_text("\n".join(lines[:-4]) + "\n")
    scores = ("s=scores.csv", "few=few.csv")
    assert run(folder, scores=scores) == 1
    told = capsys.readouterr()
    assert "few.csv: no row with id '13_left.jpeg'" in told.err
    assert not told.out
    assert run(folder, "--allow-missing", scores=scores) == 0
    text = capsys.readouterr().out
    assert "few: no score for 4, left out of all scores" in text
    assert "26 photographs of 13 patients" in text


# What is refused: one line that names the file and the photograph, and nothing is written.


def changed(folder, old, new, file="scores.csv", count=1):
    text = (folder / file).read_text()
    assert re.search(old, text)
    (folder / file).write_text(re.sub(old, new, text, count=count))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (r"03_left,[^,]*,", "03_left,,", r"03_left.*column 'score' is empty"),
        (r"03_left,[^,]*,", "03_left,inf,", r"03_left.*column 'score' is empty or no number"),
        (r"03_left,[^,]*,", "03_left,blurred,", r"line 8, column 'score': 'blurred' is neither"),
        (r"03_left,", "02_left,", r"line 8: id '02_left' stands there before"),
        (r"03_left,", "other,", r"no row with id '03_left.jpeg'"),
        (r"(03_left.*)ok", r"\1error", r"id '03_left.jpeg': status 'error'"),
        (r"score", "points", r"no column 'score'; there are .*'points'.*NAME=FILE:COLUMN"),
        (r"id,", "name,", r"no column 'id'; name it with"),
    ],
)
def test_refused_scores(folder, capsys, old, new, told):
    changed(folder, old, new)
    out = folder / "out.csv"
    assert run(folder, "--output", str(out)) == 1
    err = capsys.readouterr().err
    assert "scores.csv" in err
    assert re.search(told, err)
    assert err.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (r"01_left.jpeg", "00_left.jpeg", r"id '00_left.jpeg' stands in more than one row"),
        (r",(NPDR|PDR)(?=\n)", ",no DR", r"of one class, 'no DR'"),
        (r"00_left(.*?)ok,,,,,,,,[^,]*,", r"00_left\1ok,,,,,,,,,", r"id '00_left.jpeg': a prob"),
        (r"true_diagnosis", "class", r"no column true_diagnosis; name the true class with --truth"),
    ],
)
def test_refused_diagnoses(folder, capsys, old, new, told):
    changed(folder, old, new, "diagnosis.csv", count=0)
    assert run(folder) == 1
    err = capsys.readouterr().err
    assert re.search(told, err)
    assert err.count("\n") == 1


def test_a_plain_table_needs_its_classes(folder, capsys):
    assert run(folder, "--id", "image", diagnosis="plain.csv") == 1
    told = "plain.csv: no probabilities of a diagnosis; expected p_diagnosis_<name> columns, or"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--rates", "0,1"], "--rates '0,1': expected shares from 0 to less than 1"),
        (["--rates", "few"], "--rates 'few': expected"),
        (["--draws", "0"], "--draws 0: expected 1 or more"),
        (["--picture", "curves.pdf"], "expected the name of a .png file"),
        (["--score", "x"], "--score 'x': expected NAME=FILE or NAME=FILE:COLUMN"),
        (["--score", "x=no.csv"], "no.csv: there is no such file"),
        (["--maps", "x"], "--maps 'x': expected NAME=DIR"),
        (["--maps", "x=no"], "predictions.csv: there is no such file"),
        (["--truth", "level"], "no column 'level'; name it with --truth"),
    ],
)
def test_refused_flags(folder, capsys, more, told):
    assert run(folder, *more) == 1
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ((), "no scores; give --score"),
        (("a=scores.csv", "a=scores.csv"), "'a' is given twice"),
        (("oracle=scores.csv",), "'oracle' is built in"),
    ],
)
def test_refused_names(folder, capsys, scores, told):
    assert run(folder, scores=scores) == 1
    assert told in capsys.readouterr().err
