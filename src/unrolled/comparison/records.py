"""What was chosen, and how it scored: the records that a job leaves behind."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from unrolled.records import Record, Score

Kind = Literal["recurrent", "ensemble", "baseline"]


class Cost(Record):
    """What a row of the leaderboard took."""

    variant: str
    kind: Kind
    parameters: int | None = Field(description="trained numbers; none of a baseline")
    train_seconds: float
    seeds: int = Field(1, description="networks in it")
    note: str | None = Field(None, description="what the numbers do not say")


class Card(Cost):
    """What stands beside the weights of every trained network."""

    kind: Literal["recurrent"] = "recurrent"
    seed: int
    validation_loss: Score = Field(description="the lowest, whose weights were kept")


class Rehearsal(Record):
    """How a row scored before the test part."""

    variant: str
    kind: Kind
    seed: int | None = Field(description="of a network")
    validation_mase: Score
    validation_mae: Score
    note: str | None = None


class Chosen(Record):
    """The network that validation chose: the variant's mean over seeds, then its best seed."""

    variant: str
    seed: int
    validation_score: Score = Field(description="of this very network")
    mean_validation_score: Score = Field(description="of the variant, over its seeds")


class Entry(Record):
    """A row of the leaderboard as validation knows it."""

    kind: Kind
    validation_score: Score = Field(description="mean over seeds")
    seeds: tuple[int, ...] = Field(description="of its networks, the best first")


class ScoredEntry(Entry):
    """The same, with its score on test."""

    score: Score


class Choice(Record):
    """What validation chose, before anything of the test part was seen."""

    metric: str | None = Field(description="by which was chosen; none where nothing was rehearsed")
    rows: dict[str, Entry]
    winner: str = Field(description="name of the best row, of any kind")
    champion: Chosen = Field(description="the best network")


class Best(Record):
    """The first row on test."""

    variant: str
    score: Score


class Winner(ScoredEntry):
    """What validation chose, beside the leaderboard of the test part: `winner.json`."""

    job: str
    data_set: str
    variant: str
    metric: str = Field(description="of the test part")
    validation_metric: str | None
    best: Best
    confirmed: bool = Field(description="whether the test part would have chosen the same")
    rows: dict[str, ScoredEntry]
    digests: dict[str, str] = Field(description="SHA-256 of the files of all networks")


class Champion(Chosen):
    """The chosen network beside the best baseline: `champion.json`."""

    job: str
    data_set: str
    metric: str
    baseline: str | None = Field(description="the best one on test; none where none was asked for")
    score: Score = Field(description="of the variant on test, mean over seeds")
    seed_score: Score = Field(description="of this very network")
    baseline_score: Score
    margin: Score = Field(description="baseline less champion; positive: the champion is better")
    p_value: Score = Field(description="two-sided; none where there is nothing to test")
    beats_baseline: bool
    digests: dict[str, str] = Field(description="SHA-256 of its files")
    advice: str | None = Field(None, description="which option to change where it lost badly")
