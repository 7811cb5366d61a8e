"""What a run compares: data sets, variants, baselines and seeds, job by job, with every default resolved."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from unrolled.comparison.champion import MEDIAN
from unrolled.gradients.options import MatrixOptions, TheoryOptions
from unrolled.recurrent.options import LanguageOptions, LayerOptions, ModelOptions
from unrolled.series.monitoring import MonitorOptions
from unrolled.series.options import SeriesOptions
from unrolled.text.options import CorpusOptions, SampleOptions, WritingOptions
from unrolled.training.options import TextTrainOptions, TrainOptions


class Contender(BaseModel):
    """One variant, ready to train."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: ModelOptions
    training: TrainOptions


class ForecastingStudy(BaseModel):
    """What this run compares on a series."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="name of the series; every output path holds it")
    source: str = Field(description="file, folder or URL of the raw series; empty where generated")
    series: SeriesOptions
    contenders: dict[str, Contender]
    baselines: tuple[str, ...]
    seeds: tuple[int, ...]

    @property
    def ensembles(self) -> list[str]:
        """Names of the medians over seeds, a row each; of one seed there is none."""
        return [f"{variant}{MEDIAN}" for variant in self.contenders if len(self.seeds) > 1]


class TextContender(BaseModel):
    """One language model, ready to train."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: LanguageOptions
    training: TextTrainOptions


class TextStudy(BaseModel):
    """What this run compares on a corpus."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="name of the corpus; every output path holds it")
    source: str = Field(description="file or URL of the raw text")
    corpus: CorpusOptions
    samples: SampleOptions
    contenders: dict[str, TextContender]
    baselines: tuple[str, ...]
    seeds: tuple[int, ...]

    @property
    def init_from(self) -> str | None:
        """Corpus and variant that all networks go on from."""
        return next(iter(self.contenders.values())).training.init_from


class DeployStudy(BaseModel):
    """What goes into service, and what is then asked; the fields are the parameters' own names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job: Literal["forecasting", "text"] = Field(description="whose winner is deployed")
    rollback: bool = Field(description="put the version before the champion in front again")
    rows: str | None = Field(description="file of new rows to forecast from; null: the series' own")
    model: str | None = Field(description="row of the leaderboard; null: the winner")


class GradientsStudy(BaseModel):
    """What this run measures of gradients."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="folder of the outputs, so that a larger study has its own")
    theory: TheoryOptions
    networks: dict[str, dict[str, LayerOptions]] = Field(
        description="by variant and init; default is the variant's own"
    )
    remedies: tuple[str, ...]
    tasks: tuple[str, ...]
    lengths: tuple[int, ...] = Field(description="T of the tasks, steps")
    training: MatrixOptions
    seeds: tuple[int, ...]


class GenerateStudy(BaseModel):
    """What this run writes; the fields are the parameters' own names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field(description="beginning of the text, may be empty")
    length: int = Field(ge=1, description="characters written at most")
    registered: bool = Field(
        description="write with the registered champion; false: with the best model on disk"
    )
    generate: WritingOptions


class Study(BaseModel):
    """What this run compares, job by job."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    forecasting: ForecastingStudy
    text: TextStudy
    deploy: DeployStudy
    monitor: MonitorOptions
    gradients: GradientsStudy
    generate: GenerateStudy
