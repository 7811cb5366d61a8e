"""Datasets that Kedro does not bring, and file writes that are whole or not there at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, cast

import fsspec
import numpy as np
import pandas as pd
from fsspec.implementations.local import LocalFileSystem
from kedro.io import AbstractDataset

from unrolled.comparison.champion import MEDIAN
from unrolled.errors import InputError
from unrolled.series.tables import PARQUET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Buffer


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


class StoredForecasts(AbstractDataset[pd.DataFrame, pd.DataFrame]):
    """What the pipeline `forecast` has written, `unique_id, ds, cutoff, y_hat` in parquet; read only."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Remember the local path `filepath`; `metadata` is free for plugins."""
        self._filepath = filepath
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Read them.

        Raises:
            InputError: there are none, or the file is damaged.
        """
        if not self._exists():
            raise InputError(
                f"forecasts '{self._filepath}' do not exist; run the pipeline forecast first"
            )
        try:
            return pd.read_parquet(self._filepath)
        except (ValueError, OSError) as error:  # pyarrow's are these
            raise InputError(
                f"forecasts '{self._filepath}' cannot be read: {' '.join(str(error).split())}; run"
                " the pipeline forecast again"
            ) from error

    def save(self, data: pd.DataFrame) -> None:
        """Refuse: the pipeline `forecast` writes them."""
        raise InputError(f"forecasts '{self._filepath}' are read here, not saved")

    def _exists(self) -> bool:
        return Path(self._filepath).exists()

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


class NpyDataset(AbstractDataset["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]):
    """One numpy array in a `.npy` file, memory-mapped when loaded, never pickled."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Remember the local path `filepath`; `metadata` is free for plugins."""
        self._filepath = filepath
        self.metadata = metadata

    def load(self) -> np.ndarray[Any, Any]:
        """Map the file into memory, read only."""
        return np.load(self._filepath, mmap_mode="r", allow_pickle=False)

    def save(self, data: np.ndarray[Any, Any]) -> None:
        """Write the array whole, or leave the old file."""
        with fsspec.open(self._filepath, "wb") as file:
            np.save(file, data, allow_pickle=False)

    def _exists(self) -> bool:
        return Path(self._filepath).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class SafetensorsDataset(AbstractDataset[dict[str, Any], dict[str, Any]]):
    """A model's `state_dict` as safetensors: tensors by name, no code."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Remember the local path `filepath`; `metadata` is free for plugins."""
        self._filepath = filepath
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """Read all tensors into memory."""
        from safetensors.torch import load_file

        return load_file(self._filepath)

    def save(self, data: dict[str, Any]) -> None:
        """Write all tensors whole, or leave the old file."""
        with fsspec.open(self._filepath, "wb") as file:
            file.write(as_safetensors(data))

    def _exists(self) -> bool:
        return Path(self._filepath).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


def as_safetensors(weights: dict[str, Any]) -> bytes:
    """The bytes of the file that tensors by name are saved in."""
    from safetensors.torch import save

    return save({name: tensor.contiguous() for name, tensor in weights.items()})


class Digests(AbstractDataset[dict[str, str], dict[str, str]]):
    """SHA-256 of the models below a local folder, by their paths there, and of what was fitted first.

    Read only. The graph does not know who writes them: a node that asks for digests must take something else
    that is written with each file, and so runs after it.
    """

    def __init__(
        self,
        *,
        filepath: str,
        glob: str,
        fitted: dict[str, str],
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember which files to read.

        Args:
            filepath: local folder of the models.
            glob: its files.
            fitted: `filepath` of the scaler or vocabulary that the models rely on; Kedro makes a
                relative path absolute under that key alone.
            metadata: free for plugins.
        """
        self._filepath = filepath
        self._glob = glob
        self._fitted = Path(fitted["filepath"])
        self.metadata = metadata

    def load(self) -> dict[str, str]:
        """Read every file whole."""
        folder = Path(self._filepath)
        files = {
            file.relative_to(folder).as_posix(): file for file in sorted(folder.glob(self._glob))
        }
        files[self._fitted.name] = self._fitted
        return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}

    def save(self, data: dict[str, str]) -> None:
        """Refuse: a digest says what lies there."""
        raise InputError(f"digests of '{self._filepath}' are computed from its files, not saved")

    def _exists(self) -> bool:
        return Path(self._filepath).is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "glob": self._glob, "fitted": str(self._fitted)}


class FilesOf(AbstractDataset[dict[str, bytes], dict[str, bytes]]):
    """All files of one local folder, as their bytes by name."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Remember the local folder `filepath`; `metadata` is free for plugins."""
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, bytes]:
        """Read every file whole."""
        return {path.name: path.read_bytes() for path in sorted(self._folder.iterdir())}

    def save(self, data: dict[str, bytes]) -> None:
        """Write each file whole, or leave the old one; then drop what is not among them."""
        for name, content in data.items():
            with fsspec.open(str(self._folder / name), "wb") as file:
                file.write(content)
        for path in self._folder.iterdir():
            if path.name not in data:
                path.unlink()

    def _exists(self) -> bool:
        return self._folder.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"folder": str(self._folder)}


class Row(AbstractDataset[dict[str, Any], dict[str, Any]]):
    """A row of the leaderboard, ready to forecast: its name, and its networks where it has some.

    Every file must be the one that was scored, the scaler too: it decides what the numbers in and out
    mean.
    """

    def __init__(
        self,
        *,
        filepath: str,
        fitted: dict[str, str],
        model: str | None = None,
        parameter: str = "model",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember where the files lie.

        Args:
            filepath: local folder of all variants.
            fitted: `filepath` of the scaler; see `Digests`.
            model: name of the row; None: the winner.
            parameter: that says so, for the sentence.
            metadata: free for plugins.
        """
        self._folder = Path(filepath)
        self._fitted = Path(fitted["filepath"])
        self._model, self._parameter = model, parameter
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """Read `winner.json` and the files of the networks.

        Returns:
            `variant`, `kind`, `winner` (what `winner.json` holds) and `networks`: weights and the
            options beside them, one of a variant, all seeds of an ensemble, none of a baseline.

        Raises:
            InputError: the job has not run, the row is not in its leaderboard, or a file is missing
                or is another than was scored.
        """
        from safetensors.torch import load

        path = self._folder / "winner.json"
        if not path.exists():
            raise InputError(
                f"file '{path}' does not exist, so nothing has been compared yet on this data set,"
                f" '{self._folder.name}'; run the pipeline {self._folder.parent.name} first"
            )
        winner = json.loads(path.read_bytes())
        name = self._model or winner["variant"]
        if name not in winner["rows"]:
            raise InputError(
                f"parameter '{self._parameter}' is {name!r}; expected a row of the leaderboard of"
                f" '{winner['data_set']}': {', '.join(winner['rows'])}"
            )
        row, digests = winner["rows"][name], winner["digests"]
        networks = []
        if row["kind"] != "baseline":
            _verified(self._fitted, digests.get(self._fitted.name, "no digest of it"))
        for seed in row["seeds"][: 1 if row["kind"] == "recurrent" else None]:
            stem = f"{name.removesuffix(MEDIAN) if row['kind'] == 'ensemble' else name}/seed_{seed}"
            weights, card = (
                _verified(self._folder / file, digests[file])
                for file in (f"{stem}.safetensors", f"{stem}.json")
            )
            networks.append((load(weights), json.loads(card)))
        return {"variant": name, "kind": row["kind"], "winner": winner, "networks": networks}

    def save(self, data: dict[str, Any]) -> None:
        """Refuse: the job writes these files one by one."""
        raise InputError(f"rows of '{self._folder}' are read, not saved")

    def _exists(self) -> bool:
        return (self._folder / "winner.json").exists()

    def _describe(self) -> dict[str, Any]:
        return {"folder": str(self._folder), "fitted": str(self._fitted), "model": self._model}


def _verified(path: Path, sha256: str) -> bytes:
    """The bytes of a file, which must have this digest."""
    content = path.read_bytes() if path.exists() else b""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise InputError(
            f"file '{path}' {f'has SHA-256 {found}' if path.exists() else 'is missing'}, but the"
            f" model that was scored had {sha256}; it is truncated or was changed: run the job"
            " again"
        )
    return content


def _weights(path: Path, sha256: str) -> dict[str, Any]:
    """Weights of this digest; where they were scored, the options beside them must have been too."""
    from safetensors.torch import load

    content, winner = _verified(path, sha256), path.parents[1] / "winner.json"
    scored = json.loads(winner.read_bytes())["digests"] if winner.exists() else {}
    name = f"{path.parent.name}/{path.stem}"
    if scored.get(f"{name}.safetensors") == sha256:
        _verified(path.with_suffix(".json"), scored[f"{name}.json"])
    return load(content)


def _card(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise InputError(
            f"file '{path}' cannot be read: {error}; it is truncated or was changed: run the job"
            " again"
        ) from None


class TrainedModels(
    AbstractDataset[None, "list[tuple[dict[str, Any], Callable[[], dict[str, Any]]]]"]
):
    """Every language model of a corpus that lies on disk, whichever study trained it; read only."""

    def __init__(
        self, *, filepath: str, corpus: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Remember where the models lie.

        Args:
            filepath: local folder with `{variant}/seed_{n}.safetensors` and `.json`.
            corpus: its name, for the sentence.
            metadata: free for plugins.
        """
        self._filepath, self._corpus = filepath, corpus
        self.metadata = metadata

    def load(self) -> list[tuple[dict[str, Any], Callable[[], dict[str, Any]]]]:
        """Read the options of each model, and give a function that loads its weights.

        That function raises an `InputError` where the weights are not those of the options.

        Raises:
            InputError: there is none, or its options cannot be read.
        """
        found = [
            (_card(path.with_suffix(".json")), path)
            for path in sorted(Path(self._filepath).glob("*/seed_*.safetensors"))
            if path.with_suffix(".json").exists()
        ]
        if not found:
            raise InputError(
                f"corpus '{self._corpus}': no model is trained yet; run kedro run --pipelines=text"
                f" --params corpus={self._corpus} first"
            )
        return [(card, partial(_weights, path, card.get("sha256", ""))) for card, path in found]

    def save(self, data: None) -> None:
        """Refuse: models are written one by one, where they are trained."""
        raise InputError(f"models in '{self._filepath}' are read together and never written so")

    def _exists(self) -> bool:
        return any(Path(self._filepath).glob("*/seed_*.safetensors"))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "corpus": self._corpus}
