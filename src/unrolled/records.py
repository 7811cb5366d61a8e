"""What a run keeps as JSON for later runs and readers: typed, and read back as such."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from unrolled.errors import InputError, shown

Model = TypeVar("Model", bound=BaseModel)


def _finite(value: Any) -> Any:  # noqa: ANN401
    return None if isinstance(value, float) and not math.isfinite(value) else value


# JSON has neither infinity nor NaN: none stands in their place.
Score = Annotated[float | None, BeforeValidator(_finite)]


class Record(BaseModel):
    """Values by name that do not change, each of a known type.

    >>> class Row(Record):
    ...     score: Score
    >>> Row(score=float("inf")).model_dump_json()
    '{"score":null}'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


def read(model: type[Model], content: bytes, path: Path | str) -> Model:
    """A record from the bytes of its file.

    Raises:
        InputError: they are no JSON, or hold something else than this version of the project writes.

    >>> read(Record, b'{"old": 1}', "card.json")
    Traceback (most recent call last):
    unrolled.errors.InputError: file 'card.json' cannot be read: 'old' is unknown; it is truncated, was changed or is of another version: run the job again
    """
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "json_invalid":
        why = first["msg"]
    elif first["type"] == "extra_forbidden":
        why = f"'{key}' is unknown"
    elif first["type"] == "missing":
        why = f"'{key}' is missing"
    else:
        why = f"'{key}' is {shown(first['input'])}; {first['msg'].replace('Input should be', 'expected')}"
    raise InputError(
        f"file '{path}' cannot be read: {why}; it is truncated, was changed or is of another version:"
        " run the job again"
    )


def finite(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record for JSON, which has neither infinity nor NaN: None in their place.

    >>> finite({"mae": float("inf"), "mase": 0.9, "variant": "gru"})
    {'mae': None, 'mase': 0.9, 'variant': 'gru'}
    """
    return {key: _finite(value) for key, value in record.items()}
