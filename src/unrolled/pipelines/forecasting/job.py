"""The forecasting job as the project knows it: what it compares on a series, and how that is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from unrolled.comparison.champion import MEDIAN
from unrolled.errors import InputError
from unrolled.recurrent.options import ModelOptions
from unrolled.series.baselines import BASELINES
from unrolled.series.options import SeriesOptions
from unrolled.series.tables import SUFFIXES
from unrolled.study.checks import checked, fields_of, merged, refuse_unlisted
from unrolled.study.job import DataSet, Given, Job, Study
from unrolled.study.layout import by_variant
from unrolled.study.names import PARTS, file_name, list_of, refuse_other, seeds_of, variants_of
from unrolled.study.parameters import ANY
from unrolled.study.places import SERIES_FOLDER
from unrolled.training.options import TrainOptions

if TYPE_CHECKING:
    from kedro.pipeline import Node

# How a series is written; a later file may be of another kind, so what was not said may be said then.
WRITTEN = ("sep", "decimal", "thousands", "encoding", "sheet", "date_format", "dayfirst")


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


def _read(given: Given) -> ForecastingStudy:
    parameters = given.parameters
    name = file_name(parameters, "series")
    entries = parameters.get("series_options", {})
    raw, where = (
        merged(entries.get("defaults", {}), entries.get(name, {})),
        f"series_options.{name}",
    )
    model_by_series, training_by_series = raw.pop("model", {}), raw.pop("training", {})
    series = checked(SeriesOptions, (where, raw), short=given.short["series"])

    variant_entries = parameters.get("variant_options", {})
    contenders = {}
    for variant in variants_of(parameters, variant_entries, (*BASELINES, *PARTS)):
        place = f"variant_options.{variant}"
        own_training = variant_entries[variant].get("training", {})
        own = {key: value for key, value in variant_entries[variant].items() if key != "training"}
        refuse_other(own, ModelOptions, given.kinds, place, "variants", "a forecaster")
        contenders[variant] = Contender(
            model=checked(
                ModelOptions,
                ("variant_options.defaults", variant_entries.get("defaults", {})),
                (f"{where}.model", model_by_series),
                (place, own),
            ),
            training=checked(
                TrainOptions,
                ("training", parameters.get("training", {})),
                (f"{where}.training", training_by_series),
                (f"{place}.training", own_training),
                ("training", given.asked.get("training", {})),
            ),
        )

    losses = {variant: contender.training.loss for variant, contender in contenders.items()}
    if len(set(losses.values())) > 1:
        found = ", ".join(f"{variant} {loss}" for variant, loss in losses.items())
        raise InputError(
            f"variants differ in training.loss ({found}), so their validation losses are on"
            " different scales and cannot choose a champion; give all one loss"
        )
    baselines = tuple(map(str, list_of(parameters, "baselines")))
    for baseline in baselines:
        refuse_unlisted("baselines", baseline, sorted(BASELINES))
    return ForecastingStudy(
        name=name,
        source=_source(name, series, given.project),
        series=series,
        contenders=contenders,
        baselines=baselines,
        seeds=seeds_of(parameters),
    )


def _source(name: str, options: SeriesOptions, project: Path) -> str:
    """Where the raw series lies: its path, or the file or folder of its name."""
    if options.generator:
        return ""
    if options.path:
        return options.path
    suffixes = (*SUFFIXES, "")
    found = [
        str(SERIES_FOLDER / file.name)
        for file in sorted((project / SERIES_FOLDER).glob("*"))
        if file.name.startswith(name) and file.name.removeprefix(name).lower() in suffixes
    ]
    if len(found) > 1:
        raise InputError(
            f"series '{name}': there are {' and '.join(found)}; say which by path={found[0]}, or keep"
            " one"
        )
    return found[0] if found else str(SERIES_FOLDER / f"{name}{SUFFIXES[0]}")


def _lay_out(study: ForecastingStudy) -> dict[str, Any]:
    return (
        by_variant(study)
        | {name: {"variant": name} for name in study.ensembles}
        | {"series": study.series.model_dump(mode="json")}
    )


def _places(study: Study) -> dict[str, str | None]:
    return {"series": study.forecasting.name, "series_source": study.forecasting.source}


def _serve() -> list[Node]:
    from unrolled.pipelines.forecasting import service  # here, since it brings the serving room

    return service.steps()


JOB = Job(
    name="forecasting",
    order=10,
    data="series",
    data_set=DataSet(SeriesOptions, inside=("columns",), late=WRITTEN),
    parameters={
        "series": str,
        "variants": tuple[str, ...],
        "seeds": tuple[int, ...],
        "baselines": tuple[str, ...],
        "series_options": {
            ANY: fields_of(SeriesOptions) | {"model": ModelOptions, "training": TrainOptions}
        },
        "variant_options": {ANY: fields_of(ModelOptions) | {"training": TrainOptions}},
        "training": TrainOptions,
    },
    read=_read,
    lay_out=_lay_out,
    places=_places,
    trains=True,
    by_default=True,
    serve=_serve,
    results=("leaderboard", "protocol", "champion", "winner"),
    shown_last={"forecast": "The forecast after the last row"},
    next_step={"winner": 'Into service: kedro run --pipelines=deploy --params "series={name}"'},
)
