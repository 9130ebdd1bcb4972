"""MSHF (Jin et al., Sci Data 10:286, 2023): 1,302 photographs, each judged by three readers.

Individual_scores.xlsx.xlsx has two rows of header and three blocks of illumination, clarity,
contrast and overall, 1 = good; the label is the majority of the three. MSHF_quality_scores.xlsx is
not read: its tab DR-ZJU holds zeros for every photograph instead of that group's scores.
"""

import collections
import dataclasses
import re

import numpy as np

from input_pipeline.readers import workbook
from input_pipeline.readers.dataset import Dataset, Labels, Listed, tally
from input_pipeline.readers.tree import Tree, label_file
from input_pipeline.tables.examples import GRADABLE, Table, strings, take
from input_pipeline.tables.table_error import TableError

FILE = "Individual_scores.xlsx.xlsx"
DETAILS = ("illumination", "clarity", "contrast")
# Prefix of the name -> what took the photographs.
GROUPS = {
    "DR-XJU": "cfp",
    "DR-ZJU": "cfp",
    "Glaucoma": "cfp",
    "Healthy": "cfp",
    "Local1": "portable",
    "Local2": "portable",
    "UWF-mosaic": "uwf",
}
VARIANTS = {
    "cfp_portable": "802 photographs of table-top and hand-held cameras",
    "cfp": "500 of table-top cameras",
    "portable": "302 of hand-held cameras",
    "uwf": "500 ultra-widefield pictures: another modality",
    "all": "all 1,302",
}
_BLOCK = ("illumination", "clarity", "contrast", "overall")


def read(files: Tree, variant: str, lists: str) -> Listed:
    """See `dataset.Dataset`. The authors' training and test photographs are those in AI-use.

    lists: 'official' | 'all', where every photograph is for training, as EFIQA's adapter has it.

    Raises:
      TableError: another layout, names or values than MSHF's.
    """
    file = label_file(files, FILE)
    try:
        names, votes = _votes(workbook.rows(file))
    except TableError as error:
        raise error.within(f"{file}: ") from None
    groups = [next((g for g in GROUPS if name.startswith(f"{g}-")), "") for name in names]
    if "" in groups:
        raise TableError(
            f"{file}: {names[groups.index('')]!r} begins with none of {', '.join(GROUPS)}"
        )
    good = votes.sum(axis=1) >= 2  # [N, 4]
    split, split_note = _split(files, names)
    counted = split
    if lists == "all":
        split = ["train"] * len(names)
        split_note = "every photograph is for training, whatever its folder in AI-use"
    alike = (votes == votes[:, :1]).all(axis=(1, 2)).mean()
    table = Table(
        id=strings(names),
        patient=strings(names),
        split=strings(split),
        labels={
            "ungradable": (~good[:, 3]).astype(np.int32),
            "details": (~good[:, :3]).astype(np.int8),
        },
        quality_names=GRADABLE,
        detail_names=DETAILS,
        diagnosis_names=(),
        path=strings([f"Original/{g}/{n}.jpg" for g, n in zip(groups, names, strict=True)]),
        notes=(
            "1 is good in the file; the label is the majority of three readers, who agree on all "
            f"four in {alike:.0%} of the photographs",
            split_note,
            "patients are not published: photographs of an eye may stand in different splits",
        ),
    )
    counts = {"groups": dict(collections.Counter(groups)), "all": {"photographs": len(names)}}
    official = dataclasses.replace(table, split=strings(counted))
    counts |= {f"AI-use {name}": count for name, count in tally(official).items() if name != "all"}
    kept = [variant == "all" or GROUPS[group] in variant.split("_") for group in groups]
    return Listed(take(table, np.array(kept)), counts)


def _votes(cells: list[list[str]]) -> tuple[list[str], np.ndarray]:
    """Names without endings, and votes [N, 3 readers, 4] bool, True = good."""
    head = [cell.lower() for cell in cells[1]] if len(cells) > 2 else []
    places = {what: [i for i, cell in enumerate(head) if cell == what] for what in _BLOCK}
    if any(len(columns) != 3 for columns in places.values()):
        raise TableError(
            f"second row {head}; expected three blocks of {', '.join(_BLOCK)} below a first row "
            "that names the readers"
        )
    names, votes = [], []
    for line, row in enumerate(cells[2:], 3):
        own = [[row[places[what][k]].removesuffix(".0") for what in _BLOCK] for k in range(3)]
        wrong = [cell for block in own for cell in block if cell not in ("0", "1")]
        if not row[0] or wrong:
            raise TableError(f"row {line}: {[row[0], *wrong]}; expected a name and twelve 0 or 1")
        names.append(re.sub(r"\.(jpe?g|png)$", "", row[0], flags=re.IGNORECASE))
        votes.append([[cell == "1" for cell in block] for block in own])
    return names, np.array(votes)


def _split(files: Tree, names: list[str]) -> tuple[list[str], str]:
    """The authors' split, from the copies in AI-use; endings differ from those in Original."""
    places = {}
    for path in files.files:
        parts = path.split("/")
        if len(parts) > 2 and parts[-3].lower() == "ai-use" and parts[-2] in ("train", "test"):
            places[parts[-1].rpartition(".")[0]] = parts[-2]
    if not places:
        return [""] * len(names), "the folder AI-use is not there: no split of the authors"
    missing = [name for name in names if name not in places]
    if missing:
        raise TableError(
            f"{files.root}: AI-use/train and AI-use/test lack {len(missing)} photographs, the "
            f"first {missing[0]}; unpack the archive again, or leave AI-use out"
        )
    return [places[name] for name in names], "split: the authors' AI-use/train and AI-use/test"


_PUBLISHED = {
    "all": {"photographs": 1302},
    "groups": {"DR-XJU": 235, "DR-ZJU": 187, "UWF-mosaic": 500},
}

DATASET = Dataset(
    title="MSHF: details of the quality of 1,302 photographs by three readers (Jin et al. 2023)",
    instructions="""\
The archive 'MSHF dataset 2.0.zip' from figshare, doi 10.6084/m9.figshare.21507564 (1.1 GB, MD5
58203e6c2e064dafc800f5b83887487b), unpacked: folders Original and AI-use, and
Individual_scores.xlsx.xlsx (it has two endings).""",
    licence="CC BY 4.0",
    read=read,
    labels=dict.fromkeys(VARIANTS, Labels(GRADABLE, DETAILS)),
    published=dict.fromkeys(VARIANTS, _PUBLISHED),
    variants=VARIANTS,
    lists=("official", "all"),
)
