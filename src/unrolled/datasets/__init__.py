"""Datasets that Kedro does not bring, and file writes that are whole or not there at all."""

from unrolled.datasets.files import (
    FilesOf,
    NpyDataset,
    RecordFile,
    SafetensorsDataset,
    StoredForecasts,
    as_safetensors,
)
from unrolled.datasets.models import Digests, Row, TrainedModels
from unrolled.datasets.raw import CorpusFile, SeriesFile
from unrolled.datasets.whole import AtomicLocalFileSystem, write_files_whole

__all__ = [
    "AtomicLocalFileSystem",
    "CorpusFile",
    "Digests",
    "FilesOf",
    "NpyDataset",
    "RecordFile",
    "Row",
    "SafetensorsDataset",
    "SeriesFile",
    "StoredForecasts",
    "TrainedModels",
    "as_safetensors",
    "write_files_whole",
]
