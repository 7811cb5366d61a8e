"""Forecasts of what comes after the last row, as the project knows them."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from unrolled.errors import InputError, shown
from unrolled.study.checks import fields_of
from unrolled.study.job import Given, Job, Study
from unrolled.study.places import SERIES_FOLDER, is_there
from unrolled.study.reading import top


class ForecastStudy(BaseModel):
    """What is forecast from; the field is the parameter's own name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: str | None = Field(description="file of new rows to forecast from; null: the series' own")


def _read(given: Given) -> ForecastStudy:
    """Find `rows` from the project's folder, or among the series."""
    study = top(ForecastStudy, given.parameters)
    if study.rows and not is_there(study.rows, given.project):
        place = str(SERIES_FOLDER / study.rows)
        if is_there(place, given.project):
            return ForecastStudy(rows=place)
    return study


def _refuse(study: Study, project: Path) -> None:
    rows = study.forecast.rows
    if rows and not is_there(rows, project):
        raise InputError(
            f"parameter 'rows' is {shown(rows)}, but there is no such file in '{project}' or"
            f" in '{project / SERIES_FOLDER}'; put it there, or give its whole path"
        )


def _places(study: Study) -> dict[str, str | None]:
    series = study.forecasting
    made = f"data/03_primary/forecasting/{series.name}/panel.parquet"  # of a generated series
    return {"rows": study.forecast.rows or series.source or made}


JOB = Job(
    name="forecast",
    order=70,
    parameters=fields_of(ForecastStudy),
    read=_read,
    places=_places,
    refuse=_refuse,
    reads_only=True,
)
