"""The field's public data sets: label files in, tables out, with the published counts checked.

A set is called `name` or `name/variant` everywhere: `eyeq`, `mshf/uwf`, `iqad/EYEQ`.
"""

import dataclasses
import importlib
import os

from input_pipeline.readers.dataset import Counts, Dataset, Labels, Listed, differences, tally
from input_pipeline.readers.tree import Tree, tree
from input_pipeline.tables.table_error import PATH, Setting, TableError

__all__ = [
    "COUNTS",
    "READERS",
    "Counts",
    "Dataset",
    "Labels",
    "Listed",
    "Tree",
    "how_to_get",
    "listed",
    "modality",
    "named",
    "tally",
    "tree",
]

# Each module has `DATASET`.
READERS = {
    "eyeq": "input_pipeline.readers.eyeq",
    "eyeq_d": "input_pipeline.readers.eyeq_d",
    "deepdrid": "input_pipeline.readers.deepdrid",
    "mshf": "input_pipeline.readers.mshf",
    "drimdb": "input_pipeline.readers.drimdb",
    "funpiq": "input_pipeline.readers.funpiq",
    "iqad": "input_pipeline.readers.iqad",
    "vessels": "input_pipeline.readers.vessels",
}

COUNTS = ("published", "any")


def named(name: str) -> tuple[Dataset, str]:
    """The data set of a name such as 'eyeq' or 'iqad/EYEQ', and its variant.

    Raises:
      TableError: no such set or variant.
    """
    first, _, variant = name.partition("/")
    if first not in READERS:
        raise TableError(f"data set {name!r} is not known; there are {', '.join(READERS)}")
    dataset: Dataset = importlib.import_module(READERS[first]).DATASET
    variant = variant or next(iter(dataset.variants))
    if variant not in dataset.variants:
        there = "; ".join(f"{first}/{v}: {what}" for v, what in dataset.variants.items() if v)
        raise TableError(f"data set {name!r}: no such variant; {there or 'it has none'}")
    return dataset, variant


def modality(name: str) -> str:
    """'fundus' | 'slice': how the photographs of a set are to be read. Raises: TableError."""
    dataset, variant = named(name)
    return dataset.modality if isinstance(dataset.modality, str) else dataset.modality[variant]


def how_to_get(name: str) -> str:
    """What to do where a data set's files are not there, as the end of a sentence."""
    help_ = f"`python -m input_pipeline.prepare {name} --help`"
    return f"{help_} says what to get where, {PATH} its folder"


def listed(
    name: str, files: Tree | str | os.PathLike, lists: str = "", counts: str = "published"
) -> Listed:
    """The labels of a data set, their counts compared with the published ones first of all.

    Args:
      name: of the set, with its variant.
      files: its folder.
      lists: whose lists of training and test photographs; '' for the default.
      counts: 'published': other counts than published are an error | 'any': they are noted.

    Returns:
      The labels, and where each photograph is expected.

    Raises:
      TableError: files that are not there or not as expected, or other counts.
    """
    dataset, variant = named(name)
    lists = lists or dataset.lists[0]
    if lists not in dataset.lists:
        raise TableError(
            f"data.lists is {lists!r}; {name} has those of {' and '.join(dataset.lists)}"
        )
    if counts not in COUNTS:
        raise TableError(f"data.counts is {counts!r}, expected one of {COUNTS}")
    if not isinstance(files, Tree):
        files = tree(files)
    try:
        labels = dataset.read(files, variant, lists)
    except TableError as error:
        raise error.within(f"{name}: ", f"; {how_to_get(name)}") from None
    wrong = differences(labels.counts, dataset.published[variant])
    if wrong and counts == "published":
        raise TableError(
            f"{name}: other counts than published: {'; '.join(wrong)}. Get the label files of the "
            "release that is meant, or set "
            f"{Setting('data.counts')}=any to go on with these"
        )
    note = "counts are the published ones" if dataset.published[variant] else "nothing published"
    if wrong:
        note = f"other counts than published: {'; '.join(wrong)}"
    table = dataclasses.replace(labels.table, notes=(*labels.table.notes, note))
    return dataclasses.replace(labels, table=table)
