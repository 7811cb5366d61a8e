"""What the parameters may hold, and the short forms in which they may be given."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from unrolled.errors import InputError, shown
from unrolled.gradients.options import MatrixOptions, TheoryOptions
from unrolled.params import Kind, joined, nested
from unrolled.recurrent.options import LanguageOptions, ModelOptions
from unrolled.series.monitoring import MonitorOptions
from unrolled.series.options import Columns, SeriesOptions
from unrolled.study.checks import fields_of
from unrolled.study.models import DeployStudy, GenerateStudy
from unrolled.text.options import CorpusOptions, SampleOptions
from unrolled.training.options import TextTrainOptions, TrainOptions

ANY = "*"  # a name that the user gives
# What the parameters may hold, the options of a mapping by their model or by name.
PARAMETERS: dict[str, Any] = {
    "series": str,
    "variants": tuple[str, ...],
    "seeds": tuple[int, ...],
    "baselines": tuple[str, ...],
    "series_options": {
        ANY: fields_of(SeriesOptions) | {"model": ModelOptions, "training": TrainOptions}
    },
    "variant_options": {ANY: fields_of(ModelOptions, LanguageOptions) | {"training": TrainOptions}},
    "training": TrainOptions,
    "corpus": str,
    "corpus_options": {
        ANY: fields_of(CorpusOptions)
        | {"model": LanguageOptions, "training": TextTrainOptions, "samples": SampleOptions}
    },
    "text": {
        "variants": tuple[str, ...],
        "seeds": tuple[int, ...],
        "baselines": tuple[str, ...],
        "model": LanguageOptions,
        "training": TextTrainOptions,
        "samples": SampleOptions,
    },
    "monitor": MonitorOptions,
    "gradients": {
        "name": str,
        "theory": TheoryOptions,
        "variants": tuple[str, ...],
        "inits": tuple[str, ...],
        "remedies": tuple[str, ...],
        "tasks": tuple[str, ...],
        "lengths": tuple[int, ...],
        "seeds": tuple[int, ...],
        "training": MatrixOptions,
    },
} | fields_of(DeployStudy, GenerateStudy)
# Short forms on the command line: `horizon=6` is `series_options.airline.horizon=6`.
SHORT: dict[str, dict[str, tuple[str, ...]]] = {
    "series": {key: ("columns", key) for key in Columns.model_fields}
    | {key: (key,) for key in SeriesOptions.model_fields if key not in PARAMETERS},
    "corpus": {key: (key,) for key in CorpusOptions.model_fields if key not in PARAMETERS},
}


def kind_of(path: tuple[str, ...]) -> Kind:
    """What stands at a path of the parameters as they are typed, short forms too.

    >>> [kind_of(path) for path in (("series",), ("variants", "0"), ("y",), ("model",), ("horizon",))]
    ['text', 'text', 'text', 'optional', 'other']
    """
    here: Any = fields_of(Columns, CorpusOptions, SeriesOptions) | PARAMETERS
    for part in path:
        if isinstance(here, type) and issubclass(here, BaseModel):
            here = fields_of(here)
        if isinstance(here, dict):
            here = here.get(part, here.get(ANY))
        else:
            here = get_args(here)[0] if get_origin(here) is tuple else None
    choices = get_args(here) if get_origin(here) in (Union, UnionType) else (here,)
    words = [choice for choice in choices if choice is not NoneType]
    if not all(word is str or get_origin(word) is Literal for word in words):
        return "other"
    return "text" if len(words) == len(choices) else "optional"


def shaped(given: Mapping[str, Any], kinds: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """The parameters, each mapping of options a dictionary; an entry without a value is empty.

    Raises:
        InputError: another value stands where options are.
    """
    found = {}
    for key, value in given.items():
        kind = kinds.get(key, kinds.get(ANY))
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = fields_of(kind)
        if isinstance(kind, dict) and value is not None and not isinstance(value, dict):
            raise InputError(
                f"parameter '{where}{key}' is {shown(value)}; expected options, as in {{key: value}}"
            )
        found[str(key)] = (
            shaped(value or {}, kind, f"{where}{key}.") if isinstance(kind, dict) else value
        )
    return found


def expanded(asked: Mapping[str, Any], name_of: Callable[[str], str]) -> dict[str, Any]:
    """Runtime parameters with their short forms in full.

    Args:
        asked: as `--params` gives them.
        name_of: name of the `series` or `corpus` of the configuration, where `asked` names none.

    >>> expanded({"series": "mine", "ds": "Month", "horizon": 6}, str)
    {'series': 'mine', 'series_options': {'mine': {'columns': {'ds': 'Month'}, 'horizon': 6}}}

    Raises:
        InputError: an unknown key, one that may be of the series or of the corpus, or one that is
            given in full as well.
    """
    found: dict[str, Any] = {key: value for key, value in asked.items() if key in PARAMETERS}
    for key, value in asked.items():
        if key in PARAMETERS:
            continue
        kinds = [kind for kind, short in SHORT.items() if key in short]
        if not kinds:
            raise InputError(f"parameter '{key}' is unknown; {_meant(key)}")
        named = [kind for kind in kinds if kind in asked] if len(kinds) > 1 else kinds
        if len(named) != 1:
            full = " or ".join(f"{kind}_options.NAME.{key}" for kind in kinds)
            raise InputError(f"parameter '{key}' may be of a series or of a corpus; say {full}")
        (kind,) = named
        name = str(asked[kind]) if kind in asked else name_of(kind)
        found = joined(found, nested((f"{kind}_options", name, *SHORT[kind][key]), value))
    return found


def _meant(key: str) -> str:
    """What an unknown parameter may mean: the nearest word with its full key, or part of a text.

    >>> _meant("temperature")
    "did you mean 'generate.temperature'?"
    """
    full: dict[str, list[str]] = {}
    for path in _paths(PARAMETERS):
        full.setdefault(path.rpartition(".")[2], []).append(path)
    for word in (*PARAMETERS, *SHORT["series"], *SHORT["corpus"]):
        full[word] = [word]  # which needs no more
    near = difflib.get_close_matches(key, list(full), n=1)
    if near:
        return f"did you mean {' or '.join(map(repr, full[near[0]]))}?"
    return (
        f"those that there are stand in conf/base/parameters; where ',{key}=' is part of a text, give"
        f' that by itself: --set "key=..., {key}=..."'
    )


def _paths(kinds: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Full keys of all parameters, but those of a single data set, which have short forms."""
    for key, kind in kinds.items():
        path = where + ("NAME" if key == ANY else key)
        own = fields_of(kind) if isinstance(kind, type) and issubclass(kind, BaseModel) else kind
        if not isinstance(own, dict):
            yield path
        elif key not in ("series_options", "corpus_options"):
            yield from _paths(own, f"{path}.")
