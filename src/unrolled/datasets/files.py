"""Files of one kind each, which runs write and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
from kedro.io import AbstractDataset
from kedro.utils import load_obj
from pydantic import BaseModel

from unrolled.errors import InputError
from unrolled.records import read


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


class RecordFile(AbstractDataset[BaseModel, BaseModel]):
    """One record as JSON, read back as what it was."""

    def __init__(
        self, *, filepath: str, record: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Remember where it lies.

        Args:
            filepath: of the file, a local path or a URL that fsspec knows.
            record: its class, by its full name.
            metadata: free for plugins.
        """
        self._filepath = filepath
        self._record = record
        self.metadata = metadata

    def load(self) -> BaseModel:
        """Read it.

        Raises:
            InputError: the file holds something else.
        """
        with fsspec.open(self._filepath, "rb") as file:
            return read(load_obj(self._record), file.read(), self._filepath)

    def save(self, data: BaseModel) -> None:
        """Write it whole, or leave the old file."""
        content = data.model_dump_json(indent=2)
        with fsspec.open(self._filepath, "wb") as file:
            file.write(content.encode())

    def _exists(self) -> bool:
        file = fsspec.open(self._filepath)
        return bool(file.fs.exists(file.path))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "record": self._record}


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
