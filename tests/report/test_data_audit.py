"""Leakage, copies, counts and clashing labels, on tables made by hand."""

import dataclasses

import dummy_sets
import numpy as np
import pytest

from fiqa_jax import evaluate
from fiqa_jax.report import audit_page, data_audit, findings
from fiqa_jax.report.page import Table as PageTable
from fiqa_jax.report.page import render
from input_pipeline.sources.dataset_source import dataset_source
from input_pipeline.tables.examples import QUALITY, Table, strings


def table(rows, details=None, diagnosis=None):
    """Rows of id, patient, split and quality."""
    ids, patients, split, quality = zip(*rows, strict=True)
    labels = {"quality": np.array(quality, np.int32)}
    names = ()
    if details is not None:
        labels["details"] = np.array(details, np.int8)
        names = ("clarity", "contrast")
    if diagnosis is not None:
        labels["diagnosis"] = np.array(diagnosis, np.int32)
    n = ("none", "some") if diagnosis is not None else ()
    return Table(
        strings(ids), strings(patients), strings(split), labels, QUALITY, names, n, strings(ids)
    )


ROWS = [
    ("1_left", "1", "train", 0),
    ("1_right", "1", "test", 0),
    ("2_left", "2", "train", 2),
    ("3_left", "3", "val", 1),
    ("3_right", "3", "test", 0),
    ("4_left", "4", "test", 2),
]


def shared(found):
    return {(s.what, s.one, s.other): (s.count, s.total, s.photographs) for s in found.shared}


def test_patients_and_eyes_in_two_splits():
    found = data_audit.audit(table(ROWS))
    assert shared(found) == {
        ("patients", "test", "train"): (1, 3, 1),
        ("patients", "test", "val"): (1, 3, 1),
        ("patients", "val", "train"): (0, 1, 0),
        ("eyes", "test", "train"): (0, 3, 0),
        ("eyes", "test", "val"): (0, 3, 0),
        ("eyes", "val", "train"): (0, 1, 0),
    }
    assert found.leaks
    lines = findings.findings(found)
    assert lines[0].startswith("LEAKAGE: 1 of 3 patients in test (33%) are in train as well")
    assert "val and train share no patients" in " ".join(lines)


def test_a_split_of_ones_own():
    split = np.array(["train", "train", "train", "test", "test", ""])
    found = data_audit.audit(table(ROWS), split)
    assert shared(found)["patients", "test", "train"] == (0, 1, 0)
    assert not found.leaks
    assert found.splits["train"]["photographs"] == 3
    assert found.splits["all"]["photographs"] == 1


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("10009_left", "left"),
        ("265_r2", "right"),
        ("a/b/Image_01L.jpg", "left"),
        ("Image_01R", "right"),
        ("p7_OD.png", "right"),
        ("p7-os", "left"),
        ("drimdb_good (1)", ""),
        ("Lateral", ""),
        ("img00001", ""),
    ],
)
def test_eyes_from_names(name, side):
    one = Table(strings([name]), strings(["p"]), strings([""]), {}, (), (), (), strings([name]))
    assert data_audit.eyes(one).tolist() == [f"p {side}" if side else ""]


def test_views_of_an_eye_with_different_labels():
    rows = [
        ("1_l1", "1", "train", 0),
        ("1_l2", "1", "train", 2),
        ("1_r1", "1", "train", 1),
        ("1_r2", "1", "train", 1),
        ("2_l1", "2", "train", 1),
        ("2_l2", "2", "train", -1),
    ]
    found = data_audit.audit(table(rows, diagnosis=[0, 0, 1, 0, 1, 1]))
    eyes = {c.what: (c.count, c.total, c.examples) for c in found.conflicts}
    assert eyes["eyes whose photographs have different grades"] == (1, 2, ("1 left",))
    assert eyes["eyes whose photographs have different diagnoses"] == (1, 3, ("1 right",))


def test_grades_that_do_not_go_with_the_details():
    rows = [(str(i), str(i), "", q) for i, q in enumerate((0, 0, 2, 2, 0, 1))]
    details = [[0, 0], [1, 0], [0, 0], [1, 1], [1, -1], [1, 0]]
    found = data_audit.audit(table(rows, details))
    clash = {c.what: (c.count, c.total, c.examples) for c in found.conflicts}
    assert clash == {
        "best grade, though a detail is a defect": (1, 2, ("1",)),
        "worst grade, though no detail is a defect": (1, 2, ("2",)),
    }


def test_copies_across_splits_come_first():
    pairs = [(0, 2, 0.99), (3, 4, 0.97), (1, 4, 0.96)]
    found = data_audit.audit(table(ROWS), pairs=pairs, failed=2)
    copies = found.copies
    assert copies.pairs == 3
    assert copies.across == {("test", "val"): 1}
    assert copies.patients == 2  # 1 and 2; 1 and 3
    assert copies.labels == 2  # good and reject; usable and good
    assert copies.examples[0] == ("3_left", "3_right", 0.97)
    text = data_audit.text(found)
    assert "LEAKAGE: 1 pairs of alike photographs between test and val" in text
    assert "2 photographs could not be read and were not compared" in text
    assert "no two photographs look the same" in data_audit.text(
        data_audit.audit(table(ROWS), pairs=[])
    )
    assert "were not looked for" in data_audit.text(data_audit.audit(table(ROWS)))


def test_counts_against_the_published():
    published = {"train": {"photographs": 2, "good": 2}, "groups": {"a": 5}}
    found = data_audit.audit(table(ROWS), published=published)
    assert found.counts == (
        ("train", "photographs", 2, 2),
        ("train", "good", 1, 2),
        ("groups", "a", 0, 5),
    )
    assert (
        "COUNTS: 2 of 3 differ from the published: train: good 1 (published 2)"
        in data_audit.text(found)
    )
    met = data_audit.audit(table(ROWS), published={"train": {"photographs": 2}})
    assert "all 1 published counts are met" in data_audit.text(met)


def test_another_set_of_the_same_photographs():
    other = table([("1_left", "1", "test", 0), ("9_left", "9", "test", 0)])
    (overlap,) = data_audit.audit(table(ROWS), others={"eyeq_d": other}).overlaps
    assert overlap.photographs == {"train": 1, "val": 0, "test": 0}
    assert overlap.patients == {"train": 1, "val": 0, "test": 1}
    assert overlap.total == 2


def test_unknown_patients_are_said():
    rows = [("a", "a", "train", 0), ("b", "b", "test", 0)]
    assert "patients are not known" in data_audit.text(data_audit.audit(table(rows)))


def test_the_page_holds_every_finding():
    found = data_audit.audit(
        table(ROWS),
        name="my set",
        published={"train": {"good": 2}},
        pairs=[(3, 4, 0.97)],
        others={"o": table(ROWS[:1])},
    )
    section = audit_page.section(found)
    assert section.opened
    assert section.title == "Audit of my set"
    captions = [item.caption for item in section.items if isinstance(item, PageTable)]
    assert captions == [
        "Photographs, patients and classes",
        "Shared between splits",
        "Photographs that look the same, those in two splits first",
        "Counts against the published ones",
        "Photographs and patients of other sets",
    ]
    html = render("t", "l", [section])
    assert "1 of 3 patients in test (33%)" in html


def test_the_data_of_a_recipe(tmp_path):
    source = dataset_source("eyeq", dummy_sets.write("eyeq", tmp_path), side=64, counts="any")
    found = data_audit.of_source(source)
    assert found.name == "eyeq"
    assert found.copies.pairs == 10  # dummy photographs differ in brightness alone
    assert data_audit.of_source(source, limit=4).copies is None
    nowhere = dataclasses.replace(source.table, path=strings([""] * 5))
    assert data_audit.of_source(dataclasses.replace(source, table=nowhere)).copies is None


def test_the_command_on_a_data_set(tmp_path, capsys):
    dummy_sets.iqad(tmp_path)
    command = ["audit", "--dataset", "iqad/EYEQ", "--manual_dir", str(tmp_path), "--counts", "any"]
    html = tmp_path / "a.html"
    assert evaluate.main([*command, "--lists", "mkcnet", "--html", str(html)]) == 0
    shown = capsys.readouterr().out
    assert "LEAKAGE: 1 of 2 patients in test (50%) are in train as well" in shown
    assert "LEAKAGE" in html.read_text()
    assert evaluate.main(command) == 0
    assert "test and train share no patients" in capsys.readouterr().out


def test_the_command_compares_photographs(tmp_path, capsys):
    dummy_sets.eyeq(tmp_path)
    # dummy photographs differ in brightness alone: all are copies of one another.
    command = ["audit", "--dataset", "eyeq", "--manual_dir", str(tmp_path), "--counts", "any"]
    store = ["--images", "--workers", "1", "--store", str(tmp_path / "store")]
    assert evaluate.main([*command, *store]) == 0
    shown = capsys.readouterr().out
    assert "LEAKAGE: 6 pairs of alike photographs between test and train" in shown
    assert "10 pairs of photographs look the same" in shown
    # Five files, of which two have the same bytes as two others.
    assert len(list((tmp_path / "store").rglob("*.png"))) == 3


def test_the_command_on_a_table(tmp_path, capsys):
    for name in ("a", "b"):
        dummy_sets.photograph(tmp_path / f"{name}.png")
    file = tmp_path / "t.csv"
    dummy_sets.table(
        file, ("path", "split", "quality"), [("a.png", "train", 0), ("b.png", "test", 2)]
    )
    command = ["audit", "--csv", str(file), "--images", "--workers", "1"]
    assert evaluate.main([*command, "--codes", "0=good,2=reject"]) == 0
    shown = capsys.readouterr().out
    assert "1 of them are given as different patients, 1 have different labels" in shown
    assert evaluate.main(command) == 1
    said = capsys.readouterr().err
    assert "numbers have no meaning" in said
    assert "On this command line: --codes 0=good,1=usable,2=reject" in said


def test_a_missing_folder_is_one_line(capsys):
    assert evaluate.main(["audit", "--dataset", "eyeq"]) == 1
    assert "--manual_dir DIR is missing" in capsys.readouterr().err
