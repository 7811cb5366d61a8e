"""Writing, as the project knows it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from unrolled.study.checks import fields_of
from unrolled.study.job import Given, Job
from unrolled.study.reading import top
from unrolled.text.options import WritingOptions


class GenerateStudy(BaseModel):
    """What this run writes; the fields are the parameters' own names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field(description="beginning of the text, may be empty")
    length: int = Field(ge=1, description="characters written at most")
    registered: bool = Field(
        description="write with the registered champion; false: with the best model on disk"
    )
    generate: WritingOptions


def _read(given: Given) -> GenerateStudy:
    return top(GenerateStudy, given.parameters)


JOB = Job(
    name="generate",
    order=60,
    parameters=fields_of(GenerateStudy),
    read=_read,
    reads_only=True,
)
