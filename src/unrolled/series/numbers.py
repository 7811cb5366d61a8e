"""Numbers as people write them: 1,5 and 1.234,5 and 1 234 beside 1234.5."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from unrolled.errors import InputError

# What people, spreadsheets and pandas write where there is no value.
MISSING = (
    *("", "NA", "N/A", "#N/A", "n/a", "n.a.", "NaN", "nan", "null", "NULL", "None", "<NA>", "\\N"),
    *("-", "--", ".", "..", "...", "–", "—", ":"),  # : of Eurostat
    *("#VALUE!", "#DIV/0!", "#REF!", "#NAME?", "#NUM!", "#NULL!"),
)
_LARGEST = float(np.finfo(np.float32).max)
_SPACES = " \u00a0\u202f\u2009"  # between thousands
_TICKS = "'’"
# A number, and what stands around it that is none.
_AROUND = re.compile(r"(\D*?)([+-]?[.,]?\d(?:.*\d)?)(\D*)", re.DOTALL)
_FACTOR = re.compile(r"(?i)[kmb]|tsd|mio|mrd|bn")
_MINUSES = "−–"  # of Unicode, and what text programs make of a hyphen


class Marks(BaseModel):
    """What stands in the numbers of a text file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    decimal: str | None = Field(None, description="before the fraction; None: none was seen")
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
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    kind = "floating"
    if not pd.api.types.is_float_dtype(values):
        kind = pd.api.types.infer_dtype(values, skipna=True)
    if values.dtype == np.float64:
        numbers = values
    elif kind in ("floating", "integer", "decimal", "mixed-integer-float"):
        numbers = pd.to_numeric(values).astype("float64")
    elif values.isna().all():
        numbers = pd.Series(np.nan, index=values.index)
    elif kind.startswith(("string", "mixed")):
        numbers, marks = _of_cells(values, column, marks, sep, known=known)
    else:
        first = values.dropna().tolist()[0]
        raise InputError(
            f"column {column} holds {values.dtype}, the first is {str(first)!r}; expected numbers"
        )
    found = numbers.to_numpy(dtype="float64", na_value=np.nan)
    numbers = pd.Series(found, index=values.index, copy=False)
    _refuse_beyond(numbers, column)
    return numbers, marks


def clear_mark(cells: list[str]) -> str | None:
    """The decimal mark of some numbers, where they leave no doubt.

    It stands in all that have a mark, and at least once where a mark of thousands cannot.

    >>> clear_mark(["1,5", "12"]), clear_mark(["1,500", "2,250"]), clear_mark(["1.500,5"])
    (',', None, None)
    """
    marked = [cell for cell in cells if "." in cell or "," in cell]
    for mark, other in (".,", ",."):
        if any(other in cell or cell.count(mark) > 1 for cell in marked):
            continue
        clear = rf"[+-]?(\d*\{mark}(\d{{1,2}}|\d{{4,}})|\d{{4,}}\{mark}\d+|0*\{mark}\d+)"
        if any(re.fullmatch(clear, cell.strip()) for cell in marked):
            return mark
    return None


def _of_cells(
    values: pd.Series, column: str, marks: Marks, sep: str | None, *, known: bool
) -> tuple[pd.Series, Marks]:
    """Cells of text, or of text among numbers, as in a spreadsheet."""
    if isinstance(values.dtype, pd.StringDtype):
        return _of_text(values, column, marks, sep, known=known)
    written = values.map(lambda cell: isinstance(cell, str)).to_numpy(dtype=bool)
    if written.all():
        return _of_text(values, column, marks, sep, known=known)
    # Where numbers are numbers, text that is one as well was typed by somebody, who knows how.
    numbers = pd.to_numeric(values.where(~written), errors="coerce").astype("float64")
    typed, marks = _of_text(values.where(written, ""), column, marks, ";", known=known)
    return numbers.where(~written, typed), marks


def _of_text(
    values: pd.Series, column: str, marks: Marks, sep: str | None, *, known: bool
) -> tuple[pd.Series, Marks]:
    text = pa.array(values.astype("str"), type=pa.large_string(), from_pandas=True)
    if isinstance(text, pa.ChunkedArray):
        text = text.combine_chunks()
    undecided = marks.thousands is None and marks.decimal in (None, ".")
    numbers = _plain(text) if undecided else None  # most files need no more
    if numbers is None:
        text = pc.utf8_trim_whitespace(text)
        absent = pc.is_in(text, value_set=pa.array(MISSING, type=pa.large_string()))
        if pc.any(absent).as_py():
            text = pc.if_else(absent, None, text)
        raw = text.buffers()[2].to_pybytes()
        if any(minus.encode() in raw for minus in _MINUSES):
            text = pc.replace_substring_regex(text, f"^[{_MINUSES}]", "-")
        numbers = _plain(text) if undecided else None
    if numbers is not None:
        pointed = b"." in text.buffers()[2].to_pybytes()
        if pointed and marks.decimal is None and sep not in (None, ","):
            _refuse_ambiguous(text, column, ".", "thousands=. or decimal=.")
        return numbers, Marks(decimal="." if pointed or marks.decimal else None)
    if not (known and marks.decimal):
        marks = _found(text, column, marks)
    return _grouped_text(text, column, marks).set_axis(values.index), marks


def _swapped(text: pa.Array, mark: str) -> pa.Array:
    """The decimal mark as a point, in the bytes of all."""
    null, starts, raw = text.buffers()
    bytes_ = pa.py_buffer(raw.to_pybytes().replace(mark.encode(), b"."))
    return pa.Array.from_buffers(
        text.type, len(text), [null, starts, bytes_], text.null_count, text.offset
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


def _refuse_ambiguous(text: pa.Array, column: str, mark: str, remedy: str) -> None:
    """Where every number that has a mark is 1.234, it may as well be a thousand or one and a bit."""
    either = rf"^[+-]?[1-9]\d{{0,2}}\{mark}\d{{3}}$"
    for some in (text[:1000], text):  # most columns tell at once
        marked = pc.filter(some, pc.fill_null(pc.match_substring(some, mark), fill_value=False))
        if _matches(marked, either) < len(marked):
            return
    if len(marked):
        raise InputError(
            f"column {column}: {marked[0].as_py()!r} and all like it may be thousands or fractions;"
            f" say which: {remedy}"
        )


def _found(text: pa.Array, column: str, marks: Marks) -> Marks:
    """The marks that the numbers of the column show; what the user says stays.

    A mark that stands twice in a number divides thousands, and so does the first of two; one that is
    not followed by three digits, or follows more than three, or a 0, stands before a fraction.
    """
    raw = text.buffers()[2].to_pybytes()
    decimal, thousands = marks.decimal, marks.thousands
    if thousands is None:
        for group in (_SPACES, _TICKS):
            if any(one.encode() in raw for one in group) and _matches(text, rf"\d[{group}]\d{{3}}"):
                thousands = group[0]
    if decimal is None:
        fraction = r"(^|\D)\d{4,}MARK|MARK(\d{0,2}|\d{4,})$|^[+-]?0*MARK"
        twice = r"MARK.*MARK"
        before = {}
        for mark, other in ((".", ","), (",", ".")):
            if mark.encode() not in raw or mark == thousands:
                continue
            at = rf"\{mark}"
            once = pc.filter(
                text, pc.fill_null(pc.equal(pc.count_substring(text, mark), 1), fill_value=False)
            )
            if _matches(once, fraction.replace("MARK", at)) or (
                other.encode() in raw and _matches(once, rf"\{other}.*{at}\d*$")
            ):
                before[mark] = True
            elif _matches(text, twice.replace("MARK", at)):
                before[mark] = False
        found = [mark for mark, is_decimal in before.items() if is_decimal]
        grouped = [mark for mark, is_decimal in before.items() if not is_decimal]
        if found:
            decimal = found[0]
        elif grouped:
            decimal = "," if grouped[0] == "." else "."
        elif thousands is not None:
            decimal = "," if b"," in raw and thousands != "," else "."
        elif b"," in raw:
            _refuse_ambiguous(text, column, ",", 'thousands="," or decimal=","')
            decimal = ","
        else:
            decimal = "."
    if thousands is None:
        other = "," if decimal == "." else "."
        thousands = other if other.encode() in raw else None
    return Marks(decimal=decimal, thousands=thousands)


def _grouped_text(text: pa.Array, column: str, marks: Marks) -> pd.Series:
    """Numbers of these marks; a mark of thousands stands before groups of three, or of two and three."""
    written = text
    if marks.thousands:
        group = _SPACES if marks.thousands == " " else _TICKS if marks.thousands == "'" else None
        mark = f"[{group}]" if group else re.escape(marks.thousands)
        point = re.escape(marks.decimal or ".")
        pattern = (
            rf"^[+-]?(\d{{1,3}}({mark}\d{{2,3}})*{mark}\d{{3}}|\d*)({point}\d*)?([eE][+-]?\d+)?$"
        )
        fits = pc.fill_null(pc.match_substring_regex(text, pattern), fill_value=True)
        if not pc.all(fits).as_py():
            _refuse_text(written, pc.invert(fits), column, marks)
        text = pc.replace_substring_regex(text, mark, "")
    if marks.decimal == ",":
        points = pc.fill_null(pc.match_substring(text, "."), fill_value=False)
        if b"." in text.buffers()[2].to_pybytes() and pc.any(points).as_py():
            _refuse_text(written, points, column, marks)
        text = _swapped(text, ",")
    numbers = _plain(text)
    if numbers is None:
        read = pd.to_numeric(text.to_pandas(), errors="coerce").isna().to_numpy()
        _refuse_text(
            written, pa.array(read & text.is_valid().to_numpy(zero_copy_only=False)), column, marks
        )
    assert numbers is not None
    return numbers


def _refuse_text(written: pa.Array, wrong: pa.Array, column: str, marks: Marks) -> None:
    bad = np.flatnonzero(wrong.to_numpy(zero_copy_only=False))
    first = written[int(bad[0])].as_py()
    expected = _expected(first, marks)
    raise InputError(
        f"column {column}: {len(bad)} values are not numbers, the first is {first!r} in row"
        f" {bad[0] + 1}; expected {expected}"
    )


def _expected(cell: str, marks: Marks) -> str:
    """What to write in place of a cell that is no number."""
    parts = _AROUND.fullmatch(cell)
    if parts is None:
        return (
            "numbers, or an empty cell where there is no value; a row of units, sums or notes must be"
            " taken out"
        )
    if any(one.isdecimal() and not one.isascii() for one in cell):
        return "numbers in the digits 0 to 9"
    before, number, after = (part.strip() for part in parts.groups())
    if (before, after) == ("(", ")"):
        return f"numbers: where it is below zero, as in accounts, write -{number}"
    if not before and after and after in "-" + _MINUSES:
        return f"numbers with the sign before them: write -{number}"
    if not before and _FACTOR.fullmatch(after):
        return f"numbers without {after!r}: write out what it stands for"
    if (before or after) and re.fullmatch(r"[+-]?[\d.,'’\s]+([eE][+-]?\d+)?", number):
        stray = " and ".join(repr(one) for one in (before, after) if one)
        return f"numbers without {stray}: take it out of the file"
    if len(inside := set(re.findall(r"\d([^\w\s.,'’/*()-]|_)(?=\d{3})", number))) == 1:
        (mark,) = inside
        return f"numbers; where {mark!r} divides thousands, say thousands={mark}"
    if marks.decimal == "," or marks.thousands:
        return f"numbers such as 1{marks.thousands or ''}234{marks.decimal or ''}5"
    return "numbers alone, such as 1234.5"


def _refuse_beyond(numbers: pd.Series, column: str) -> None:
    y = numbers.to_numpy()
    if max(np.fmax.reduce(y, initial=0), -np.fmin.reduce(y, initial=0)) <= _LARGEST:
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
