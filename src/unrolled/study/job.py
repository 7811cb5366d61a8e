"""What the rest of the project must know of a job: a record beside its nodes and its pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Job:
    """A folder of `pipelines`, as the command line, MLflow and the terminal see it.

    All but the name may be left out. What is called a part is named without the job's namespace.
    """

    name: str
    """Of its folder, its pipeline, the namespace of its nodes and its experiment."""
    order: int = 100
    """Lower is earlier: what trains and prints first, and whose short forms win."""
    data: str | None = None
    """The parameter that names its data set; a job without one brings its own data."""
    trains: bool = False
    """Whether it trains networks, which takes all cores; else it is a few quick nodes."""
    by_default: bool = False
    """Whether it is part of `__default__`."""
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


def job_named(jobs: Iterable[Job], name: str) -> Job:
    """The record of a job; a plain one of a namespace that has none."""
    return next((job for job in jobs if job.name == name), Job(name))
