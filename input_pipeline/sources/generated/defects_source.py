"""Good photographs with defects as they are: grade, defects, map and causes out of a table.

Every photograph gives some copies, with what can still be seen in each cell as truth
(`synthetic.defects`). What happens to a copy depends on the seed, the photograph's id and the
copy's number.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from input_pipeline.sources import csv_source
from input_pipeline.sources.generated import prerendered
from input_pipeline.sources.generated.defects_reader import CELLS, Copy, DefectsReader
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.tables import codes as words
from input_pipeline.tables import mask_files
from input_pipeline.tables.examples import QUALITY, Source, strings
from input_pipeline.tables.table_error import TableError


def make(data: Mapping[str, Any], store: str, require_labels: bool) -> Source:
    """See `opening.SOURCES`; the table `data.path` lists good photographs.

    Its column `vessels` holds masks, '' where there is none: probes serve there.

    Raises:
      TableError: settings that do not fit, or a table without photographs.
      PhotoError: a photograph or mask cannot be read.
    """
    del require_labels
    side = data["side"]
    if data["modality"] != "fundus" or side % CELLS or side < 4 * CELLS or data["copies"] < 1:
        raise TableError(
            f"defects are those of colour fundus photographs, got data.modality "
            f"{data['modality']!r}, data.side {side}, data.copies {data['copies']}: expected "
            f"'fundus', a multiple of {CELLS} from {4 * CELLS} on, and at least 1"
        )
    columns = words.as_pairs(data["columns"], "data.columns")
    kept_columns = {purpose: name for purpose, name in columns.items() if purpose != "vessels"}
    base = csv_source.make(
        {**data, "classes": 0, "details": (), "columns": kept_columns}, "", False
    )
    masks = mask_files.in_column(
        base.table.path.tolist(),
        data["path"],
        root=data["root"],
        columns={p: columns[p] for p in ("path", "vessels") if p in columns},
        require_files=True,
    )
    photo = base.reader
    assert isinstance(photo, PhotoReader)
    copies, old = data["copies"], base.table
    at = np.repeat(np.arange(len(old)), copies)
    items = np.empty(len(at), object)
    rows = zip(old.id.tolist(), base.items.tolist(), masks, strict=True)
    items[:] = [Copy(n, k, path, mask) for n, path, mask in rows for k in range(copies)]
    table = dataclasses.replace(
        old,
        id=strings([f"{item.id}~{item.number}" for item in items]),
        patient=old.patient[at],
        split=old.split[at],
        labels={},
        path=strings([""] * len(at)),  # no file shows a copy
        stratum=np.zeros(len(at), np.int32),  # split as the photographs would be
    )
    source = Source(f"{base.name}, with defects", table, items, DefectsReader(photo, data["seed"]))
    held = store if data["cache"] in ("disk", "auto") else ""
    known, fetch = prerendered.make_all(source, held, data["workers"])
    names = tuple(data["details"])
    prerendered.check_details(names)
    note = f"{copies} copies of each of {len(old)} photographs; seed {data['seed']}"
    table = dataclasses.replace(
        table,
        labels=prerendered.label_columns(known, data["classes"], names),
        quality_names=QUALITY if data["classes"] == len(QUALITY) else (),
        detail_names=names,
        notes=(*old.notes, note),
    )
    return dataclasses.replace(source, table=table, fetch=fetch)
