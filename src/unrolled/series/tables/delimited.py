"""Delimited text: its encoding, what divides its cells, its header, and every cell as it was written."""

from __future__ import annotations

import csv
import io
import itertools
import logging
import re
from collections import Counter
from collections.abc import Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from unrolled.errors import InputError
from unrolled.series.date_formats import looks_like_time
from unrolled.series.numbers import MISSING, clear_mark
from unrolled.series.tables.formats import EXPECTED, Table, reason, with_names

logger = logging.getLogger(__name__)

_SEPARATORS = (",", ";", "\t", "|")
_SEPARATOR = re.compile(rb"(?i:sep=)([,;\t|])\r?\n")
_SAMPLE = 200  # lines that say what divides the cells of all


def read_text(
    name: str,
    content: bytes,
    sep: str | None,
    encoding: str,
    number: str | None,
    decimal: str | None,
) -> Table:
    """Read a text file; arguments and errors are those of `tables.read`."""
    if content[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        encoding = "utf-32"
    elif content[:2] in (b"\xff\xfe", b"\xfe\xff"):  # "Unicode text" of a spreadsheet
        encoding = "utf-16"
    if encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        try:
            content = content.decode(encoding).encode()
        except UnicodeDecodeError as error:
            raise InputError(
                f"file '{name}' is not in {encoding}: {reason(error)}; name its own by encoding"
            ) from error
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in content[:100_000]:
        raise InputError(
            f"file '{name}' holds NUL bytes, which no text has; {EXPECTED}, or name its encoding"
            " (utf-16, utf-32)"
        )
    if b"\r" in content[:100_000] and b"\n" not in content:  # line ends of an old Macintosh
        content = content.replace(b"\r", b"\n")
    if said := _SEPARATOR.match(content):  # what Excel writes to itself
        sep, content = sep or said[1].decode(), content[said.end() :]
    content, comments = _uncommented(content)
    if not content[:1000].strip() and not content.strip():
        raise InputError(f"file '{name}' has no rows; expected a header and at least one")
    try:
        lines = content[:200_000].decode(errors="strict" if len(content) <= 200_000 else "ignore")
    except UnicodeDecodeError as error:
        raise InputError(
            f"file '{name}' is not in UTF-8: {reason(error)}; save it so, or name its encoding:"
            " encoding=cp1252 is that of older spreadsheets"
        ) from error
    sample = lines.splitlines()[:_SAMPLE]
    found = _separator(sample) if sep is None else sep
    _refuse_headless(name, sample, found)
    decimal = decimal or ("." if found == "," else _decimal(sample, found, number))
    cells = _cells(name, content, found, number if decimal else None, decimal or ".")
    if comments:
        logger.info("file '%s': %d lines that begin with # are left out", name, comments)
    at_once = number in cells.columns and cells[number].dtype == float
    return Table(cells, found, decimal if at_once else None)


def _decimal(lines: list[str], sep: str, number: str | None) -> str | None:
    """The decimal mark that the first numbers of a column leave no doubt about."""
    rows = list(csv.reader(lines, delimiter=sep))
    if number not in rows[0]:
        return None
    at = rows[0].index(number)
    return clear_mark([row[at] for row in rows[1:] if len(row) > at])


def _uncommented(content: bytes) -> tuple[bytes, int]:
    """Without the lines before the header that begin with #, and their number.

    The last of them is the header itself, as gnuplot has it, where it has as many cells as the line
    after it and the line after it is numbers.
    """
    count = 0
    rest = content.lstrip(b"\r\n")
    while rest.startswith(b"#"):
        line, _, after = rest.partition(b"\n")
        following = after.lstrip(b"\r\n").partition(b"\n")[0]
        if not following.startswith(b"#"):
            own, next_ = (one.decode(errors="replace").strip() for one in (line, following))
            sep = _separator([own, next_])
            alike = len({len(row) for row in csv.reader([own, next_], delimiter=sep)}) == 1
            if alike and sep in own and any(map(_is_value, next_.split(sep))):
                return rest, count
        rest, count = after.lstrip(b"\r\n"), count + 1
    return rest, count


def _widths(lines: list[str], sep: str) -> list[int]:
    """Cells of each line that is not empty."""
    return [len(row) for row in csv.reader(lines, delimiter=sep) if row]


def _separator(lines: list[str]) -> str:
    """What divides most lines as it divides the header: into two cells at least, most where several."""

    def fit(sep: str) -> tuple[float, int]:
        try:
            widths = _widths(lines, sep)
        except csv.Error:
            return 0.0, 0
        if not widths or widths[0] < 2:
            return 0.0, 0
        return sum(width == widths[0] for width in widths) / len(widths), widths[0]

    return max(_SEPARATORS, key=fit)


def _is_value(cell: str) -> bool:
    """A number, a time or what stands for none, rather than a name."""
    cell = cell.strip().strip('"')
    if not cell:
        return False
    if cell in MISSING or (cell[-1].isdigit() and cell.lstrip("+-.")[:1].isdigit()):
        return True
    return looks_like_time(cell)


def _refuse_headless(name: str, lines: list[str], sep: str) -> None:
    first = next(csv.reader(lines, delimiter=sep), [])
    if not any(one.strip() for one in first):
        raise InputError(
            f"file '{name}': its first line names no columns; add a header such as ds,y, and take out"
            " what stands above it"
        )
    if sum(bool(one.strip()) for one in first) == 1:
        _refuse_title(name, lines)
    if len(first) > 1 and all(map(_is_value, first)):
        raise InputError(
            f"file '{name}': its first line is {sep.join(first)!r}, which names no columns; add a"
            " header: ds,y"
        )


def _refuse_title(name: str, lines: list[str]) -> None:
    """A first line of one cell above a line of names and one of as many cells with a value."""
    for sep in _SEPARATORS:
        try:
            rows = list(csv.reader(lines, delimiter=sep))
        except csv.Error:
            continue
        if not rows[0] or any(cell.strip() for cell in rows[0][1:]) or not rows[0][0].strip():
            continue
        for at, (names, cells) in enumerate(itertools.pairwise(rows[1:]), start=2):
            named = len(names) > 1 and all(cell.strip() for cell in names)
            if (
                named
                and len(cells) == len(names)
                and not any(map(_is_value, names))
                and _is_value(cells[0])
                and any(map(_is_value, cells[1:]))
            ):
                raise InputError(
                    f"file '{name}': its first line is {lines[0].strip()!r}, and the names of the"
                    f" columns seem to be {sep.join(names)!r} in line {at}; take out what stands"
                    " above them"
                )


def _cells(name: str, content: bytes, sep: str, number: str | None, decimal: str) -> pd.DataFrame:
    """Every cell as text, but of a column of numbers; an empty one is ''."""
    ragged: list[str] = []
    short: list[str] = []  # of them, rows of fewer cells than the header

    def judge(row: arrow_csv.InvalidRow) -> str:
        if row.text.startswith("#"):
            return "skip"
        ragged.append(
            f"has {row.actual_columns} cells where the header has {row.expected_columns}:"
            f" {row.text[:80]!r}"
        )
        if row.actual_columns < row.expected_columns:
            short.append(ragged[-1])
        return "error"

    lines = io.TextIOWrapper(io.BytesIO(content), "utf-8", errors="replace", newline="")
    header = next(csv.reader(lines, delimiter=sep))
    names = [" ".join(one.split()).removeprefix("# ") for one in header]
    quoted = b'"' in content
    if quoted and content.count(b'"') % 2:
        raise InputError(
            f"file '{name}': one of its quotes is never closed, so rows would run into one another;"
            " close it, or write a quote that is a part of a cell twice"
        )
    twice = sorted(one for one, times in Counter(names).items() if one and times > 1)
    if twice:
        raise InputError(
            f"file '{name}': column '{twice[0]}' stands twice in its header; rename one"
        )
    kinds = {
        str(at): pa.float64() if one == number else pa.large_string()
        for at, one in enumerate(names)
    }

    def parsed(kinds: Mapping[str, pa.DataType]) -> pa.Table:
        return arrow_csv.read_csv(
            pa.BufferReader(content),
            read_options=arrow_csv.ReadOptions(
                column_names=list(kinds), skip_rows=1 + "".join(header).count("\n")
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=sep,
                newlines_in_values=quoted,
                invalid_row_handler=judge,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=kinds,
                null_values=list(MISSING),
                strings_can_be_null=False,
                decimal_point=decimal,
            ),
        )

    try:
        try:
            table = parsed(kinds)
        except pa.ArrowInvalid:
            if number not in names:
                raise
            ragged.clear()
            table = parsed(dict.fromkeys(kinds, pa.large_string()))
    except pa.ArrowInvalid as error:
        if ragged and names[-1] and all(row.endswith(f"{sep}'") for row in ragged):
            ended = content.replace(b"\n", sep.encode() + b"\n", 1)  # rows end in a separator
            return _cells(name, ended, sep, number, decimal)
        if ragged:
            note = "take it out where it is a title or a note"
            cure = f"put cells that hold {sep!r} into quotes"
            raise InputError(
                f"file '{name}': a row {ragged[0]}; mend that row, or"
                f" {note if ragged[0] in short else cure}"
            ) from error
        if "UTF8" in str(error):
            raise InputError(
                f"file '{name}' is not in UTF-8; save it so, or name its encoding: encoding=cp1252 is"
                " that of older spreadsheets"
            ) from error
        raise
    cells = table.to_pandas()
    if quoted:
        _refuse_swallowed(name, cells, sep)
    return with_names(cells.set_axis(names, axis=1))


def _refuse_swallowed(name: str, cells: pd.DataFrame, sep: str) -> None:
    """A cell that holds lines of as many cells as the table has is no cell."""
    for at in range(cells.shape[1]):
        if not isinstance(cells.dtypes.iloc[at], pd.StringDtype):
            continue
        text = pa.array(cells.iloc[:, at], type=pa.large_string())
        text = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
        if b"\n" not in text.buffers()[2].to_pybytes():
            continue
        lines = text.filter(pc.match_substring(text, "\n")).to_pylist()
        for cell in lines:
            if any(line.count(sep) == cells.shape[1] - 1 > 0 for line in cell.split("\n")[1:]):
                raise InputError(
                    f"file '{name}': the quotes of a cell hold whole rows, {cell[:60]!r}; close the"
                    " quote before them, or write a quote that is a part of a cell twice"
                )
