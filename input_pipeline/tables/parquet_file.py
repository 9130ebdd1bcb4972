"""Parquet files, by pyarrow, which is imported where one is read or written and nowhere else."""

import itertools
import os
from collections.abc import Iterable, Mapping
from typing import Any

from input_pipeline import atomic
from input_pipeline.tables.table_error import TableError

SUFFIX = ".parquet"
GROUP = 10_000  # rows that are written at a time
NEEDED = "Parquet files need pyarrow: pip install 'fiqa-jax[cluster]'"


def is_one(path: str | os.PathLike[str]) -> bool:
    """Whether a file is called like a Parquet file."""
    return os.fspath(path).lower().endswith(SUFFIX)


def needed() -> None:
    """Raises: TableError: pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise TableError(NEEDED) from None


def read(path: str | os.PathLike[str]) -> tuple[list[str], list[dict[str, Any]]]:
    """Names of the columns, and the rows with typed values, None where there is none.

    Raises:
      TableError: pyarrow is not installed, no such file, no Parquet, one name for two columns.
    """
    needed()
    import pyarrow
    import pyarrow.parquet

    if not os.path.isfile(path):
        raise TableError(f"{path}: there is no such file")
    try:
        with open(path, "rb") as file:
            table = pyarrow.parquet.ParquetFile(file).read()
    except (pyarrow.ArrowException, OSError) as error:
        what = " ".join(str(error).split())
        raise TableError(f"{path}: no whole Parquet file ({what}); write it again") from None
    names = table.column_names
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise TableError(f"{path}: columns {double} stand more than once")
    return names, table.to_pylist()


def _whole(value: Any) -> Any:
    """Text without lone surrogates, as `atomic.write_csv` writes it."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def write(
    path: str | os.PathLike[str],
    types: Mapping[str, str],
    rows: Iterable[Mapping[str, Any]],
    facts: Mapping[str, str],
) -> None:
    """Writes a Parquet file, whole or not at all.

    Args:
      path: of the file.
      types: of each column in order, as Arrow calls them: string, float64, int8 ...
      rows: a value for each column; None, or none at all, is null.
      facts: kept with the schema.

    Raises:
      TableError: pyarrow is not installed.
    """
    needed()
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema(
        [(name, pyarrow.type_for_alias(kind)) for name, kind in types.items()],
        metadata=dict(facts),
    )
    sink = pyarrow.BufferOutputStream()
    left = ({name: _whole(value) for name, value in row.items()} for row in rows)
    with pyarrow.parquet.ParquetWriter(sink, schema) as writer:
        while group := list(itertools.islice(left, GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
    atomic.write(path, sink.getvalue().to_pybytes())
