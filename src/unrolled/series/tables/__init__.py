"""From the bytes of a file to a table whose cells are as they were written.

Text files give text: `007`, `NA` and `1e5` mean what a later reader makes of them. Parquet and
spreadsheets give the types that they hold.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import PurePosixPath

import pyarrow as pa

from unrolled.errors import InputError
from unrolled.series.tables.delimited import read_text
from unrolled.series.tables.formats import (
    EXPECTED,
    PACKED,
    PARQUET,
    SHEETS,
    SUFFIXES,
    TEXT,
    Files,
    Table,
    reason,
)
from unrolled.series.tables.typed import read_parquet, read_parts, read_sheet

__all__ = ["EXPECTED", "PARQUET", "SUFFIXES", "Files", "Table", "read"]


def read(
    files: Files,
    sep: str | None,
    sheet: str | int | None,
    encoding: str,
    number: str | None = None,
    decimal: str | None = None,
) -> Table:
    """Read a file, or the parts of a folder.

    Args:
        files: bytes by name; the name says what they are.
        sep: what stands between the cells of a text file; None: what divides every line alike.
        sheet: name or place of a spreadsheet's sheet; None: the first.
        encoding: of a text file.
        number: a column that is float64 in a text file where all its cells are numbers and their
            decimal mark is beyond doubt: as text it would be read twice.
        decimal: that mark, where it is known.

    Raises:
        InputError: what is no table, or is none without an option; the sentence says which.
    """
    if len(files) > 1 or any("/" in name for name in files):
        return Table(read_parts(files), None)
    ((name, content),) = files.items()
    name, content = _unpacked(name, content)
    suffix = PurePosixPath(name.lower()).suffix
    try:
        if suffix in TEXT:
            return read_text(name, content, sep, encoding, number, decimal)
        if suffix in PARQUET:
            return Table(read_parquet(content), None)
        if suffix in SHEETS:
            return Table(read_sheet(name, content, sheet), None)
    except InputError:
        raise
    except (ValueError, OSError, pa.ArrowException, csv.Error) as error:
        raise InputError(
            f"file '{name}' cannot be read as a table: {reason(error)}; {EXPECTED}"
        ) from error
    raise InputError(f"file '{name}' ends in {suffix or 'nothing'}; {EXPECTED}")


def _unpacked(name: str, content: bytes) -> tuple[str, bytes]:
    """The file inside a packed one."""
    path = PurePosixPath(name)
    if path.suffix.lower() not in PACKED:
        return name, content
    try:
        if path.suffix.lower() != ".zip":
            unpack = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
            return path.stem, unpack[path.suffix.lower()](content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # macOS packs a shadow beside every file.
            members = [
                one
                for one in archive.namelist()
                if not one.endswith("/")
                and not one.startswith("__MACOSX/")
                and not PurePosixPath(one).name.startswith(".")
            ]
            if len(members) == 1:
                return PurePosixPath(members[0]).name, archive.read(members[0])
    except (
        *(OSError, EOFError, RuntimeError, NotImplementedError),  # of zip: a password, a method
        *(zlib.error, lzma.LZMAError, zipfile.BadZipFile),
    ) as error:
        raise InputError(
            f"file '{name}' cannot be unpacked: {reason(error)}; pack it anew, or give the table"
            " as it is"
        ) from error
    raise InputError(
        f"file '{name}' holds {len(members)} files ({', '.join(members[:3])}"
        f"{' ...' if len(members) > 3 else ''}); expected one table: unpack it and give its path"
    )
