"""Splits by patient: disjoint, stratified, independent of the order of rows."""

import dataclasses

import numpy as np
import pytest

from input_pipeline.sources import splits
from input_pipeline.tables.examples import Table, strings, take
from input_pipeline.tables.table_error import TableError


def a_table(n_patients=200, seed=0, share=(0.6, 0.3, 0.1), split=None):
    """Patients with 1-4 photographs, whose grade mostly follows the patient."""
    rng = np.random.default_rng(seed)
    patients, quality = [], []
    for patient in range(n_patients):
        grade = rng.choice(3, p=share)
        for _ in range(rng.integers(1, 5)):
            patients.append(f"p{patient:04d}")
            quality.append(grade if rng.random() < 0.8 else rng.choice(3, p=share))
    n = len(patients)
    ids = strings([f"image{i}" for i in range(n)])
    return Table(
        id=ids,
        patient=strings(patients),
        split=strings(split or [""] * n),
        labels={"quality": np.array(quality, np.int32)},
        quality_names=("good", "usable", "reject"),
        detail_names=(),
        diagnosis_names=(),
        path=ids,
    )


def shares_of(table, split):
    """[split, class] share of each class's rows."""
    quality = table.labels["quality"]
    counts = np.array(
        [
            [np.sum((split == name) & (quality == c)) for c in range(3)]
            for name in ("train", "val", "test")
        ]
    )
    return counts / counts.sum(axis=0)


def test_patients_are_disjoint_and_every_row_is_in_a_split():
    table = a_table()
    split = splits.assign(table, (0.7, 0.1, 0.2), seed=3)
    for patient in np.unique(table.patient):
        assert len(set(split[table.patient == patient])) == 1
    assert set(split) == {"train", "val", "test"}


def test_every_class_is_shared_out_as_asked():
    table = a_table()
    got = shares_of(table, splits.assign(table, (0.7, 0.1, 0.2), seed=0))
    expected = np.array([[0.7], [0.1], [0.2]])
    np.testing.assert_allclose(got, np.broadcast_to(expected, (3, 3)), atol=0.04)


def test_stratifying_beats_chance():
    table = a_table(60)
    target = np.array([[0.7], [0.1], [0.2]])
    ours = [
        np.abs(shares_of(table, splits.assign(table, (0.7, 0.1, 0.2), seed=s)) - target).mean()
        for s in range(10)
    ]
    rng = np.random.default_rng(0)
    names, of = np.unique(table.patient, return_inverse=True)
    chance = [
        np.abs(
            shares_of(table, rng.choice(["train", "val", "test"], len(names), p=target[:, 0])[of])
            - target
        ).mean()
        for _ in range(10)
    ]
    assert np.mean(ours) < 0.3 * np.mean(chance)


def test_the_order_of_rows_does_not_matter_but_the_seed_does():
    table = a_table()
    shuffled = np.random.default_rng(1).permutation(len(table))
    split = splits.assign(table, (0.7, 0.1, 0.2), seed=5)
    other = splits.assign(take(table, shuffled), (0.7, 0.1, 0.2), seed=5)
    np.testing.assert_array_equal(split[shuffled], other)
    assert (splits.assign(table, (0.7, 0.1, 0.2), seed=6) != split).any()


def test_folds_test_every_patient_once_and_never_train_on_them():
    table = a_table(57)
    tested = np.zeros(len(table), int)
    for fold in range(5):
        split = splits.assign(table, (0.7, 0.1, 0.2), seed=2, folds=5, fold=fold)
        splits.check(table.patient, split)
        tested += split == "test"
        share = (split == "val").sum() / (split != "test").sum()
        assert share == pytest.approx(0.1 / 0.8, abs=0.04)
    np.testing.assert_array_equal(tested, 1)


def test_folds_are_as_even_as_scikit_learns():
    from sklearn.model_selection import StratifiedGroupKFold

    ours, theirs = [], []
    for seed in range(8):
        table = a_table(80, seed)
        quality = table.labels["quality"]
        total = np.bincount(quality, minlength=3)

        def unevenness(rows, quality=quality, total=total):
            return np.abs(np.bincount(quality[rows], minlength=3) / total - 0.2).mean()

        for fold in range(5):
            split = splits.assign(table, (0.8, 0.2, 0.0), seed, folds=5, fold=fold)
            ours.append(unevenness(split == "test"))
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        theirs += [unevenness(t) for _, t in folds.split(quality, quality, table.patient)]
    assert np.mean(ours) <= 1.1 * np.mean(theirs)


def test_splits_of_the_table_are_kept_and_val_is_taken_from_train():
    table = a_table()
    given = np.where(np.arange(len(table)) % 7 == 0, "test", "train")
    by_patient = {p: given[table.patient == p][0] for p in np.unique(table.patient)}
    given = strings([by_patient[p] for p in table.patient])
    table = dataclasses.replace(table, split=given)
    split = splits.assign(table, (0.7, 0.1, 0.2), seed=0)
    np.testing.assert_array_equal(split == "test", given == "test")
    splits.check(table.patient, split)
    share = (split == "val").sum() / (split != "test").sum()
    assert share == pytest.approx(0.1 / 0.8, abs=0.02)


def test_complete_splits_and_rows_in_none_are_kept_as_they_are():
    table = a_table(4)
    names = dict(zip(np.unique(table.patient), ["train", "val", "test", ""], strict=True))
    given = strings([names[p] for p in table.patient])
    got = splits.assign(dataclasses.replace(table, split=given), (0.7, 0.1, 0.2), seed=0)
    np.testing.assert_array_equal(got, given)


def test_without_labels_patients_are_shared_out_by_their_photographs():
    table = dataclasses.replace(a_table(), labels={})
    split = splits.assign(table, (0.5, 0.25, 0.25), seed=0)
    got = [(split == name).mean() for name in ("train", "val", "test")]
    np.testing.assert_allclose(got, [0.5, 0.25, 0.25], atol=0.02)


def test_as_few_patients_as_splits_fill_each_of_them():
    table = a_table(3)
    assert set(splits.assign(table, (0.9, 0.05, 0.05), seed=0)) == {"train", "val", "test"}


def test_no_test_split_where_none_is_asked_for():
    assert set(splits.assign(a_table(), (0.8, 0.2, 0.0), seed=0)) == {"train", "val"}


def test_a_patient_in_two_splits_is_named():
    table = a_table(5)
    with pytest.raises(TableError, match=r"1 patients .* 'p0001' in test \(row \d+\), train"):
        splits.check(strings(["p0001", "p0001", "p0002"]), strings(["train", "test", "train"]))
    mixed = strings(["train", "test"] * len(table))[: len(table)]
    with pytest.raises(TableError, match="more than one split"):
        splits.assign(dataclasses.replace(table, split=mixed), (0.7, 0.1, 0.2), seed=0)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"shares": (0.5, 0.1, 0.1)}, ValueError, "sum to 1"),
        ({"shares": (0.0, 0.5, 0.5)}, ValueError, "train above 0"),
        ({"shares": (0.5, 0.5)}, ValueError, "train, val, test"),
        ({"folds": 3, "fold": 3}, ValueError, "does not exist"),
        ({"folds": 50}, TableError, "50 folds were asked for, but there are 20 patients"),
    ],
)
def test_errors(kwargs, error, message):
    settings = {"shares": (0.7, 0.1, 0.2), "seed": 0} | kwargs
    with pytest.raises(error, match=message):
        splits.assign(a_table(20), **settings)


def test_folds_of_a_table_with_splits_are_refused():
    table = a_table(20)
    table = dataclasses.replace(table, split=strings(["train"] * len(table)))
    with pytest.raises(TableError, match="brings its own splits"):
        splits.assign(table, (0.7, 0.1, 0.2), seed=0, folds=5)
