"""The MLflow model of a forecaster, logged as this code; MLflow runs the file to get the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel

from unrolled.errors import InputError
from unrolled.serving.forecaster import ServedForecaster


class ForecasterModel(PythonModel):
    """Rows `unique_id, ds, y` to rows `unique_id, ds, y_hat`."""

    def load_context(self, context: Any) -> None:  # noqa: ANN401
        """Open the graph that was logged with the model."""
        self.served = ServedForecaster(Path(context.artifacts["served"]))

    # Unannotated: MLflow would make a signature of its own from a type.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """Forecast; bad rows are the asker's error, of which MLflow's server makes a 400."""
        try:
            return self.served.predict(model_input)
        except InputError as error:
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from None


set_model(ForecasterModel())
