"""Numbers as people write them: 1,5 and 1.234,5 and 1 234 beside 1234.5."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from unrolled.errors import InputError

# What people and pandas write where there is no value.
MISSING = ("", "NA", "N/A", "#N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "<NA>", "-", ".")
_LARGEST = float(np.finfo(np.float32).max)
_GROUPS = " \u00a0\u202f'’"  # between thousands, besides comma and point


class Marks(BaseModel):
    """What stands in the numbers of a text file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    decimal: str | None = Field(None, description="before the fraction; None: no text was read")
    thousands: str | None = Field(None, description="between groups of three digits")


def read(
    values: pd.Series, column: str, marks: Marks, sep: str | None = None, *, known: bool = False
) -> tuple[pd.Series, Marks]:
    """Read a column of numbers.

    Args:
        values: text or numbers (N,).
        column: its name in the file.
        marks: as the user or an earlier file says; what is None is found from the whole column.
        sep: what stands between the cells of the file.
        known: the marks are those of an earlier file, and no others will do.

    Returns:
        float64 (N,), NaN where there is no value; and the marks.

    Raises:
        InputError: what is no number, is infinite or beyond single precision, or may be two numbers.
    """
    kind = "floating"
    if not pd.api.types.is_float_dtype(values):
        kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind in ("floating", "integer", "decimal", "mixed-integer-float"):
        numbers = pd.to_numeric(values).astype("float64")
    elif values.isna().all():
        numbers = pd.Series(np.nan, index=values.index)
    elif kind.startswith(("string", "mixed")):
        numbers, marks = _of_text(
            values, column, marks, sep, known=known and marks.decimal is not None
        )
    else:
        first = values.dropna().tolist()[0]
        raise InputError(
            f"column {column} holds {values.dtype}, the first is {str(first)!r}; expected numbers"
        )
    numbers = pd.Series(numbers.to_numpy(dtype="float64", na_value=np.nan), index=values.index)
    _refuse_beyond(numbers, column)
    return numbers, marks


def _of_text(
    values: pd.Series, column: str, marks: Marks, sep: str | None, *, known: bool
) -> tuple[pd.Series, Marks]:
    text = pa.array(values.astype("str"), type=pa.large_string(), from_pandas=True)
    if isinstance(text, pa.ChunkedArray):
        text = text.combine_chunks()
    plain = marks.thousands is None and marks.decimal in (None, ".")
    numbers = _plain(text) if plain else None  # most files need no more
    if numbers is None:
        text = pc.utf8_trim_whitespace(text)
        absent = pc.is_in(text, value_set=pa.array(MISSING, type=pa.large_string()))
        if pc.any(absent).as_py():
            text = pc.if_else(absent, None, text)
            numbers = _plain(text) if plain else None
    if numbers is not None:
        if marks.decimal is None and sep not in (None, ","):
            _refuse_grouped(text, column, ".", "thousands=. or decimal=.")
        return numbers, Marks(decimal=".")
    if marks.thousands and marks.decimal is None:
        marks = Marks(decimal="," if marks.thousands == "." else ".", thousands=marks.thousands)
    elif not known and plain:
        marks = _found(text, column, marks)
    elif not known and marks.thousands is None and _grouped(text, "."):
        marks = Marks(decimal=",", thousands=".")
    written = text
    if marks.thousands:
        groups = [marks.thousands] if marks.thousands != " " else list(_GROUPS)
        for group in groups:
            text = pc.replace_substring(text, group, "")
    if marks.decimal == ",":
        text = _with_points(text)
    numbers = _plain(text)
    if numbers is None:
        _refuse_text(written, text, column, marks)
    assert numbers is not None
    return numbers, marks


def _with_points(text: pa.Array) -> pa.Array:
    """Commas as points; a point, which then is no mark, as what no number has. In the bytes of all."""
    null, starts, raw = text.buffers()
    marks = bytes.maketrans(b",.", b".?")
    swapped = pa.py_buffer(raw.to_pybytes().translate(marks))
    return pa.Array.from_buffers(
        text.type, len(text), [null, starts, swapped], text.null_count, text.offset
    )


def _plain(text: pa.Array) -> pd.Series | None:
    """float64 (N,), or None where a cell is no number; "1e5" and "inf" are."""
    try:
        pc.cast(text[:1000], pa.float64())  # which fails at once where the marks are others
        return pc.cast(text, pa.float64()).to_pandas()
    except pa.ArrowInvalid:
        return None


def _matches(text: pa.Array, pattern: str) -> int:
    return int(pc.sum(pc.match_substring_regex(text, pattern)).as_py() or 0)


def _grouped(text: pa.Array, mark: str) -> bool:
    """Whether three digits follow every mark, and there is one."""
    if mark.encode() not in text.buffers()[2].to_pybytes():
        return False
    return not _matches(text, rf"\{mark}(\d{{0,2}}|\d{{4,}})(\D|$)")


def _most(text: pa.Array, mark: str) -> int:
    return int(pc.max(pc.count_substring(text, mark)).as_py() or 0)


def _refuse_grouped(text: pa.Array, column: str, mark: str, remedy: str) -> None:
    """Where every number is 1.234, it may as well be a thousand or one and a bit."""
    grouped = rf"^[+-]?\d{{1,3}}\{mark}\d{{3}}$"
    for some in (text[:1000], text):  # most columns tell at once
        marked = pc.filter(some, pc.fill_null(pc.match_substring(some, mark), fill_value=False))
        if _matches(marked, grouped) < len(marked):
            return
    if len(marked):
        raise InputError(
            f"column {column}: {marked[0].as_py()!r} and all like it may be thousands or fractions;"
            f" say which: {remedy}"
        )


def _found(text: pa.Array, column: str, marks: Marks) -> Marks:
    """The marks that all numbers of the column have."""
    raw = text.buffers()[2].to_pybytes()  # ten times as fast to look through as cell by cell
    points, commas = b"." in raw, b"," in raw
    if any(group.encode() in raw for group in _GROUPS) and _matches(text, rf"\d[{_GROUPS}]\d{{3}}"):
        thousands = "'" if _matches(text, r"\d'\d{3}") else " "
        return Marks(decimal="," if commas else ".", thousands=thousands)
    if points and commas:
        comma_last = _matches(text, r"\..*,\d*$")
        return (
            Marks(decimal=",", thousands=".") if comma_last else Marks(decimal=".", thousands=",")
        )
    if points and _most(text, ".") > 1:
        return Marks(decimal=",", thousands=".")
    if commas and _most(text, ",") > 1:
        return Marks(decimal=".", thousands=",")
    if not commas:
        return Marks(decimal=marks.decimal or ".")
    if marks.decimal == ".":
        return Marks(decimal=".", thousands=",")
    _refuse_grouped(text, column, ",", 'thousands="," or decimal=","')
    return Marks(decimal=",")


def _refuse_text(written: pa.Array, text: pa.Array, column: str, marks: Marks) -> None:
    numbers = pd.to_numeric(text.to_pandas(), errors="coerce")
    bad = np.flatnonzero(numbers.isna().to_numpy() & text.is_valid().to_numpy(zero_copy_only=False))
    first = written[int(bad[0])].as_py()
    expected = "numbers"
    if first.endswith("%"):
        expected = "numbers without a percent sign: take it out of the file"
    elif marks.decimal == "," or marks.thousands:
        expected = f"numbers such as {f'1{marks.thousands or str()}234{marks.decimal or str()}5'}"
    raise InputError(
        f"column {column}: {len(bad)} values are not numbers, the first is {first!r} in row"
        f" {bad[0] + 1}; expected {expected}"
    )


def _refuse_beyond(numbers: pd.Series, column: str) -> None:
    if not numbers.abs().max() > _LARGEST:
        return
    infinite = np.flatnonzero(np.isinf(numbers))
    if len(infinite):
        raise InputError(
            f"column {column}: {len(infinite)} values are infinite, the first in row"
            f" {infinite[0] + 1}; expected finite numbers, mend or remove those rows"
        )
    large = np.flatnonzero(numbers.abs() > _LARGEST)
    if len(large):
        raise InputError(
            f"column {column}: {len(large)} values are beyond {_LARGEST:.2g}, the first is"
            f" {numbers.iloc[large[0]]:g} in row {large[0] + 1}; expected numbers of single precision:"
            " take a larger unit, or mend those rows"
        )
