"""What the rest of the project must know of a job: a record beside its nodes and its pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from kedro.pipeline import Node


@dataclass(frozen=True, eq=False)
class DataSet:
    """Options of a kind of data sets, which are kept beside results and have short forms."""

    options: type[BaseModel]
    inside: tuple[str, ...] = ()
    """Options whose own options have short forms too: `ds=Month` is one of `columns`."""
    late: tuple[str, ...] = ()
    """Options that may be said after training where they were not said before."""

    @property
    def short(self) -> dict[str, tuple[str, ...]]:
        """Paths of the options by their short forms."""
        own = self.options.model_fields
        nested: dict[str, Any] = {name: own[name].annotation for name in self.inside}
        found = {key: (name, key) for name in nested for key in nested[name].model_fields}
        return found | {key: (key,) for key in own}


@dataclass(frozen=True, eq=False)
class Given:
    """What a job reads its study from."""

    parameters: Mapping[str, Any]
    """All of the run, each mapping of options a dictionary."""
    asked: Mapping[str, Any]
    """Those of the command line alone, in full."""
    short: Mapping[str, Mapping[tuple[int | str, ...], str]]
    """By kind of data set: short forms that were typed, by the paths of their options."""
    kinds: Mapping[str, Any]
    """What the parameters of all jobs may hold."""
    project: Path
    """Its root; relative paths are below it."""
    jobs: Jobs


@dataclass(frozen=True, eq=False)
class Job:
    """A folder of `pipelines`, as study, command line, MLflow and terminal see it.

    All but the name may be left out. What is called a part is named without the job's namespace.
    """

    name: str
    """Of its folder, its pipeline, the namespace of its nodes and its experiment."""
    order: int = 100
    """Lower is earlier: what trains and prints first."""

    data: str | None = None
    """The parameter that names its data set; a job without one brings its own data."""
    data_set: DataSet | None = None
    """Options of its data sets, `{data}_options`; None where they are another job's."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What it adds to the parameters: a mapping's options by their model, or by their names."""
    read: Callable[[Given], Any] | None = None
    """Its part of the study, a model; raises `InputError`."""
    lay_out: Callable[[Any], dict[str, Any]] | None = None
    """Its part of the study as parameters below its name, where its nodes ask for them."""
    places: Callable[[Study], Mapping[str, str | None]] | None = None
    """What `${study:...}` in the catalog is."""
    refuse: Callable[[Study, Path], None] | None = None
    """Called where the command line names its pipeline, to raise `InputError` before any node."""

    reads_only: bool = False
    """Whether it only reads results, and so takes what they were made with, whatever `conf/` says now."""
    trains: bool = False
    """Whether it trains networks, which takes all cores; else it is a few quick nodes."""
    by_default: bool = False
    """Whether it is part of `__default__`."""
    serve: Callable[[], list[Node]] | None = None
    """Nodes that make `service`, `request` and `parity` of its `row`, for `deploy`."""

    results: tuple[str, ...] = ()
    """Parts that are printed as soon as all are there: a table, and `protocol`, `champion`, `winner`."""
    shown_last: Mapping[str, str] = field(default_factory=dict)
    """Tables that are printed at a run's end, with what their files are."""
    next_step: Mapping[str, str] = field(default_factory=dict)
    """Parts, and the line at a run's end that says what to do with them; `{name}` is the data set's."""
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the parts of a namespace below `{job}.{kind}` are in MLflow; without: a variant and a seed."""
    runs: str | None = None
    """What its child runs are together, for the name of their parent, which else names the variants."""


Jobs = tuple[Job, ...]


@dataclass(frozen=True, eq=False)
class Study:
    """What a run compares, job by job, with every default resolved: `study.forecasting.seeds`."""

    jobs: Jobs
    by_job: Mapping[str, Any]
    """Parts as the jobs read them."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """The part of a job."""
        try:
            return self.__dict__["by_job"][name]
        except KeyError:
            raise AttributeError(f"the study has no part '{name}'") from None


def job_named(jobs: Iterable[Job], name: str) -> Job:
    """The record of a job; a plain one of a namespace that has none."""
    return next((job for job in jobs if job.name == name), Job(name))


def with_data_sets(jobs: Iterable[Job]) -> list[tuple[Job, str, DataSet]]:
    """The jobs whose data sets have options, with their kind: the parameter that names one."""
    return [
        (job, job.data, job.data_set)
        for job in jobs
        if job.data is not None and job.data_set is not None
    ]
