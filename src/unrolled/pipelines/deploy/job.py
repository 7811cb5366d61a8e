"""Putting a model into service, as the project knows it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from unrolled.errors import InputError, shown
from unrolled.study.checks import fields_of
from unrolled.study.job import Given, Job, Study
from unrolled.study.reading import top


class DeployStudy(BaseModel):
    """What goes into service; the fields are the parameters' own names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job: str = Field(description="whose winner is deployed")
    rollback: bool = Field(description="put the version before the champion in front again")
    model: str | None = Field(description="row of the leaderboard; null: the winner")


def _read(given: Given) -> DeployStudy:
    served = [job.name for job in given.jobs if job.serve is not None]
    if given.parameters.get("job", served[0]) not in served:
        raise InputError(
            f"parameter 'job' is {shown(given.parameters['job'])}; expected"
            f" {' or '.join(map(repr, served))}"
        )
    return top(DeployStudy, given.parameters)


def _places(study: Study) -> dict[str, str | None]:
    return {"model": study.deploy.model}


JOB = Job(
    name="deploy",
    order=50,
    parameters=fields_of(DeployStudy),
    read=_read,
    places=_places,
    reads_only=True,
)
