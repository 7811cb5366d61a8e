"""Whether a server answers as the row that was scored: asked from every cutoff, or with every symbol."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.errors import InputError
from unrolled.series import backtest as backtesting
from unrolled.series import splits
from unrolled.series.backtest import Cutoffs, Forecast, Forecasts
from unrolled.series.filling import drawn
from unrolled.series.options import SeriesOptions
from unrolled.series.panel import PANEL_COLUMNS
from unrolled.series.splits import Parts
from unrolled.series.windows import sliding
from unrolled.serving.forecaster import ServedForecaster
from unrolled.serving.packages import Files, numbers_of, opened
from unrolled.text.vocabulary import Ids
from unrolled.training.cards import ForecasterCard, LanguageCard, TrainedRow
from unrolled.training.rows import of_network

TOLERANCE = 1e-5
Floats = npt.NDArray[np.floating[Any]]


def of_forecaster(
    row: TrainedRow[ForecasterCard],
    files: Files,
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    scaler: pd.DataFrame,
    series: SeriesOptions,
) -> dict[str, Any]:
    """Forecast from every cutoff of the test part as the leaderboard did and as the server does.

    Numbers are compared as they are before the test part: those of all rows have seen it.
    """
    if row.kind == "baseline":
        truths = [backtesting.of_baseline(row.variant, panel, series, fits=1)]
        files = numbers_of(row.variant, panel, borders, series)
    else:
        truths = [
            of_network(weights, card, panel, borders, scaler, series)
            for weights, card in row.networks
        ]
    frames = [backtesting.over_cutoffs(panel, borders, series, truth) for truth in truths]
    expected = np.median([frame["y_hat"].to_numpy() for frame in frames], axis=0)
    with opened(files) as folder:
        served = ServedForecaster(folder)
        seen = panel.assign(y=drawn(panel, splits.each(borders), series.fill))[PANEL_COLUMNS]
        forecast = _by_rows(served, seen) if served.numbers else _by_windows(served, seen)
        found, taken = (
            backtesting.over_cutoffs(panel, borders, series, asked)["y_hat"].to_numpy()
            for asked in (forecast, _taken(served, panel))
        )
    found, expected = found[taken > 0], expected[taken > 0]
    # Near zero no difference is small beside the value itself.
    scale = float(panel["y"].abs().mean())
    return _parity(found, expected, scale, "forecasts")


def _by_windows(served: ServedForecaster, panel: pd.DataFrame) -> Forecast:
    """The server's graph, asked with raw values."""
    y, rows = panel["y"].to_numpy(), served.known.rows

    def forecast(parts: Parts, cutoffs: Cutoffs) -> Forecasts:
        place = np.full(len(cutoffs), served.place[parts.unique_id])
        return served.run(sliding(y, rows)[cutoffs - rows + 1], place)

    return forecast


def _by_rows(served: ServedForecaster, panel: pd.DataFrame) -> Forecast:
    """The server, asked with rows."""

    def forecast(parts: Parts, cutoffs: Cutoffs) -> Forecasts:
        numbers = served.numbers[parts.unique_id]
        found = np.full((len(cutoffs), served.known.horizon), np.nan)
        taken = _taken(served, panel)(parts, cutoffs)[:, 0] > 0
        for i, cutoff in enumerate(cutoffs[taken]):
            # A state asks for all rows since it was fitted, and leaves out those that it has seen.
            first = cutoff + 1 - numbers["rows"] if "rows" in numbers else cutoffs[0] - 2
            rows = panel.iloc[max(first, parts.first) : cutoff + 1]
            found[i] = served.predict(rows)["y_hat"]
        return found

    return forecast


def _taken(served: ServedForecaster, panel: pd.DataFrame) -> Forecast:
    """1 where the server takes all rows since the first cutoff, 0 after one it cannot divide by."""
    y = panel["y"].to_numpy()

    def forecast(parts: Parts, cutoffs: Cutoffs) -> Forecasts:
        factor = served.numbers.get(parts.unique_id, {}).get("multiplicative", False)
        since = np.minimum.accumulate(np.r_[np.inf, y[cutoffs[0] + 1 : cutoffs[-1] + 1]])
        taken = np.where((since > 0) | (not factor), 1.0, 0.0)
        return np.repeat(taken[:, None], served.known.horizon, axis=1)

    return forecast


def of_writer(row: TrainedRow[LanguageCard], files: Files, test_ids: Ids) -> dict[str, Any]:
    """Read the whole test part one symbol at a time by torch and by the graph."""
    import torch

    from unrolled.serving.writer import ServedWriter
    from unrolled.training import text

    step, state, own = text.stepper(*row.networks[0]), None, None
    # Side by side, each text from a fresh state: one after the other would take minutes.
    ids = _side_by_side(np.asarray(test_ids, dtype=np.int64))  # (T, B)
    differences, scale = [], 0.0
    with opened(files) as folder:
        served = ServedWriter(folder)
        for symbols in ids:
            expected, state = step(torch.from_numpy(symbols), state)
            logits, own = served.step(symbols, own)
            differences.append(np.abs(logits - expected.numpy()).max())
            scale = max(scale, float(expected.abs().mean()))
    return _parity(np.array(differences), np.zeros(len(differences)), scale, "steps")


def _side_by_side(ids: npt.NDArray[np.int64], texts: int = 256) -> npt.NDArray[np.int64]:
    """A stream (N,) as texts (T, B); what is left over is read again at the end of the last."""
    steps = -(-len(ids) // min(texts, len(ids)))
    firsts = np.minimum(np.arange(0, len(ids), steps), len(ids) - steps)
    return ids[firsts + np.arange(steps)[:, None]]


def _parity(found: Floats, truth: Floats, least: float, what: str) -> dict[str, Any]:
    relative = np.abs(found - truth) / np.maximum(np.abs(truth), least)
    worst = float(relative.max())
    if not worst <= TOLERANCE:  # NaN too
        raise InputError(
            f"what would be served differs from what was scored by {worst:.2g} relative in"
            f" {int((~(relative <= TOLERANCE)).sum())} of {len(truth)} {what} of the test part;"
            f" at most {TOLERANCE:g} is allowed, so nothing is registered: report the variant"
        )
    return {"checked": len(truth), "of": what, "largest_relative_difference": worst}
