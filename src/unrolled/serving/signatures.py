"""What a registered model takes and gives, in MLflow's words."""

from __future__ import annotations

from typing import Any

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

from unrolled.serving.forecaster import ServedSeries
from unrolled.serving.writer import DEFAULTS, ServedText


def of(served: ServedSeries | ServedText) -> ModelSignature:
    """The signature of a model, given what its server knows."""
    return forecaster(served.ds) if isinstance(served, ServedSeries) else writer()


def forecaster(ds: str) -> ModelSignature:
    """Rows `unique_id, ds, y` to `unique_id, ds, y_hat`; `ds` is datetime or long."""
    times = [ColSpec("string", "unique_id"), ColSpec(ds, "ds")]
    return ModelSignature(
        inputs=Schema([*times, ColSpec("double", "y")]),
        outputs=Schema([*times, ColSpec("double", "y_hat")]),
    )


def writer() -> ModelSignature:
    """Rows of `prompt` to `prompt, text, unknown`, with the options of writing as params."""
    kinds = {int: "long", float: "double"}
    params = [ParamSpec(name, kinds[type(value)], value) for name, value in DEFAULTS.items()]
    return ModelSignature(
        inputs=Schema([ColSpec("string", "prompt")]),
        outputs=Schema([ColSpec("string", name) for name in ("prompt", "text", "unknown")]),
        params=ParamSchema(params),
    )


def example(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as the signature wants them."""
    frame = pd.DataFrame(rows)
    if "ds" in frame and not pd.api.types.is_integer_dtype(frame["ds"]):
        frame["ds"] = pd.to_datetime(frame["ds"])
    return frame
