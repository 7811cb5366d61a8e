"""What a data set was run with is kept beside its results; what only reads them takes it from there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unrolled.errors import InputError
from unrolled.study.checks import checked, merged
from unrolled.study.job import Jobs, with_data_sets
from unrolled.study.names import file_name

KEPT = "data/06_models/{job}/{name}/study.json"
# Where rows lie, under which licence and in which unit changes nothing that was learnt from them.
PLACES = ("path", "licence", "unit")


def with_kept(
    jobs: Jobs, parameters: dict[str, Any], asked: Mapping[str, Any], project: Path
) -> dict[str, Any]:
    """The parameters with the options that the data sets were run with, where they are kept.

    Args:
        jobs: that there are.
        parameters: the raw parameters of Kedro, runtime parameters merged in.
        asked: the runtime parameters alone, which must not say otherwise, but may say how a file is
            written where that was not said.
        project: root of the project.

    Raises:
        InputError: `asked` says otherwise, or what is kept cannot be read.
    """
    for job, kind, data_set in with_data_sets(jobs):
        name, model = file_name(parameters, kind), data_set.options
        path = project / KEPT.format(job=job.name, name=name)
        if not path.exists():
            continue
        try:
            kept = dict(json.loads(path.read_bytes()))
        except (TypeError, ValueError) as error:
            raise InputError(
                f"file '{path}' cannot be read: {error}; run the pipeline {job.name} again"
            ) from error
        entries = parameters.get(f"{kind}_options", {})
        said = {
            key: value
            for key, value in asked.get(f"{kind}_options", {}).get(name, {}).items()
            if key in model.model_fields and key not in PLACES
        }
        now = checked(model, (f"{path}", kept), (f"{kind}_options.{name}", said))
        before = dict(_leaves(checked(model, (f"{path}", kept)).model_dump(mode="json")))
        for key, value in _leaves(now.model_dump(mode="json")):
            unsaid = key in data_set.late and before[key] == model.model_fields[key].default
            if value != before[key] and not unsaid:
                raise InputError(
                    f"{kind} '{name}' was run with {key} {before[key]!r}, but --params says"
                    f" {value!r}; leave it out, or run kedro run --pipelines={job.name} with it first"
                )
        places = {key: kept[key] for key in PLACES if key in kept}
        learnt = {key: value for key, value in kept.items() if key not in PLACES}
        entry = merged(places, entries.get(name, {}), learnt, said)
        parameters = merged(parameters, {f"{kind}_options": {name: entry}})
    return parameters


def _leaves(values: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    """Values of a nested dictionary, by their paths."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{where}{key}.")
        else:
            yield f"{where}{key}", value
