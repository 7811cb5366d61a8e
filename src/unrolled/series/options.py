"""Options of a series: where it lies, how it is cut, transformed and windowed."""

from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from unrolled.encodings import Encoding
from unrolled.series.transforms import TRANSFORMS

Fill = Literal["error", "last", "seasonal", "linear"]
# Known when the table has been read, so nothing for a type checker.
if TYPE_CHECKING:
    TransformName = str
else:
    TransformName = Literal[tuple(TRANSFORMS)]

# Names of forms that strftime cannot say.
FORMS = ("ISO8601", "number", "excel", "s", "ms", "us", "ns")
# Seasons that the smoothed season of `es` looks back on; older ones would weigh little.
SEASONS = 3


class Columns(BaseModel):
    """Names of the columns in the user's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unique_id: str | None = Field(
        "unique_id", description="series a row belongs to; a file without it is one series"
    )
    ds: str = Field("ds", description="time stamp: a date or a whole number")
    y: str = Field("y", description="value to forecast")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        names = {"ds": self.ds, "y": self.y, "unique_id": self.unique_id}
        for role, name in names.items():
            others = [other for other in names if other != role and names[other] == name]
            if others:
                raise ValueError(
                    f"{role} and {others[0]} are both the column '{name}'; expected a column for each"
                    + (", or unique_id null where there is none" if "unique_id" in others else "")
                )
        return self


class SeriesOptions(BaseModel):
    """One data set of the forecasting job."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = Field(None, description="file, folder of parquet parts, or URL")
    licence: str | None = Field(None, description="of the data, for report and model card")
    unit: str | None = Field(None, description="unit of y, for the axes of plots")
    generator: Literal["sine", "mackey_glass"] | None = Field(
        None, description="generate the series instead of reading it"
    )
    columns: Columns = Field(default_factory=Columns)
    wide: bool = Field(False, description="every column but ds is a series of its own")
    sep: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="between the cells of a text file; null: found",
    )
    decimal: Literal[".", ","] | None = Field(
        None, description="before the fraction of a number in text; null: found"
    )
    thousands: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="between groups of three digits in text; null: found",
    )
    encoding: Encoding = Field("utf-8", description="of a text file")
    sheet: str | None = Field(None, description="of a spreadsheet; null: the first")
    date_format: str | None = Field(
        None,
        description="of ds: as strftime has it, with %q for a quarter; or number (of steps), excel"
        " (days), s, ms, us, ns (since 1970); null: found",
    )
    dayfirst: bool | None = Field(
        None, description="of 01/02/2015 the day is 1; null: as the series is regular"
    )
    short: Literal["error", "drop"] | None = Field(
        None,
        description="series that are too short, or constant in train; null: error of up to 10"
        " series, drop of more",
    )
    fill: Fill = Field(
        "error",
        description="missing values and gaps in time: refused, or filled by the last value, by that"
        " of a season before, or on a line (inside train; elsewhere by the last value)",
    )

    season: int = Field(1, ge=1, description="steps in a season; 1: none")
    horizon: int = Field(12, ge=1, description="steps forecast")
    lookback: int = Field(24, ge=1, description="steps read")
    validation: float = Field(
        0.2,
        gt=0,
        lt=2**32,
        allow_inf_nan=False,
        description="rows for validation: a share below 1, else a number of rows",
    )
    test: float = Field(
        0.2,
        gt=0,
        lt=2**32,
        allow_inf_nan=False,
        description="rows for test, the last ones: a share below 1, else a number",
    )

    transform: TransformName = Field(
        "none",
        description="before all else; log and Box-Cox (lambda fitted on train) take values above 0,"
        " sqrt and log1p 0 too; log1p alone depends on the unit of y: it is for counts",
    )
    seasonal_difference: bool = Field(
        False, description="model the change against one season before"
    )
    es: bool = Field(
        False,
        description="take off a season that is smoothed exponentially over the seasons before, by a"
        " rate fitted on train; the level: window_normalisation smoothed (Smyl 2020, ES-RNN)",
    )
    lags: tuple[int, ...] = Field((), description="steps back, read as further input features")
    statistical_fits: int = Field(
        24, ge=1, description="fits of Holt-Winters and Theta a series at most, over all cutoffs"
    )
    statistical_seconds: float = Field(
        600.0,
        gt=0,
        description="for the fits of Holt-Winters or Theta on all series, once for the test part and once"
        " for the rehearsals; what is left out then stands in the leaderboard's note",
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name, value in (("validation", self.validation), ("test", self.test)):
            if value >= 1 and value != int(value):
                raise ValueError(f"{name} is {value}; expected a share below 1 or whole rows")
        if self.validation < 1 and self.test < 1 and self.validation + self.test >= 1:
            raise ValueError(
                f"validation {self.validation} + test {self.test} leave no rows to train on;"
                " expected a sum below 1"
            )
        if self.seasonal_difference and self.es:
            raise ValueError("seasonal_difference and es both take off the season; set one of them")
        for name in ("seasonal_difference", "es"):
            if getattr(self, name) and self.season < 2:
                raise ValueError(f"{name} needs a season of at least 2; set season")
        form = self.date_format
        if form is not None and "%" not in form and form not in FORMS:
            raise ValueError(
                f"date_format is {form!r}; expected a form of strftime, such as %d/%m/%Y, or one of"
                f" {', '.join(FORMS)}"
            )
        if form is not None and "%q" in form and (form.count("%q"), form.count("%Y")) != (1, 1):
            raise ValueError(
                f"date_format is {form!r}; expected %q, a quarter, once and its year %Y once"
            )
        if any(lag < 1 for lag in self.lags):
            raise ValueError(f"lags are {list(self.lags)}; expected whole numbers from 1")
        return self

    @property
    def warmup(self) -> int:
        """Rows at the start of each series that no window can read: they have no season before."""
        if self.es:  # a season to know its mean, and one before the first that is forecast
            return 2 * self.season - 1
        return self.season if self.seasonal_difference else 0

    @property
    def reach(self) -> int:
        """Rows before a row that the season taken off it is made from, where there are so many."""
        return (SEASONS + 1) * self.season - 1 if self.es else self.warmup

    @property
    def context(self) -> int:
        """Scaled rows that a network reads: lags and lookback."""
        return max(self.lags, default=0) + self.lookback

    @property
    def rows(self) -> int:
        """Raw rows that a forecast is made from in service."""
        return self.reach + self.context

    @property
    def span(self) -> int:
        """Rows that one window covers: lags, lookback and horizon."""
        return self.context + self.horizon

    @property
    def lowest(self) -> str:
        """Which values the transform takes, in words: `above 0`, `from 0`, or nothing for all."""
        return TRANSFORMS[self.transform].lowest
