"""The MLflow model of a language model, logged as this code; MLflow runs the file to get it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel

from unrolled.errors import InputError
from unrolled.serving.writer import DEFAULTS, MAX_TOTAL, ServedWriter


class WriterModel(PythonModel):
    """Rows of `prompt` to rows of `prompt, text, unknown`."""

    def load_context(self, context: Any) -> None:  # noqa: ANN401
        """Open the graph that was logged with the model."""
        self.served = ServedWriter(Path(context.artifacts["served"]))

    # Unannotated: MLflow would make a signature of its own from a type.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """Write on from every prompt."""
        prompts = model_input["prompt"].tolist()
        length = int((DEFAULTS | (params or {}))["length"])
        if len(prompts) * length > MAX_TOTAL:
            raise MlflowException(
                f"{len(prompts)} prompts of length {length} ask for more than {MAX_TOTAL} characters;"
                " send fewer prompts at once",
                error_code=INVALID_PARAMETER_VALUE,
            )
        texts = ["".join(self._stream(prompt, params)) for prompt in prompts]
        unknown = ["".join(self.served.unknown(prompt)) for prompt in prompts]
        return model_input[["prompt"]].assign(text=texts, unknown=unknown)

    def predict_stream(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """Write on from one prompt, each character as soon as it is drawn."""
        # MLflow hands the one row over as a dictionary.
        return self._stream(model_input["prompt"], params)

    def _stream(self, prompt: str, params: dict[str, Any] | None) -> Iterator[str]:
        try:
            return self.served.stream(prompt, **(DEFAULTS | (params or {})))
        except InputError as error:
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from None


set_model(WriterModel())
