"""A forecaster in service: rows in, rows out, by its ONNX graph.

This file goes with the registered model, so it imports numpy, pandas and onnxruntime alone.

Letters: B series forecast at once, R rows that a forecast reads, K horizon steps.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pandas as pd

from unrolled.errors import InputError

COLUMNS = ["unique_id", "ds", "y"]
MAX_ROWS = 100_000
# Forecasts a call of the graph. The gates of all steps of many more leave the processor's cache: with
# an LSTM of 64 units on lookback 96, 64 at once took a quarter longer than four times 16.
AT_ONCE = 16


def open_graph(graph: bytes, sha256: str, name: str) -> onnxruntime.InferenceSession:
    """Open a graph on one thread: a step is too small to share, and requests run side by side.

    Raises:
        InputError: other bytes than those that were registered.
    """
    found = hashlib.sha256(graph).hexdigest()
    if found != sha256:
        raise InputError(
            f"graph '{name}' has SHA-256 {found}, but {sha256} was registered; it is truncated or"
            " was changed: deploy the model anew"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


class ServedForecaster:
    """The graph and what it needs to know of the series."""

    def __init__(self, folder: Path) -> None:
        """Open `forecaster.onnx` and `forecaster.json` of a folder.

        Raises:
            InputError: another graph than the one that was registered.
        """
        self.options: dict[str, Any] = json.loads(
            (folder / "forecaster.json").read_text(encoding="utf-8")
        )
        path = folder / "forecaster.onnx"
        self.session = open_graph(path.read_bytes(), self.options["sha256"], path.name)
        self.steps: dict[str, Any] = self.options["series"]
        self.place = {name: place for place, name in enumerate(self.steps)}

    def run(
        self, y: npt.NDArray[np.float64], series: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Raw values (B, R), oldest first, and places of series (B,) -> forecasts (B, K)."""
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
            ys.append(self._last(str(name), group))
            names.append(str(name))
            times.append(self._ahead(str(name), group["ds"]))
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
                f"{len(rows)} rows; expected 1 to {MAX_ROWS}, the last {self.options['rows']} of"
                " each series are read"
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
        lowest = self.options["lowest"]
        allowed = {"above 0": y > 0, "from 0": y >= 0, "": y > -np.inf}[lowest]
        bad = np.flatnonzero(~(allowed & (y < np.inf)))
        if len(bad):
            raise InputError(
                f"column 'y' is {rows['y'].tolist()[bad[0]]!r} in row {bad[0] + 1}; expected finite"
                f" numbers{lowest and f' {lowest}'}"
            )
        try:
            whole = self.options["ds"] == "long"
            ds = rows["ds"].astype("int64") if whole else pd.to_datetime(rows["ds"])
        except (ValueError, TypeError) as error:
            raise InputError(
                f"column 'ds' cannot be read: {' '.join(str(error).split())}; expected"
                f" {'whole numbers' if whole else 'dates such as 2024-12-31'}"
            ) from None
        return rows.assign(unique_id=rows["unique_id"].astype(str), ds=ds, y=y)

    def _last(self, name: str, group: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The rows (R,) that the graph reads."""
        needed = self.options["rows"]
        if name not in self.place:
            known = list(self.place)
            more = f" and {len(known) - 5} more" if len(known) > 5 else ""
            raise InputError(
                f"series '{name}' is unknown; this model was trained on"
                f" {', '.join(known[:5])}{more}"
            )
        if len(group) < needed:
            raise InputError(
                f"series '{name}': {len(group)} rows; expected the last {needed} or more"
            )
        ds = group["ds"].iloc[-needed:]
        grid = _times(ds.iloc[-1], self.steps[name], needed, ahead=False)
        wrong = np.flatnonzero(ds.to_numpy() != grid)
        if len(wrong):
            found, due = ds.tolist()[wrong[-1]], pd.Series(grid).tolist()[wrong[-1]]
            raise InputError(
                f"series '{name}': column 'ds' is {found} where {due} was expected; rows must come"
                f" oldest first, in steps of {self.steps[name]}, without gaps"
            )
        return group["y"].to_numpy()[-needed:]

    def _ahead(self, name: str, ds: pd.Series) -> npt.NDArray[Any]:
        return _times(ds.iloc[-1], self.steps[name], self.options["horizon"], ahead=True)


def _times(last: Any, step: Any, count: int, *, ahead: bool) -> npt.NDArray[Any]:  # noqa: ANN401
    """The `count` times after the last one, or up to and with it."""
    if isinstance(step, int):
        first = last + step if ahead else last - (count - 1) * step
        return first + step * np.arange(count)
    if ahead:
        return pd.date_range(last, periods=count + 1, freq=step).to_numpy()[1:]
    return pd.date_range(end=last, periods=count, freq=step).to_numpy()
