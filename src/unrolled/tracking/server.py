"""Where a run tracks, and a client of that server."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient


logger = logging.getLogger(__name__)
DEFAULT_URI = "sqlite:///mlflow.db"
# Where the workers of this run track; empty where tracking is off. Ours alone, so that a second
# session in the process can tell a MLFLOW_TRACKING_URI of the user's from one that we set.
URI_VARIABLE = "UNROLLED_TRACKING_URI"


def absolute_uri(uri: str, folder: Path) -> str:
    """A sqlite address that means the same file in a worker with another working directory.

    >>> absolute_uri("sqlite:///mlflow.db", Path("/project"))
    'sqlite:////project/mlflow.db'
    """
    path = uri.removeprefix("sqlite:///")
    if path in (uri, "", ":memory:"):
        return uri
    return f"sqlite:///{(folder / path).as_posix()}"


def choose_uri(config: Mapping[str, Any], project: Path) -> str:
    """Settle where this run tracks, and leave word in the environment for the workers.

    Args:
        config: `conf/*/mlflow.yml`.
        project: root of the project.

    Returns:
        the tracking URI; empty where tracking is off.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if given and given == os.environ.get(URI_VARIABLE):
        given = None  # left by an earlier session in this process
    if not config.get("enabled", True):
        if given is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)
        os.environ[URI_VARIABLE] = ""
        return ""
    if given:
        uri = absolute_uri(given, Path.cwd())
    else:
        uri = absolute_uri(str(config.get("tracking_uri") or DEFAULT_URI), project)
    os.environ["MLFLOW_TRACKING_URI"] = os.environ[URI_VARIABLE] = uri
    return uri


def client_of(uri: str) -> MlflowClient:
    """A client of MLflow, which is imported only where something is tracked."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines a run
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # 7 would take four minutes
    # A forked worker must not share an open sqlite connection with its parent.
    if uri.startswith("sqlite"):
        os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    from mlflow import MlflowClient  # here, since it takes seconds

    # A new sqlite file is brought up to date by some dozens of migrations, each with a line.
    for name in ("alembic", "mlflow.store"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri)


def tracking_uri() -> str:
    """Where this run tracks; empty where it does not."""
    return os.environ.get(URI_VARIABLE, "")


@contextmanager
def never_fatal(what: str) -> Iterator[None]:
    """Turn a failure of tracking into a warning: it must not cost the results of a run."""
    try:
        yield
    except Exception as error:  # MLflow lets the errors of requests, SQL and files through
        logger.warning("MLflow: %s was not tracked: %s", what, error)
