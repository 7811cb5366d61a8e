"""Raw data of the user, as bytes: what they mean is a parameter."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem
from kedro.io import AbstractDataset

from unrolled.errors import InputError
from unrolled.series.tables import PARQUET

# Of files that hold plain text, whatever else it means.
TEXT_SUFFIXES = (
    "",
    ".txt",
    ".text",
    ".md",
    ".markdown",
    ".rst",
    ".tex",
    ".log",
    ".csv",
    ".html",
    ".xml",
)


class SeriesFile(AbstractDataset[dict[str, bytes], dict[str, bytes]]):
    """A raw series or panel, as the bytes of its file or of a folder's parts, by name; read only.

    What they mean is a parameter. The path may be local or any URL that fsspec reads.
    """

    def __init__(
        self,
        *,
        filepath: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember the path or URL of a table or of a folder of parts; `metadata` is for plugins."""
        self._filepath = filepath
        self.metadata = metadata

    def load(self) -> dict[str, bytes]:
        """Read the file whole, or every parquet part of the folder.

        Raises:
            InputError: no such file, a folder without parts, or what cannot be read.
        """
        try:
            files, path = fsspec.url_to_fs(self._filepath)
            if files.isdir(path):
                found = {
                    part.removeprefix(path.rstrip("/") + "/"): files.cat_file(part)
                    for part in sorted(files.find(path))
                    if part.lower().endswith(PARQUET)
                }
            elif files.exists(path):
                found = {PurePosixPath(path.partition("?")[0]).name: files.cat_file(path)}
            else:
                found = None
        except (ImportError, ValueError, OSError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise InputError(
                f"series file '{self._filepath}' cannot be read: {reason}; expected a file or a"
                " folder of .parquet parts"
            ) from error
        if found is None:
            raise InputError(
                f"series file '{self._filepath}' does not exist; put a .csv or .parquet with the"
                " columns unique_id, ds, y into data/01_raw/series, or name its path in"
                " conf/base/parameters/series.yml"
            )
        if not found:
            raise InputError(
                f"series file '{self._filepath}' is a folder without any .parquet part; expected"
                " one, or the path of a file"
            )
        return found

    def save(self, data: dict[str, bytes]) -> None:
        """Refuse: raw data are never written by a run."""
        raise InputError(f"series file '{self._filepath}' is raw data and is never written")

    def _exists(self) -> bool:
        files, path = fsspec.url_to_fs(self._filepath)
        return bool(files.exists(path))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class CorpusFile(AbstractDataset[bytes, bytes]):
    """A raw text file, as its bytes: what they mean is a parameter; read only.

    The path may be local or any URL that fsspec reads.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Remember the path or URL `filepath`; `metadata` is free for plugins."""
        self._filepath = filepath
        self.metadata = metadata

    def load(self) -> bytes:
        """Read the file whole.

        Raises:
            InputError: no such file, a folder, or a file that cannot be read.
        """
        try:
            files, path = fsspec.url_to_fs(self._filepath)
            found: bytes | None = files.cat_file(path) if files.isfile(path) else None
            folder = found is None and files.isdir(path)
        except (ImportError, ValueError, OSError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise InputError(
                f"corpus file '{self._filepath}' cannot be read: {reason}; expected a text file"
            ) from error
        if folder:
            raise InputError(
                f"corpus file '{self._filepath}' is a folder; expected one text file: put all texts"
                " into one, and say by corpus_options.NAME.boundaries what ends each"
            )
        if found is None:
            beside = _beside(files, path)
            if beside:
                raise InputError(
                    f"corpus file '{self._filepath}' does not exist, but there is"
                    f" {' and '.join(beside)}; name one by corpus_options.NAME.path={beside[0]}"
                )
            raise InputError(
                f"corpus file '{self._filepath}' does not exist; put a .txt file into"
                " data/01_raw/corpora, or name its path in conf/base/parameters/corpora.yml"
            )
        return found

    def save(self, data: bytes) -> None:
        """Refuse: raw data are never written by a run."""
        raise InputError(f"corpus file '{self._filepath}' is raw data and is never written")

    def _exists(self) -> bool:
        files, path = fsspec.url_to_fs(self._filepath)
        return bool(files.isfile(path))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


def _beside(files: fsspec.AbstractFileSystem, path: str) -> list[str]:
    """Text files of the same name but another suffix, where a file is missing."""
    if not isinstance(files, LocalFileSystem):
        return []
    missing = Path(path)
    return [
        str(file)
        for file in sorted(missing.parent.glob("*"))
        if file.name.startswith(missing.stem)
        and file.name.removeprefix(missing.stem).lower() in TEXT_SUFFIXES
        and file.is_file()
    ]
