"""Putting a model into service, as the project knows it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from unrolled.study.checks import fields_of
from unrolled.study.job import Given, Job, Study
from unrolled.study.reading import top


class DeployStudy(BaseModel):
    """What goes into service; the fields are the parameters' own names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job: Literal["forecasting", "text"] = Field(description="whose winner is deployed")
    rollback: bool = Field(description="put the version before the champion in front again")
    model: str | None = Field(description="row of the leaderboard; null: the winner")


def _read(given: Given) -> DeployStudy:
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
