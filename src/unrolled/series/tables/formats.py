"""Which files may be tables, and what a file becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

Files = Mapping[str, bytes]

TEXT = (".csv", ".tsv", ".txt")
PARQUET = (".parquet", ".pq")
SHEETS = (".xlsx", ".xlsm", ".xls", ".ods")
PACKED = (".gz", ".bz2", ".xz", ".zip")
# Of files that a folder is searched for by name.
SUFFIXES = (
    *TEXT,
    *(text + packed for text in TEXT for packed in PACKED),
    ".zip",
    *PARQUET,
    *SHEETS,
)
EXPECTED = (
    f"expected a table: {', '.join(TEXT)} with a header (packed as .gz or .zip too),"
    f" {PARQUET[0]} or a folder of such parts, {SHEETS[0]}"
)


class Table(NamedTuple):
    """Cells, and how they were divided: `sep` is None where the file is no text.

    `decimal` is the mark of the column that was read as numbers at once; None: every cell is text.
    """

    cells: pd.DataFrame
    sep: str | None
    decimal: str | None = None


def reason(error: Exception) -> str:
    """What another library says, on one line and without its full stop."""
    return " ".join(str(error).split()).rstrip(".")


def with_names(cells: pd.DataFrame) -> pd.DataFrame:
    """Without columns that have neither name nor cells, nor an index that pandas has written."""
    kept, names = [], []
    for at, name in enumerate(map(str, cells.columns)):
        unnamed = not name or name.startswith("Unnamed: ")
        if unnamed:
            own = cells.iloc[:, at].astype("str").fillna("").str.strip()
            counts = pd.Series(range(len(own)), index=own.index).astype("str")
            if (own == "").all() or (at == 0 and (own == counts).all()):
                continue
        kept.append(at)
        names.append(f"column {at + 1}" if unnamed else name)
    return cells.iloc[:, kept].set_axis(names, axis=1)
