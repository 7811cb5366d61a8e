"""Options are built from what was given, or a sentence says which key is wrong and why."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from unrolled.errors import InputError, shown

# Of whole numbers: beyond it lie seeds that torch does not take, and counts that no memory holds.
LARGEST = 2**32
Model = TypeVar("Model", bound=BaseModel)
Keys = tuple[int | str, ...]  # of keys inside options
# What pydantic calls a type of JSON.
_EXPECTED = {
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "string_type": "expected text; in a file of conf put it in quotes",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list",
    "too_short": "expected at least one",
}


def checked(
    model: type[Model], *layers: tuple[str, dict[str, Any]], short: Mapping[Keys, str] = {}
) -> Model:
    """Build an option model, or say in a sentence which key is wrong and why.

    Args:
        model: of the options.
        layers: where values stand and the values, later ones first in rank.
        short: the short forms in which options were given, by their path in the model.
    """
    values = merged(*(layer for _, layer in layers))
    try:
        # As JSON, since there 1 is no text, '1' no number and 1.0 no whole number, but a list a tuple.
        found = model.model_validate_json(
            to_json(values, inf_nan_mode="constants", fallback=str), strict=True
        )
    except ValidationError as error:
        errors = error.errors()
    else:
        for path, number in _numbers(found.model_dump()):
            whole = isinstance(number, int)
            if (whole and abs(number) >= LARGEST) or not math.isfinite(number):
                expected = f"number below {LARGEST}" if whole else "finite number"
                raise InputError(
                    f"parameter '{_key(path, layers, short)}' is {shown(number)}; expected a {expected}"
                )
        return found
    first, path = errors[0], _path_of(model, errors[0])
    key = _key(path, layers, short)
    if first["type"] == "extra_forbidden":
        hint = nearest(str(path[-1]), _fields_at(model, path[:-1]))
        raise InputError(f"parameter '{key}' is unknown; {hint}")
    if first["type"] == "missing":
        raise InputError(f"parameter '{key}' is missing; give it in conf/base/parameters")
    messages = [
        _EXPECTED.get(one["type"])
        or one["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
        for one in errors
        if _path_of(model, one) == path
    ]
    message = " or ".join(messages).replace(" or expected", " or")
    if first["type"] == "value_error" and isinstance(first["input"], dict):
        raise InputError(f"parameters under '{key}': {message}")  # the rule names the fields
    raise InputError(f"parameter '{key}' is {shown(first['input'])}; {message}")


def _path_of(model: type[BaseModel], error: Any) -> Keys:  # noqa: ANN401
    """Path of an error inside a model, without pydantic's names for the members of a union."""
    place: Any = model
    path: list[int | str] = []
    for part in error["loc"]:
        fields = (
            fields_of(place) if isinstance(place, type) and issubclass(place, BaseModel) else None
        )
        if fields is not None or isinstance(part, int):
            path.append(part)
        place = (fields or {}).get(part)
    return tuple(path)


def _key(
    path: Keys, layers: Sequence[tuple[str, dict[str, Any]]], short: Mapping[Keys, str]
) -> str:
    """The key as the user gave it: in short, or below the last layer that holds it."""
    if path in short:
        return short[path]
    holding = [where for where, layer in layers if path and path[0] in layer]
    where = (holding or [where for where, _ in layers])[-1]
    return ".".join(filter(None, [where, *map(str, path)]))


def _numbers(values: object, *path: int | str) -> Iterator[tuple[Keys, float]]:
    """Every number inside options, by its path."""
    if isinstance(values, dict):
        inside = list(values.items())
    elif isinstance(values, tuple):
        inside = list(enumerate(values))
    else:
        inside = []
        if isinstance(values, int | float):
            yield path, values
    for key, value in inside:
        yield from _numbers(value, *path, key)


def nearest(value: str, known: Iterable[str]) -> str:
    """The known word nearest to a wrong one, or all of them."""
    near = difflib.get_close_matches(value, list(known), n=1)
    return f"did you mean '{near[0]}'?" if near else f"expected one of {', '.join(map(str, known))}"


def _fields_at(model: type[BaseModel], path: Keys) -> list[str]:
    """Names of the fields of the option model that lies at `path` inside `model`."""
    for part in path:
        nested = model.model_fields[str(part)].annotation
        assert isinstance(nested, type)
        assert issubclass(nested, BaseModel)
        model = nested
    return sorted(model.model_fields)


def refuse_unlisted(name: str, value: str, known: list[str]) -> None:
    """Refuse a value of a list that is none of the known ones, with the nearest of them."""
    if value not in known:
        raise InputError(
            f"parameter '{name}' lists {shown(value)}, which is unknown; {nearest(value, known)}"
        )


def refuse_unknown(given: Iterable[str], known: Collection[str], where: str) -> None:
    """Refuse a key that is none of the known ones, with the nearest of them."""
    for key in given:
        if key not in known:
            raise InputError(f"parameter '{where}{key}' is unknown; {nearest(str(key), known)}")


def merged(*layers: dict[str, Any]) -> dict[str, Any]:
    """Merge dictionaries key by key, later ones first in rank, nested ones inside."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def fields_of(*models: type[BaseModel]) -> dict[str, Any]:
    """Types of the fields of option models, by their names."""
    return {key: field.annotation for each in models for key, field in each.model_fields.items()}
