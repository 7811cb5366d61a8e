"""What the catalog says of a dataset: how it is logged, where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node


FILE_CLOCK_MS = 1000  # file times are coarser than MLflow's


def log_as(catalog: DataCatalog, name: str) -> str | None:
    """How the catalog wants a dataset logged, factory patterns included."""
    dataset = catalog.get(name)
    metadata = getattr(dataset, "metadata", None) or {}
    wanted = metadata.get("mlflow") or {}
    return wanted.get("log")


def local_file(catalog: DataCatalog, name: str) -> Path | None:
    """Where a dataset lies on this machine, if it does and has been saved."""
    dataset: Any = catalog.get(name)
    if getattr(dataset, "_protocol", "file") not in ("file", "local"):
        return None
    if getattr(dataset, "_version", None):
        path = dataset._get_load_path()
    else:
        path = getattr(dataset, "_filepath", None)
    return Path(path) if path is not None and Path(path).exists() else None


def namespaces_of(pipeline: Pipeline) -> list[str]:
    """The namespaces that hold nodes of a pipeline."""
    return sorted({node.namespace for node in pipeline.nodes if node.namespace})


def gives_numbers(node: Node, catalog: DataCatalog) -> bool:
    """Whether the catalog wants metrics or a curve of what a node gives."""
    return any(log_as(catalog, name) in ("metrics", "history") for name in node.outputs)


def written(catalog: DataCatalog, name: str, since: int) -> Path | None:
    """The file of a dataset where this run has written it; `since` is the run's start, in ms."""
    path = local_file(catalog, name)
    fresh = path is not None and path.stat().st_mtime * 1000 >= since - FILE_CLOCK_MS
    return path if fresh else None
