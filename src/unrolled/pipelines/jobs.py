"""The jobs that there are: every folder beside this file that holds a `job.py`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from unrolled.study.job import Job, Jobs


def found(package: str = "unrolled.pipelines") -> Jobs:
    """The records of all folders of a package, in their order, then by name.

    Raises:
        ValueError: a record has another name than its folder.
    """
    records = []
    (folder,) = import_module(package).__path__
    for file in sorted(Path(folder).glob("*/job.py")):
        name = file.parent.name
        job: Job = import_module(f"{package}.{name}.job").JOB
        if job.name != name:
            raise ValueError(f"'{file}' holds the job '{job.name}'; name it as its folder")
        records.append(job)
    return tuple(sorted(records, key=lambda job: (job.order, job.name)))


JOBS = found()
