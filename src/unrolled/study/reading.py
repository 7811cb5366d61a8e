"""The parameters, resolved into a study: each job reads its part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unrolled.errors import InputError
from unrolled.study.checks import Keys, Model, checked, refuse_unknown
from unrolled.study.job import Given, Jobs, Study, with_data_sets
from unrolled.study.parameters import expanded, kinds_of, shaped, short_of


def read(
    jobs: Jobs,
    parameters: dict[str, Any],
    project: Path,
    asked: Mapping[str, Any] | None = None,
) -> Study:
    """Resolve the parameters into a study.

    Args:
        jobs: that there are.
        parameters: the raw parameters of Kedro, runtime parameters merged in.
        project: root of the project; relative paths are below it.
        asked: the runtime parameters alone, as they were typed: their `training` and `text` win over an
            entry of a series or corpus, and a sentence about a short form names it so.

    Raises:
        InputError: an unknown key, an impossible value, or a name that cannot be a file's.
    """
    asked, kinds = asked or {}, kinds_of(jobs)
    refuse_unknown(parameters, kinds, "")
    parameters = shaped(parameters, kinds)
    full = shaped(expanded(jobs, asked, lambda kind: str(parameters.get(kind, ""))), kinds)
    _refuse_idle(jobs, full, parameters)
    short: dict[str, dict[Keys, str]] = {
        kind: {path: key for key, path in forms.items() if key in asked}
        for kind, forms in short_of(jobs).items()
    }
    given = Given(parameters, full, short, kinds, project, jobs)
    return Study(jobs, {job.name: job.read(given) for job in jobs if job.read is not None})


def top(model: type[Model], parameters: Mapping[str, Any]) -> Model:
    """Options that are parameters by themselves."""
    own = {key: parameters[key] for key in model.model_fields if key in parameters}
    return checked(model, ("", own))


def _refuse_idle(jobs: Jobs, asked: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Refuse what was asked of a data set that this run does not read, as of a typo in its name."""
    for _, kind, _ in with_data_sets(jobs):
        name = str(parameters.get(kind, ""))
        for other in asked.get(f"{kind}_options", {}):
            if other not in (name, "defaults"):
                raise InputError(
                    f"parameter '{kind}_options.{other}' is of a {kind} that this run does not read;"
                    f" {kind} is '{name}': name the other by {kind}, or leave its options out"
                )
