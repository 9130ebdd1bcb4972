"""Train, validation and test by patient, stratified by the main label."""

from collections.abc import Sequence

import numpy as np

from input_pipeline.tables.examples import SPLITS, Table, main_label
from input_pipeline.tables.table_error import TableError

_STREAM = 2  # keeps this stream apart from other uses of the same seed


def assign(
    table: Table, shares: Sequence[float], seed: int, folds: int = 1, fold: int = 0
) -> np.ndarray:
    """Puts every patient, with all photographs, into one split.

    Splits that the table brings are kept: where it has training but no validation rows, patients
    move from train to val so that their shares are as asked; rows in no split stay in none. A
    published split that is known to share patients (`Table.shares_patients`) is kept as it is.
    Otherwise patients are dealt out: those with most photographs first, each to the split that then
    stands closest to its share of every class (as scikit-learn's StratifiedGroupKFold does, but
    with unequal shares). With `folds` > 1 the test split is fold number `fold` of as many equal
    ones, and val is taken from the rest.

    The result depends on the patients, their labels and the seed, not on the order of the rows.

    Args:
      table: N photographs.
      shares: of train, val and test; they sum to 1.
      seed: non-negative integer.
      folds: patient-disjoint folds; 1 for a plain split.
      fold: which fold is tested, 0..folds-1.

    Returns:
      [N] str, 'train' | 'val' | 'test' | ''.

    Raises:
      ValueError: shares that do not sum to 1, or no such fold.
      TableError: a patient in two splits, fewer patients than splits, or folds asked of a table
        that brings its own splits.
    """
    want = np.asarray(shares, np.float64)
    if want.shape != (3,) or (want < 0).any() or abs(want.sum() - 1) > 1e-6 or want[0] == 0:
        raise ValueError(
            f"data.split is {tuple(shares)}; expected shares of train, val, test that sum to 1, "
            "with train above 0"
        )
    if folds < 1 or not 0 <= fold < folds:
        raise ValueError(f"fold {fold} of {folds} does not exist; expected 0 <= fold < folds")
    if not table.shares_patients:
        check(table.patient, table.split)
    split = table.split.astype("<U5")
    if (split != "").any():
        if folds > 1:
            raise TableError(
                f"{folds} folds were asked for, but the table brings its own splits; remove its "
                "split column, or set data.folds to 1"
            )
        if "train" in split and "val" not in split and want[1] > 0:
            rows = np.flatnonzero(split == "train")
            pair = want[:2] / want[:2].sum()
            split[rows] = np.array(SPLITS[:2])[_deal(table, rows, pair, seed)]
        return split
    if folds > (patients := len(np.unique(table.patient))):
        raise TableError(
            f"{folds} folds were asked for, but there are {patients} patients; give more, or ask "
            "for fewer folds"
        )
    rows = np.arange(len(table))
    if folds == 1:
        return np.array(SPLITS, "<U5")[_deal(table, rows, want, seed)]
    tested = _deal(table, rows, np.full(folds, 1 / folds), seed) == fold
    split[tested] = "test"
    rest = rows[~tested]
    pair = want[:2] / want[:2].sum()
    split[rest] = np.array(SPLITS[:2])[_deal(table, rest, pair, seed)]
    return split


def check(patient: np.ndarray, split: np.ndarray, lines: Sequence[int] | None = None) -> None:
    """Raises TableError where a patient has photographs in two splits.

    Args:
      patient: [N] str.
      split: [N] str; '' belongs to no split and is not counted.
      lines: [N] line numbers of a file, for the message.
    """
    pairs = np.unique(np.stack([patient, split], axis=1)[split != ""], axis=0)
    names, counts = np.unique(pairs[:, 0], return_counts=True)
    shared = names[counts > 1]
    if len(shared):
        concerned = (patient == shared[0]) & (split != "")
        rows = [
            int(np.flatnonzero(concerned & (split == s))[0]) for s in np.unique(split[concerned])
        ]
        place = "row" if lines is None else "line"
        where = ", ".join(f"{split[r]} ({place} {r if lines is None else lines[r]})" for r in rows)
        raise TableError(
            f"{len(shared)} patients have photographs in more than one split, the first "
            f"{str(shared[0])!r} in {where}; put each patient into one split"
        )


def _deal(table: Table, rows: np.ndarray, shares: np.ndarray, seed: int) -> np.ndarray:
    """Number of the share that each of `rows` falls to: [len(rows)] int64, whole patients."""
    patients, patient = np.unique(table.patient[rows], return_inverse=True)
    label = main_label(table)
    codes = np.zeros(len(rows), np.int64) if label is None else label[rows].astype(np.int64)
    _, column = np.unique(codes, return_inverse=True)
    counts = np.zeros((len(patients), column.max() + 1))
    np.add.at(counts, (patient, column), 1)
    return _greedy(counts, shares, seed)[patient]


def _greedy(counts: np.ndarray, shares: np.ndarray, seed: int) -> np.ndarray:
    """Deals P patients with `counts` [P, classes] to `shares` [S]: [P] int64 numbers of shares."""
    used = np.flatnonzero(shares > 0)
    if len(counts) < len(used):
        raise TableError(
            f"{len(counts)} patients cannot fill {len(used)} splits; expected at least one each"
        )
    entropy = np.random.SeedSequence([seed], spawn_key=(_STREAM,))
    shuffled = np.argsort(np.random.PCG64(entropy).random_raw(len(counts)), kind="stable")
    total = counts.sum(axis=0)
    # Patients who hold much of a class are the hardest to place well: they come first.
    size = np.square(counts / total).sum(axis=1)
    turn = shuffled[np.argsort(-size[shuffled].round(12), kind="stable")]
    target = shares[used, None] * total
    held = np.zeros_like(target)
    members = np.zeros(len(used), np.int64)
    out = np.empty(len(counts), np.int64)
    for place, patient in enumerate(turn):
        # How far each split would be from its target if this patient joined it, less how far it
        # is now, per class relative to the class's size: rare classes weigh as much as common ones.
        gain = np.square(held + counts[patient] - target) - np.square(held - target)
        cost = (gain / (np.square(total) * shares[used, None])).sum(axis=1)
        empty = members == 0
        if empty.sum() >= len(counts) - place:  # the last patients go where there are none yet
            cost = np.where(empty, cost, np.inf)
        best = int(np.argmin(cost.round(12)))
        held[best] += counts[patient]
        members[best] += 1
        out[patient] = used[best]
    return out
