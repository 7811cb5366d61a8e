"""The pipelines that `kedro registry list` shows."""

from importlib import import_module

from kedro.pipeline import Pipeline

from unrolled import study
from unrolled.pipelines.jobs import JOBS


def register_pipelines() -> dict[str, Pipeline]:
    """Build each job's pipeline for the variants and seeds of this run's study."""
    return pipelines_of(study.current())


def pipelines_of(now: study.Study) -> dict[str, Pipeline]:
    """The pipelines of a study, by job; `__default__` is several at once."""
    found: dict[str, Pipeline] = {
        job.name: import_module(f"unrolled.pipelines.{job.name}.pipeline").create_pipeline(now)
        for job in JOBS
    }
    default = sum((found[job.name] for job in JOBS if job.by_default), Pipeline([]))
    return {"__default__": default} | found
