"""Options of a corpus, from the file to the vocabulary, and of writing."""

import math
import os
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from unrolled.encodings import Encoding

Boundaries = Literal["none", "line", "blank_line"]


def _from_zero(temperature: float) -> float:
    if not 0 <= temperature < math.inf:
        raise ValueError("expected a number from 0, which takes the likeliest character every time")
    return temperature


Temperature = Annotated[float, AfterValidator(_from_zero)]


class CorpusOptions(BaseModel):
    """One corpus of the text job."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = Field(None, description="text file or its URL; ~ is the home folder")
    licence: str | None = Field(None, description="of the data, for report and model card")
    encoding: Encoding = Field("utf-8", description="the file's encoding, by its name in Python")
    undecodable: Literal["error", "drop"] = Field(
        "error", description="what to do about bytes that are no text in this encoding"
    )
    normalise: bool = Field(True, description="compose characters and their marks (Unicode's NFC)")
    fold_width: bool = Field(
        False, description="write full-width forms (U+FF01 to U+FF5E, U+3000) as ASCII"
    )
    drop_control: bool = Field(
        False, description="leave out NUL and all control characters but newline and tab"
    )
    boundaries: Boundaries = Field("none", description="what ends a document")

    validation: float = Field(
        0.1, gt=0, lt=1, description="share of the documents, without boundaries of the characters"
    )
    test: float = Field(0.1, gt=0, lt=1, description="share likewise")

    min_count: int = Field(1, ge=1, description="times a character is in train to be known")
    max_size: int | None = Field(
        None, ge=1, description="characters known at most, the commonest; None: all"
    )

    @field_validator("path")
    @classmethod
    def _from_home(cls, path: str | None) -> str | None:
        return path and os.path.expanduser(path)  # noqa: PTH111, it may be a URL

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation {self.validation} + test {self.test} leave nothing to train on;"
                " expected a sum below 1"
            )
        return self

    @property
    def reading(self) -> dict[str, bool]:
        """Options of `writing.normalised`: what a prompt has to be read with too."""
        return self.model_dump(include={"normalise", "fold_width", "drop_control"})


class SampleOptions(BaseModel):
    """What each variant writes for the report."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompts: tuple[str, ...] = Field(
        ("",), min_length=1, description="a text is written on from each"
    )
    temperatures: tuple[Temperature, ...] = Field(
        (0.5, 0.8, 1.0),
        min_length=1,
        description="logits are divided by each in turn; see SamplingOptions",
    )
    length: int = Field(200, ge=1, description="characters written at most")
    seed: int = Field(0, ge=0, description="of the draws")
    form: str | None = Field(
        None, description="regular expression that a whole document should match; None: no form"
    )
    documents: int = Field(
        100, ge=1, description="documents written from nothing to see how many keep the form"
    )

    @field_validator("form")
    @classmethod
    def _regular(cls, form: str | None) -> str | None:
        try:
            re.compile(form or "")
        except re.error as error:
            raise ValueError(f"expected a regular expression, but {error}") from None
        return form


class SamplingOptions(BaseModel):
    """How the next character is chosen from the network's logits.

    `sample` applies, in this order and each where it is set, repetition penalty, temperature,
    top-k, top-p and min-p; `greedy` applies the repetition penalty alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["sample", "greedy"] = Field(
        "sample", description="draw from the distribution, or take its likeliest character"
    )
    temperature: Temperature = Field(
        1.0, description="logits are divided by it; 0 takes the likeliest character"
    )
    top_k: int | None = Field(None, ge=1, description="keep the k likeliest characters; None: all")
    top_p: float = Field(
        1.0, description="keep the likeliest characters until their probability reaches this"
    )
    min_p: float = Field(
        0.0,
        ge=0,
        le=1,
        description="keep characters at least this times as likely as the likeliest",
    )
    repetition_penalty: float = Field(
        1.0,
        gt=0,
        allow_inf_nan=False,
        description="above 1: characters of the text so far become less likely",
    )

    @field_validator("top_p")
    @classmethod
    def _share(cls, top_p: float) -> float:
        if not 0 < top_p <= 1:
            raise ValueError("expected a number above 0 and at most 1, where 1 keeps all")
        return top_p


class WritingOptions(SamplingOptions):
    """How `generate` writes."""

    beam: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="beginnings kept in a search for the likeliest text, in place of `method` and"
        " of all that changes the distribution; None: no search",
    )
    number: int = Field(1, ge=1, description="texts; of a search the likeliest, at most `beam`")
    seed: int = Field(0, ge=0, description="of the draws: the same seed writes the same text")
    strict: bool = Field(
        False,
        description="refuse a prompt with characters that the model does not know; false: read"
        " them as <unk>, with a warning",
    )

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.beam is not None and self.number > self.beam:
            raise ValueError(
                f"number {self.number} asks for more texts than beam {self.beam} keeps; raise beam"
            )
        return self
