"""DRIMDB (Sevik et al., J Biomed Opt 19:046006, 2014): 125 good, 69 bad photographs, 22 outliers.

The folder is the label. An outlier is no fundus at all: outer eyes, test charts, dark frames. All
but six photographs carry a burned-in green time stamp, which gives the class away, so that its box
is painted black. It is an easy set: the variance of the Laplacian alone reaches an AUROC of 0.98.
"""

import posixpath

from input_pipeline.photo.file_type import SUFFIXES
from input_pipeline.readers.dataset import Dataset, Labels, Listed, tally
from input_pipeline.readers.tree import Tree
from input_pipeline.tables import codes as words
from input_pipeline.tables.examples import GRADABLE, Table, strings
from input_pipeline.tables.table_error import TableError

VARIANTS = {
    "all": "good against bad and outlier, 216 photographs",
    "good_bad": "good against bad, 194 photographs",
}
CODES = {"Good": "gradable", "Bad": "ungradable", "Outlier": "ungradable"}
# The stamp lies within x 572-676, y 8-22 of the 760 x 570 pixels; some for JPEG's blocks.
STAMP = (566, 2, 682, 28)


def read(files: Tree, variant: str, lists: str) -> Listed:
    """See `dataset.Dataset`.

    Raises:
      TableError: no folder with Good and Bad in it, or several.
    """
    del lists
    pictures = [(path, path.split("/")) for path in files.files if path.lower().endswith(SUFFIXES)]
    pictures = [(path, parts) for path, parts in pictures if parts[-2:-1] and parts[-2] in CODES]
    above = sorted({posixpath.dirname(posixpath.dirname(path)) for path, _ in pictures})
    if len(above) != 1:
        several = f"there are {len(above)}: {', '.join(above[:3])}; give one" if above else ""
        raise TableError(
            f"{files.root}: expected one folder that holds {', '.join(CODES)}; "
            + (several or "there is none")
        )
    if variant == "good_bad":
        pictures = [(path, parts) for path, parts in pictures if parts[-2] != "Outlier"]
    folder = [parts[-2] for _, parts in pictures]
    _, bad, _, note = words.quality(folder, range(len(folder)), "folder", CODES)
    ids = strings([parts[-1].rpartition(".")[0] for _, parts in pictures])
    table = Table(
        id=ids,
        patient=ids,
        split=strings([""] * len(ids)),
        labels={"ungradable": bad},
        quality_names=GRADABLE,
        detail_names=(),
        diagnosis_names=(),
        path=strings([path for path, _ in pictures]),
        notes=(note, "patients are not published", f"box {STAMP} holds a time stamp"),
    )
    counts = tally(table)
    counts["folders"] = {name: folder.count(name) for name in CODES}
    return Listed(table, counts)


DATASET = Dataset(
    title="DRIMDB: 216 photographs in folders Good, Bad and Outlier (Sevik et al. 2014)",
    instructions="""\
The set as its authors give it on request (Karadeniz Technical University): a folder with Good, Bad
and Outlier in it, and files such as 'Good/drimdb_good (1).jpg'.""",
    licence="none stated: for your own tests, not to be published or trained on for release",
    read=read,
    labels=dict.fromkeys(VARIANTS, Labels(GRADABLE)),
    published={
        "all": {"folders": {"Good": 125, "Bad": 69, "Outlier": 22}},
        "good_bad": {"folders": {"Good": 125, "Bad": 69}},
    },
    variants=VARIANTS,
    erase=(STAMP,),
)
