"""The loader of configuration that resolves the study of a run, and what asks it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines, settings
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from unrolled.errors import InputError
from unrolled.study.checks import merged
from unrolled.study.job import Job, Study
from unrolled.study.kept import with_kept
from unrolled.study.layout import as_parameters
from unrolled.study.parameters import expanded, kinds_of, shaped
from unrolled.study.reading import read


class StudyConfigLoader(OmegaConfigLoader):
    """Kedro's loader of `conf/`, whose parameters hold the resolved options of the study as well.

    Kedro makes one for each session, with the environment and `--params` of the run, before it asks
    the registry for pipelines. It is better placed than a hook, since kedro-viz runs no hooks.
    """

    def __init__(self, *args: Any, jobs: Iterable[Job], **kwargs: Any) -> None:
        """Take Kedro's arguments and the records of the jobs, and become the loader that the registry asks."""
        global _loader
        super().__init__(*args, **kwargs)
        self._jobs = jobs = tuple(jobs)  # of which Kedro has made a list
        self._files: dict[str, Any] | None = None
        self._study: Study | None = None
        self._parameters: dict[str, Any] | None = None  # Kedro asks five times a run
        self._typed = self.runtime_params or {}
        full = expanded(jobs, self._typed, lambda kind: str(self._configured().get(kind, "")))
        self.runtime_params = shaped(full, kinds_of(jobs))
        _loader = self

    def _configured(self) -> dict[str, Any]:
        """The parameters as the files of `conf/` give them.

        What is asked for never meets OmegaConf, which would look up `${...}` in a text.
        """
        if self._files is None:
            asked, self.runtime_params = self.runtime_params, {}
            try:
                self._files = super().__getitem__("parameters")
            except (OmegaConfBaseException, YAMLError, ValueError) as error:
                raise InputError(
                    f"the parameters in '{self.conf_source}' cannot be read:"
                    f" {' '.join(str(error).split())}; mend the file"
                ) from error
            finally:
                self.runtime_params = asked
        return self._files

    def _given(self) -> dict[str, Any]:
        """The parameters of the files, and over them what is asked for."""
        return merged(shaped(self._configured(), kinds_of(self._jobs)), self.runtime_params)

    @property
    def study(self) -> Study:
        """The study that the parameters ask for, read once.

        Raises:
            InputError: an unknown key, an impossible value, or a name that cannot be a file's.
        """
        if self._study is None:
            project = Path(self.conf_source).resolve().parent
            parameters = self._given()
            # Kedro tells its registry what was asked for before it makes this loader.
            wanted = set(getattr(pipelines, "_requested_pipelines", None) or ())
            if wanted and wanted <= {job.name for job in self._jobs if job.reads_only}:
                parameters = with_kept(self._jobs, parameters, self.runtime_params, project)
            self._study = read(self._jobs, parameters, project, self._typed)
            for job in self._jobs:
                if job.name in wanted and job.refuse is not None:
                    job.refuse(self._study, project)
        return self._study

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Configuration of a kind; the parameters with each node's options in their place."""
        if key != "parameters":
            return dict(super().__getitem__(key))
        if self._parameters is None:
            self._parameters = self._given() | as_parameters(self.study)
        return dict(self._parameters)


_loader: StudyConfigLoader | None = None


def current() -> Study:
    """The study of the session made last, or that of the base parameters where none was made."""
    if _loader is None:  # `kedro registry list` makes no session
        jobs = settings.CONFIG_LOADER_ARGS["jobs"]
        return StudyConfigLoader("conf", base_env="base", default_run_env="base", jobs=jobs).study
    return _loader.study


def resolve(key: str) -> str | None:
    """Value of `${study:series}`, or of another place that a job names, in the catalog."""
    study = current()
    places: dict[str, str | None] = {}
    for job in study.jobs:
        places |= job.places(study) if job.places is not None else {}
    found = places[key]
    return "./???" if found == "???" else found  # OmegaConf would take it for a missing value
