"""What the parameters may hold, and the short forms in which they may be given."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from unrolled.errors import InputError, shown
from unrolled.params import Kind, joined, nested
from unrolled.study.checks import fields_of, merged
from unrolled.study.job import Jobs, with_data_sets

ANY = "*"  # a name that the user gives


@cache
def kinds_of(jobs: Jobs) -> dict[str, Any]:
    """What the parameters may hold, the options of a mapping by their model or by name."""
    return merged(*(dict(job.parameters) for job in jobs))


@cache
def short_of(jobs: Jobs) -> dict[str, dict[str, tuple[str, ...]]]:
    """Short forms on the command line, by kind of data set, as paths in the options of one.

    `horizon=6` is `series_options.airline.horizon=6`.
    """
    known = kinds_of(jobs)
    return {
        kind: {key: path for key, path in data_set.short.items() if key not in known}
        for _, kind, data_set in with_data_sets(jobs)
    }


def kind_of(jobs: Jobs, path: tuple[str, ...]) -> Kind:
    """What stands at a path of the parameters as they are typed, short forms too.

    >>> from unrolled.pipelines.jobs import JOBS
    >>> paths = [("series",), ("variants", "0"), ("y",), ("model",), ("horizon",)]
    >>> [kind_of(JOBS, path) for path in paths]
    ['text', 'text', 'text', 'optional', 'other']
    """
    here: Any = _of_short_forms(jobs) | kinds_of(jobs)
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


@cache
def _of_short_forms(jobs: Jobs) -> dict[str, Any]:
    """Types of all options that have a short form."""
    found: dict[str, Any] = {}
    for _, _, data_set in with_data_sets(jobs):
        for key, path in data_set.short.items():
            here: Any = data_set.options
            for part in path:
                here = fields_of(here)[part]
            found.setdefault(key, here)
    return found


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


def expanded(jobs: Jobs, asked: Mapping[str, Any], name_of: Callable[[str], str]) -> dict[str, Any]:
    """Runtime parameters with their short forms in full.

    Args:
        jobs: that there are.
        asked: as `--params` gives them.
        name_of: name of the `series` or `corpus` of the configuration, where `asked` names none.

    >>> from unrolled.pipelines.jobs import JOBS
    >>> expanded(JOBS, {"series": "mine", "ds": "Month", "horizon": 6}, str)
    {'series': 'mine', 'series_options': {'mine': {'columns': {'ds': 'Month'}, 'horizon': 6}}}

    Raises:
        InputError: an unknown key, one that may be of the series or of the corpus, or one that is
            given in full as well.
    """
    known, short = kinds_of(jobs), short_of(jobs)
    found: dict[str, Any] = {key: value for key, value in asked.items() if key in known}
    for key, value in asked.items():
        if key in known:
            continue
        kinds = [kind for kind, forms in short.items() if key in forms]
        if not kinds:
            raise InputError(f"parameter '{key}' is unknown; {_meant(jobs, key)}")
        named = [kind for kind in kinds if kind in asked] if len(kinds) > 1 else kinds
        if len(named) != 1:
            full = " or ".join(f"{kind}_options.NAME.{key}" for kind in kinds)
            may = " or ".join(f"of a {kind}" for kind in kinds)
            raise InputError(f"parameter '{key}' may be {may}; say {full}")
        (kind,) = named
        name = str(asked[kind]) if kind in asked else name_of(kind)
        found = joined(found, nested((f"{kind}_options", name, *short[kind][key]), value))
    return found


def _meant(jobs: Jobs, key: str) -> str:
    """What an unknown parameter may mean: the nearest word with its full key, or part of a text.

    >>> from unrolled.pipelines.jobs import JOBS
    >>> _meant(JOBS, "temperature")
    "did you mean 'generate.temperature'?"
    """
    full: dict[str, list[str]] = {}
    known, short = kinds_of(jobs), short_of(jobs)
    for path in _paths({key: kind for key, kind in known.items() if key not in _entries(jobs)}):
        full.setdefault(path.rpartition(".")[2], []).append(path)
    for word in (*known, *(key for forms in short.values() for key in forms)):
        full[word] = [word]  # which needs no more
    near = difflib.get_close_matches(key, list(full), n=1)
    if near:
        return f"did you mean {' or '.join(map(repr, full[near[0]]))}?"
    return (
        f"those that there are stand in conf/base/parameters; where ',{key}=' is part of a text, give"
        f' that by itself: --set "key=..., {key}=..."'
    )


def _entries(jobs: Jobs) -> list[str]:
    """Parameters that hold options of single data sets, which have short forms."""
    return [f"{kind}_options" for _, kind, _ in with_data_sets(jobs)]


def _paths(kinds: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Full keys of parameters."""
    for key, kind in kinds.items():
        path = where + ("NAME" if key == ANY else key)
        own = fields_of(kind) if isinstance(kind, type) and issubclass(kind, BaseModel) else kind
        if not isinstance(own, dict):
            yield path
        else:
            yield from _paths(own, f"{path}.")
