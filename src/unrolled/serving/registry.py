"""Models in MLflow's registry: registered, put in front, taken back, fetched.

One registered model a job and data set, `forecasting-airline`; its alias `champion` answers, and
`previous` is the one before it.
"""

from __future__ import annotations

import os
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import unrolled
from unrolled.errors import InputError
from unrolled.tracking import client_of, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature
    from mlflow.pyfunc import PyFuncModel

CHAMPION, PREVIOUS = "champion", "previous"
REQUIREMENTS = ("mlflow", "numpy", "onnxruntime", "pandas", "pydantic")
SERVED_CODE = (
    "__init__.py",
    "errors.py",
    "records.py",
    "series/__init__.py",
    "series/formulas.py",
    "series/grid.py",
    "serving/__init__.py",
    "serving/forecaster.py",
    "serving/writer.py",
    "text/__init__.py",
    "text/writing.py",
)


def connect() -> MlflowClient:
    """MLflow where the project tracks."""
    uri = tracking_uri()
    if not uri:
        raise InputError(
            "tracking is off, but models are registered in MLflow; set enabled: true in"
            " conf/base/mlflow.yml"
        )
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    client = client_of(uri)
    import mlflow

    mlflow.set_tracking_uri(uri)
    return client


def register(
    client: MlflowClient,
    run: str,
    name: str,
    code: Path,
    folder: Path,
    signature: ModelSignature,
    example: Any,  # noqa: ANN401
    tags: dict[str, str],
    description: str,
) -> str:
    """Log a served model in a run, register it and put it in front.

    Args:
        client: of the registry, which must be the process's own tracking URI too.
        run: id of the run that holds the model.
        name: of the registered model.
        code: the file that MLflow runs to get the model.
        folder: what that model opens, itself in a folder where the code can be put together.
        signature: of rows in and out.
        example: rows in, as MLflow takes `input_example`.
        tags: of the version.
        description: of the version, in words.

    Returns:
        The version.
    """
    import mlflow

    # Numbers need no graph's runtime.
    needed = [name for name in REQUIREMENTS if name != "onnxruntime" or any(folder.glob("*.onnx"))]
    with mlflow.start_run(run_id=run):
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(code),
            artifacts={"served": str(folder)},
            code_paths=[str(_served_code(folder.parent))],
            signature=signature,
            input_example=example,
            pip_requirements=[f"{package}=={version(package)}" for package in needed],
        )
    made = mlflow.register_model(logged.model_uri, name, tags=tags).version
    client.update_model_version(name, made, description)
    before = _version(client, name, CHAMPION)
    if before is not None:
        client.set_registered_model_alias(name, PREVIOUS, before)
    client.set_registered_model_alias(name, CHAMPION, made)
    return str(made)


def _served_code(place: Path) -> Path:
    """Copy what answers into a package of its own: the rest of the project needs torch and Kedro."""
    ours = Path(unrolled.__file__).parent
    for name in SERVED_CODE:
        target = place / "unrolled" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ours / name, target)
    return place / "unrolled"


def roll_back(client: MlflowClient, name: str) -> tuple[str, str]:
    """Swap `champion` and `previous`.

    Returns:
        The version in front now, and the one that was.

    Raises:
        InputError: nothing to go back to.
    """
    now, before = _version(client, name, CHAMPION), _version(client, name, PREVIOUS)
    if now is None or before is None:
        raise InputError(
            f"registered model '{name}' has no version '{PREVIOUS if now else CHAMPION}' to roll"
            " back to; deploy twice first"
        )
    client.set_registered_model_alias(name, CHAMPION, before)
    client.set_registered_model_alias(name, PREVIOUS, now)
    return before, now


def fetch(client: MlflowClient, name: str, deployed_by: str) -> PyFuncModel:
    """The champion of a name, ready to predict.

    Args:
        client: of the registry.
        name: of the registered model.
        deployed_by: parameters of `deploy` that register such a model.

    Raises:
        InputError: none is registered.
    """
    if _version(client, name, CHAMPION) is None:
        raise InputError(
            f"registered model '{name}' has no champion; run kedro run --pipelines=deploy --params"
            f" {deployed_by} first"
        )
    import mlflow

    return mlflow.pyfunc.load_model(f"models:/{name}@{CHAMPION}")


def in_front(client: MlflowClient, name: str, sha256: str) -> str | None:
    """Version in front where it holds these very files."""
    now = _version(client, name, CHAMPION)
    if now is None or client.get_model_version(name, now).tags.get("sha256") != sha256:
        return None
    return now


def _version(client: MlflowClient, name: str, alias: str) -> str | None:
    from mlflow.exceptions import MlflowException

    try:
        return str(client.get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
