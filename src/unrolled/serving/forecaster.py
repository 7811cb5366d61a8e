"""A forecaster in service: rows in, rows out, by its ONNX graph or by the numbers of a baseline.

This file goes with the registered model, so it imports numpy, pandas and pydantic alone, onnxruntime where
there is a graph.

Letters: B series forecast at once, R rows that a forecast reads, K horizon steps.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from unrolled.errors import InputError
from unrolled.records import Record, read
from unrolled.series import formulas
from unrolled.series.grid import Step, dates

if TYPE_CHECKING:
    import onnxruntime

COLUMNS = ["unique_id", "ds", "y"]
MAX_ROWS = 100_000
LARGEST = float(np.finfo(np.float32).max)  # what networks compute in
# Forecasts a call of the graph. The gates of all steps of many more leave the processor's cache: with
# an LSTM of 64 units on lookback 96, 64 at once took a quarter longer than four times 16.
AT_ONCE = 16


def verified(content: bytes, sha256: str, name: str) -> bytes:
    """The bytes of a file that goes with a registered model.

    Raises:
        InputError: other bytes than those that were registered.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise InputError(
            f"file '{name}' has SHA-256 {found}, but {sha256} was registered; it is truncated or"
            " was changed: deploy the model anew"
        )
    return content


def open_graph(path: Path, sha256: str) -> onnxruntime.InferenceSession:
    """Open a graph on one thread: a step is too small to share, and requests run side by side.

    Raises:
        InputError: other bytes than those that were registered.
    """
    import onnxruntime  # numbers need none

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        verified(path.read_bytes(), sha256, path.name), options, providers=["CPUExecutionProvider"]
    )


class ServedSeries(Record):
    """What a served forecaster knows of its series: `forecaster.json`."""

    kind: ClassVar = "forecaster"
    sha256: str = Field(description="of the graph, or of the numbers")
    rows: int = Field(0, description="that a graph reads; numbers say it for each series")
    lowest: str = Field(description="which `y` can be: above 0, from 0, or empty: all")
    horizon: int = Field(description="K, steps ahead")
    ds: Literal["datetime", "long"] = Field(description="kind of the time stamps")
    clock: str = Field(description="which clock their offsets were brought to")
    series: dict[str, Step] = Field(description="from one row to the next, by name")


class ServedForecaster:
    """The graph or the numbers, and what they need to know of the series."""

    def __init__(self, folder: Path) -> None:
        """Open `forecaster.json` of a folder, and `forecaster.onnx` or `numbers.json` beside it.

        Raises:
            InputError: another graph or other numbers than those that were registered.
        """
        about = folder / "forecaster.json"
        self.known = read(ServedSeries, about.read_bytes(), about)
        self.steps = self.known.series
        self.place = {name: place for place, name in enumerate(self.steps)}
        self.numbers: dict[str, formulas.Numbers] = {}
        graph, numbers = folder / "forecaster.onnx", folder / "numbers.json"
        if graph.exists():
            self.session = open_graph(graph, self.known.sha256)
        else:
            content = verified(numbers.read_bytes(), self.known.sha256, numbers.name)
            self.numbers = json.loads(content)["series"]

    def run(
        self, y: npt.NDArray[np.float64], series: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """By the graph: raw values (B, R), oldest first, and places of series (B,) -> (B, K)."""
        pieces = [slice(first, first + AT_ONCE) for first in range(0, len(y), AT_ONCE)]
        return np.concatenate(
            [
                self.session.run(["y_hat"], {"y": y[some], "series": series[some]})[0]
                for some in pieces
            ]
        )

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Forecast the steps after the last row of every series.

        Args:
            rows: `unique_id, ds, y`; each series oldest row first, without gaps.

        Returns:
            `unique_id, ds, y_hat`, K rows a series.

        Raises:
            InputError: rows that cannot be forecast from; the sentence names the column or series.
        """
        rows = self._checked(rows)
        names, ys, times = [], [], []
        for name, group in rows.groupby("unique_id", sort=False):
            names.append(str(name))
            ys.append(self._read(str(name), group))
            times.append(self._ahead(str(name), group["ds"]))
        if self.numbers:
            found = [
                formulas.after(self.numbers[name], y, self.known.horizon)
                for name, y in zip(names, ys, strict=True)
            ]
            y_hat = np.stack(found)
        else:
            y_hat = self.run(np.stack(ys), np.array([self.place[name] for name in names]))
        return pd.DataFrame(
            {
                "unique_id": np.repeat(np.array(names, dtype=object), y_hat.shape[1]),
                "ds": np.concatenate(times),
                "y_hat": y_hat.ravel(),
            }
        )

    def _checked(self, rows: pd.DataFrame) -> pd.DataFrame:
        missing = [column for column in COLUMNS if column not in rows]
        if missing:
            raise InputError(
                f"column '{missing[0]}' is missing, found {', '.join(map(str, rows)) or 'none'};"
                f" expected rows of {', '.join(COLUMNS)}"
            )
        if not 0 < len(rows) <= MAX_ROWS:
            raise InputError(
                f"{len(rows)} rows; expected 1 to {MAX_ROWS}, the last rows of each series"
            )
        rows = rows[COLUMNS].reset_index(drop=True)
        for column in COLUMNS:
            empty = np.flatnonzero(rows[column].isna())
            if len(empty):
                raise InputError(
                    f"column '{column}' is empty in {len(empty)} of {len(rows)} rows, the first is"
                    f" row {empty[0] + 1}; expected a value in every row"
                )
        y = pd.to_numeric(rows["y"], errors="coerce").astype("float64")
        lowest = self.known.lowest
        allowed = {"above 0": y > 0, "from 0": y >= 0, "": y > -np.inf}[lowest]
        bad = np.flatnonzero(~(allowed & (y.abs() <= LARGEST)))
        if len(bad):
            raise InputError(
                f"column 'y' is {rows['y'].tolist()[bad[0]]!r} in row {bad[0] + 1}; expected finite"
                f" numbers{lowest and f' {lowest}'}"
            )
        try:
            whole = self.known.ds == "long"
            ds = rows["ds"].astype("int64") if whole else _dates(rows["ds"])
            if ds.isna().any():  # pandas' answer to infinity
                raise ValueError("a time is infinite")
            if isinstance(ds.dtype, pd.DatetimeTZDtype):
                raise ValueError("times have an offset from UTC")
            ids = rows["unique_id"].astype(str)
        except UnicodeEncodeError:
            raise InputError("column 'unique_id' holds half a character; expected text") from None
        except (ValueError, TypeError, OverflowError) as error:
            raise InputError(
                f"column 'ds' cannot be read: {' '.join(str(error).split())}; expected"
                f" {'whole numbers' if whole else 'dates such as 2024-12-31'}"
            ) from None
        return rows.assign(unique_id=ids, ds=ds, y=y)

    def _read(self, name: str, group: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The rows that the forecast is made from: the last R, or those since a state was fitted."""
        if name not in self.place:
            known = list(self.place)
            more = f" and {len(known) - 5} more" if len(known) > 5 else ""
            raise InputError(
                f"series '{name}' is unknown; this model was trained on"
                f" {', '.join(known[:5])}{more}"
            )
        numbers = self.numbers.get(name, {"rows": self.known.rows})
        return (self._last if "rows" in numbers else self._since)(name, group, numbers)

    def _last(
        self, name: str, group: pd.DataFrame, numbers: formulas.Numbers
    ) -> npt.NDArray[np.float64]:
        """The last R rows."""
        needed = numbers["rows"]
        if len(group) < needed:
            raise InputError(
                f"series '{name}': {len(group)} rows; expected the last {needed} or more"
            )
        own = group.iloc[-needed:]
        self._on_grid(
            name, own["ds"], _times(own["ds"].iloc[-1], self.steps[name], needed, ahead=False)
        )
        return own["y"].to_numpy()

    def _since(
        self, name: str, group: pd.DataFrame, numbers: formulas.Numbers
    ) -> npt.NDArray[np.float64]:
        """The rows after the last one that a state has seen, which may be none."""
        step, ds = self.steps[name], group["ds"]
        seen = numbers["ds"] if isinstance(step, int) else pd.Timestamp(numbers["ds"])
        if ds.iloc[-1] < seen:
            raise InputError(
                f"series '{name}': the rows end at {ds.iloc[-1]}, but this model has seen all up to"
                f" {seen}; send rows up to then or later"
            )
        new = group.iloc[int(np.append(ds > seen, True).argmax()) :]
        due = _times(seen, step, len(new) + 1, ahead=True)
        if len(new) and new["ds"].iloc[0] > pd.Series(due).iloc[0]:
            raise InputError(
                f"series '{name}': the rows go on at {new['ds'].iloc[0]}, but this model has seen"
                f" none after {seen}; send all rows from {pd.Series(due).iloc[0]} on"
            )
        self._on_grid(name, new["ds"], due[: len(new)])
        bad = new[new["y"] <= 0]
        if numbers.get("multiplicative") and len(bad):
            raise InputError(
                f"series '{name}': column 'y' is {bad['y'].iloc[0]} at {bad['ds'].iloc[0]}; this"
                " model's season is a factor, so it expects numbers above 0: deploy it anew"
            )
        return new["y"].to_numpy()

    def _on_grid(self, name: str, ds: pd.Series, grid: npt.NDArray[Any]) -> None:
        wrong = np.flatnonzero(ds.to_numpy() != grid)
        if len(wrong):
            found, due = ds.tolist()[wrong[-1]], pd.Series(grid).tolist()[wrong[-1]]
            raise InputError(
                f"series '{name}': column 'ds' is {found} where {due} was expected; rows must come"
                f" oldest first, in steps of {self.steps[name]}, without gaps"
            )

    def _ahead(self, name: str, ds: pd.Series) -> npt.NDArray[Any]:
        return _times(ds.iloc[-1], self.steps[name], self.known.horizon, ahead=True)


def _dates(ds: pd.Series) -> pd.Series:
    """Dates, or text of ISO 8601; pandas would guess at any other, and read `now` as the clock."""
    if pd.api.types.is_datetime64_any_dtype(ds):
        return ds
    if not pd.api.types.is_numeric_dtype(ds):
        read = pd.to_datetime(ds, format="ISO8601", errors="coerce")
        read = read.where(ds.astype(str).str.contains(r"\d"))
        if read.notna().all():
            return read
        ds = ds[read.isna()]
    raise ValueError(f"{ds.tolist()[0]!r} is no date of ISO 8601")


def _times(last: Any, step: Any, count: int, *, ahead: bool) -> npt.NDArray[Any]:  # noqa: ANN401
    """The `count` times after the last one, or up to and with it."""
    if isinstance(step, int):
        first = last + step if ahead else last - (count - 1) * step
        return first + step * np.arange(count)
    if ahead:
        return dates(step, start=last, periods=count + 1).to_numpy()[1:]
    return dates(step, end=last, periods=count).to_numpy()
