"""File writes that are whole or not there at all."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer


class _WholeFile(io.BufferedWriter):
    """A binary file that appears under its name when it is closed, complete.

    Bytes go to a temporary neighbour (same file system, so that the rename is atomic). Where a
    write failed, or an exception is on its way that was not there when the file was opened, closing
    drops them and the old file stays.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._partial = str(
            PurePosixPath(path).with_name(f".{PurePosixPath(path).name}.{os.getpid()}.partial")
        )
        self._error_at_opening = sys.exc_info()[1]
        super().__init__(io.FileIO(self._partial, "wb"))

    # A text file writes what it holds back only as it is closed. If that fails it closes this file
    # with no exception to see, or leaves it open: the bytes must go where the failure happens.
    @contextmanager
    def _or_drop(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            Path(self._partial).unlink(missing_ok=True)
            raise

    def write(self, data: Buffer) -> int:
        with self._or_drop():
            return super().write(data)

    def flush(self) -> None:
        with self._or_drop():
            super().flush()

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        if sys.exc_info()[1] is not self._error_at_opening:
            Path(self._partial).unlink(missing_ok=True)
        elif Path(self._partial).exists():  # no write has failed
            Path(self._partial).replace(self._path)


class AtomicLocalFileSystem(LocalFileSystem):
    """fsspec's local files, except that a file opened for writing is renamed into place.

    Every dataset of Kedro writes through fsspec; registering this for the protocol `file` makes
    them all safe against a run killed half-way, with no dataset class of our own. Text is UTF-8,
    whatever the locale.
    """

    def open(self, path: str, mode: str = "rb", *args: Any, **kwargs: Any) -> IO[Any]:
        """Open as fsspec does."""
        if "b" not in mode:
            kwargs.setdefault("encoding", "utf-8")
        return cast("IO[Any]", super().open(path, mode, *args, **kwargs))

    def _open(
        self, path: str, mode: str = "rb", block_size: int | None = None, **kwargs: Any
    ) -> IO[Any]:
        if mode != "wb":
            return super()._open(path, mode=mode, block_size=block_size, **kwargs)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return _WholeFile(path)


def write_files_whole() -> None:
    """Make every local write through fsspec in this process atomic."""
    for protocol in ("file", "local"):
        fsspec.register_implementation(protocol, AtomicLocalFileSystem, clobber=True)
