"""Files whose cells have types: Parquet, alone or in the parts of a folder, and spreadsheets."""

from __future__ import annotations

import io
import logging
import re
from pathlib import PurePosixPath
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from unrolled.errors import InputError
from unrolled.series.tables.formats import EXPECTED, PARQUET, Files, reason, with_names

logger = logging.getLogger(__name__)

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def read_parquet(content: bytes) -> pd.DataFrame:
    """A file of Parquet, its index a column."""
    return _index_as_column(pq.read_table(io.BytesIO(content)).to_pandas())


def _index_as_column(frame: pd.DataFrame) -> pd.DataFrame:
    """An index that says something is a column; one of times without a name is `ds`."""
    if isinstance(frame.index, pd.RangeIndex) and frame.index.name is None:
        return frame
    if isinstance(frame.index, pd.MultiIndex):
        return frame.reset_index()
    timed = isinstance(frame.index, pd.DatetimeIndex | pd.PeriodIndex)
    if frame.index.name is None and not timed and "ds" in frame.columns:
        return frame.reset_index(drop=True)
    frame.index.name = frame.index.name or "ds"
    return frame.reset_index()


def read_parts(files: Files) -> pd.DataFrame:
    """The parquet parts of a folder; what `key=value` in their paths says is a column of text."""
    frames: list[pd.DataFrame] = []
    first: set[object] = set()
    for name in sorted(files, key=_naturally):
        path = PurePosixPath(name)
        if path.suffix.lower() not in PARQUET:
            continue
        try:
            frame = read_parquet(files[name])
        except (ValueError, OSError, pa.ArrowException) as error:
            raise InputError(
                f"file '{name}' cannot be read as a table: {reason(error)}; {EXPECTED}"
            ) from error
        if frames and set(frame.columns) != first:
            other = sorted(map(str, set(frame.columns) ^ first))
            raise InputError(
                f"file '{name}' has other columns than the first part of its folder"
                f" ({', '.join(other)}); expected the same in all parts"
            )
        first = set(frame.columns)
        keys = dict(folder.split("=", 1) for folder in path.parts[:-1] if "=" in folder)
        frames.append(
            frame.assign(
                **{key: None if at == _NO_VALUE else unquote(at) for key, at in keys.items()}
            )
        )
    if not frames:
        raise InputError(
            f"the folder has {len(files)} files, but none that ends in {PARQUET[0]}; {EXPECTED}"
        )
    return pd.concat(frames, ignore_index=True)


def _naturally(name: str) -> list[tuple[int, str]]:
    """Order in which part 2 comes before part 10."""
    return [
        (int(piece or 0), "") if piece.isdigit() else (0, piece)
        for piece in re.split(r"(\d+)", name)
    ]


def read_sheet(name: str, content: bytes, sheet: str | int | None) -> pd.DataFrame:
    """A sheet of a spreadsheet, its first row the header; None: the first sheet."""
    from python_calamine import CalamineError  # other files do without

    try:
        book = pd.ExcelFile(io.BytesIO(content), engine="calamine")
    except CalamineError as error:
        raise ValueError(reason(error)) from error
    if sheet is not None and sheet not in book.sheet_names:
        raise InputError(
            f"file '{name}' has the sheets {', '.join(map(str, book.sheet_names))}, but the option"
            f" sheet is {sheet!r}"
        )
    chosen = book.sheet_names[0] if sheet is None else sheet
    if sheet is None and len(book.sheet_names) > 1:
        logger.info(
            "file '%s': sheet '%s' is read, of %d; the option sheet names another",
            name,
            chosen,
            len(book.sheet_names),
        )
    # As they are written: "NA" is a name there too.
    frame = pd.read_excel(
        book, sheet_name=chosen, header=None, dtype=object, keep_default_na=False, na_values=[""]
    )
    if frame.empty:
        raise InputError(f"file '{name}': sheet '{chosen}' has no rows; expected a header and rows")
    header = frame.iloc[0].map(lambda one: "" if pd.isna(one) else " ".join(str(one).split()))
    twice = header[header.duplicated() & (header != "")]
    if len(twice):
        raise InputError(
            f"file '{name}': column '{twice.iloc[0]}' stands twice in its header; rename one"
        )
    cells = frame.iloc[1:].set_axis(header, axis=1).reset_index(drop=True)
    return with_names(cells).apply(_in_seconds)


def _in_seconds(column: pd.Series) -> pd.Series:
    """Times to the second, which a day's fraction has no more digits than; others as they are."""
    if pd.api.types.infer_dtype(column, skipna=True) != "datetime":
        return column
    return pd.to_datetime(column).dt.round("s")
