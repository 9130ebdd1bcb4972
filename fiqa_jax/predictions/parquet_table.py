"""Prediction rows as Parquet: the columns of `schema`, each with a type.

| column | type |
| --- | --- |
| p_..., score, bad_area | float64, with the nine digits that the CSV has |
| true_ungradable, true_<defect> | int8, 0 or 1 |
| schema | int32 |
| every other | string |

Null where the model has no such output or there is no label, as in JSONL. Text is as it is, without
the apostrophes that the CSV has for spreadsheets. The file's metadata name the schema, too.
"""

import os
from collections.abc import Iterable, Sequence

from fiqa_jax.predictions import schema
from fiqa_jax.predictions.schema import Row
from input_pipeline.tables import parquet_file

SCHEMA = "fiqa_schema"  # name of the schema's number in the file's metadata
_TEXT = ("true_quality", "true_diagnosis")


def type_of(name: str) -> str:
    """The type of a column, as Arrow calls it."""
    if name.startswith("p_") or name in ("score", "bad_area"):
        return "float64"
    if name == "schema":
        return "int32"
    return "int8" if name.startswith("true_") and name not in _TEXT else "string"


def write(path: str | os.PathLike[str], rows: Iterable[Row], names: Sequence[str]) -> None:
    """Writes rows as Parquet, whole or not at all; `schema.read_rows` reads them.

    Args:
      path: of the file.
      rows: typed, as predict makes them.
      names: of the columns, see `schema.columns`.

    Raises:
      ValueError: a row with a column that is not among names.
      TableError: pyarrow is not installed.
    """
    table = (dict(zip(names, cells, strict=True)) for cells in schema.cells(rows, names))
    facts = {SCHEMA: str(schema.SCHEMA)}
    parquet_file.write(path, {name: type_of(name) for name in names}, table, facts)
