"""Nodes of the forecasting pipeline; the work is done in the rooms below."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.pipelines.champion import crown, metric_of
from unrolled.recurrent.options import ModelOptions
from unrolled.series import metrics, panel, scaling, splits, windows
from unrolled.series.baselines import BASELINES, Task
from unrolled.series.generators import GENERATORS
from unrolled.series.options import SeriesOptions
from unrolled.series.panel import digest
from unrolled.series.windows import starts
from unrolled.training.options import TrainOptions

# torch takes a second to import; only the nodes that train or run a network pay for it.

Values = npt.NDArray[np.float32]
Cutoffs = npt.NDArray[np.int64]  # (C,), rows of the panel
Forecasts = npt.NDArray[np.float64]  # (C, K), original units
COST = ["parameters", "train_seconds"]
METRICS = list(metrics.METRICS)


def ingest(raw: pd.DataFrame, series: SeriesOptions, name: str) -> pd.DataFrame:
    """Bring the user's rows into long form on a regular grid."""
    return panel.tidy(raw, series.columns, series.fill, series.season, name)


def generate(series: SeriesOptions) -> pd.DataFrame:
    """Make the generated series."""
    return GENERATORS[str(series.generator)]()


def split(panel: pd.DataFrame, series: SeriesOptions) -> pd.DataFrame:
    """Cut every series in time order, and check that each part holds a window."""
    table = splits.borders(panel, series.validation, series.test)
    splits.check_lengths(table, series)
    return table


def fit_scaler(panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions) -> pd.DataFrame:
    """Estimate transform and scale on train rows only."""
    return scaling.fit(panel, borders, series)


def scale(
    panel: pd.DataFrame, borders: pd.DataFrame, scaler: pd.DataFrame, series: SeriesOptions
) -> Values:
    """Scale every row, aligned with the panel."""
    return scaling.apply(panel, borders, scaler, series)


def window(borders: pd.DataFrame, series: SeriesOptions) -> pd.DataFrame:
    """Say where the windows of each part start."""
    return windows.table(borders, series)


def train(
    values: Values,
    windows: pd.DataFrame,
    series: SeriesOptions,
    model: ModelOptions,
    training: TrainOptions,
    variant: str,
    seed: int,
) -> tuple[dict[str, Any], dict[str, Any], pd.DataFrame]:
    """Fit one variant with one seed.

    Returns:
        Its weights, its options and cost, its learning curve.
    """
    from unrolled.gradients import health
    from unrolled.training import forecasting
    from unrolled.training.loop import kept_epoch

    began, label = time.perf_counter(), f"{variant} seed {seed}"
    curves: list[pd.DataFrame] = []
    weights, history, parameters = forecasting.fit_forecaster(
        np.array(values), windows, series, model, training, seed, label, health.watch(curves)
    )
    if model.attention == "none":  # which is a way past the recurrence
        health.warn(label, curves, model)
    card = {
        "variant": variant,
        "kind": "recurrent",
        "model": model.model_dump(),
        "training": training.model_dump(),
        "seed": seed,
        "features": 1 + len(series.lags),
        "lookback": series.lookback,
        "horizon": series.horizon,
        "parameters": parameters,
        "epoch": kept_epoch(history, training),
        "validation_loss": history[kept_epoch(history, training) - 1].validation_loss,
        "train_seconds": time.perf_counter() - began,
    }
    curve = pd.DataFrame([asdict(row) for row in history]).assign(variant=variant, seed=seed)
    return weights, card, curve


def backtest(
    weights: dict[str, Any],
    card: dict[str, Any],
    values: Values,
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    scaler: pd.DataFrame,
    series: SeriesOptions,
) -> pd.DataFrame:
    """Forecast from every cutoff of the test part with one trained network."""
    from unrolled.training import forecasting

    y, scaled = panel["y"].to_numpy(), np.array(values)
    scales = {scale.unique_id: scale for scale in scaling.scales(scaler)}

    def forecast(parts: splits.Parts, cutoffs: Cutoffs) -> Forecasts:
        first = cutoffs + 1 - (series.span - series.horizon)
        ahead = forecasting.predict(weights, card, scaled, first, series)
        return scaling.invert(ahead, y, cutoffs, scales[parts.unique_id], series.warmup)

    return _over_cutoffs(panel, borders, series, card["variant"], card["seed"], forecast)


def look_inside(
    weights: dict[str, Any],
    card: dict[str, Any],
    values: Values,
    windows: pd.DataFrame,
    series: SeriesOptions,
) -> pd.DataFrame:
    """Gates, states and attention while the window before the first cutoff of the test is read."""
    from unrolled.training import forecasting

    first = int(starts(windows, "test")[0])
    return forecasting.look_inside(weights, card, np.array(values), first, series)


def backtest_baseline(
    panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions, variant: str
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Forecast from every cutoff of the test part with one baseline."""
    began = time.perf_counter()
    y = panel["y"].to_numpy()

    def forecast(parts: splits.Parts, cutoffs: Cutoffs) -> Forecasts:
        task = Task(
            horizon=series.horizon,
            season=series.season,
            lookback=series.lookback,
            train_end=parts.train,
            validation_end=parts.train + parts.validation,
            refit_every=math.ceil(len(cutoffs) / series.statistical_fits),
        )
        own = y[parts.first : parts.end]
        return BASELINES[variant](own, cutoffs - parts.first, task)

    frame = _over_cutoffs(panel, borders, series, variant, None, forecast)
    cost = {"parameters": None, "train_seconds": time.perf_counter() - began}
    return frame, {"variant": variant, "kind": "baseline", **cost}


def _over_cutoffs(
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    series: SeriesOptions,
    variant: str,
    seed: int | None,
    forecast: Callable[[splits.Parts, Cutoffs], Forecasts],
) -> pd.DataFrame:
    """Rolling-origin frame of one variant: every cutoff, every step, truth beside forecast."""
    y, ds = panel["y"].to_numpy(), panel["ds"].to_numpy()
    step = np.arange(1, series.horizon + 1)
    frames = []
    for parts in splits.each(borders):
        # The first cutoff is the last row before the test part: all targets lie in the test part.
        cutoffs = np.arange(parts.validation_end - 1, parts.end - series.horizon, dtype=np.int64)
        target = cutoffs[:, None] + step  # (C, K)
        frames.append(
            pd.DataFrame(
                {
                    "unique_id": parts.unique_id,
                    "ds": ds[target].ravel(),
                    "cutoff": np.repeat(ds[cutoffs], series.horizon),
                    "step": np.tile(step, len(cutoffs)),
                    "y": y[target].ravel(),
                    "y_hat": forecast(parts, cutoffs).ravel(),
                }
            )
        )
    frame = pd.concat(frames, ignore_index=True)
    frame["variant"] = variant
    frame["seed"] = pd.array([pd.NA if seed is None else seed] * len(frame), dtype="Int64")
    return frame


def score(
    backtest: pd.DataFrame,
    card: dict[str, Any],
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    series: SeriesOptions,
) -> dict[str, Any]:
    """Metrics of one variant and seed over all steps, with its cost."""
    scores = metrics.score(backtest, _history(panel, borders), series.season)
    return {**{key: card[key] for key in ("variant", "kind", *COST)}, **scores}


def _history(panel: pd.DataFrame, borders: pd.DataFrame) -> pd.DataFrame:
    """All rows before the test part: MASE's in-sample scale."""
    return pd.concat(
        [panel.iloc[parts.first : parts.validation_end] for parts in splits.each(borders)]
    )


def describe(
    panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions, name: str, source: str
) -> dict[str, Any]:
    """Say what the data are: where from, which rows, under which licence, with their SHA-256."""
    return {
        "name": name,
        "source": source or f"generated: {series.generator}",
        "licence": series.licence or ("none needed" if series.generator else None),
        "sha256": digest(panel),
        "unit": "rows",
        **{part: int(borders[part].sum()) for part in ("train", "validation", "test")},
        "columns": {column: str(kind) for column, kind in panel.dtypes.items()},
        "series": len(borders),
        "first": str(panel["ds"].min()).removesuffix(" 00:00:00"),
        "last": str(panel["ds"].max()).removesuffix(" 00:00:00"),
    }


def protocol(
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    series: SeriesOptions,
    name: str,
    seeds: list[int],
) -> str:
    """Say on what data and how the numbers of this run were measured, in one line."""
    many = len(borders)
    parts = next(splits.each(borders))
    cutoffs = sum(each.test - series.horizon + 1 for each in splits.each(borders))
    begin = str(panel["ds"].iloc[parts.validation_end]).removesuffix(" 00:00:00")
    data = f"{name}: {f'{many} series, ' if many > 1 else ''}{len(panel)} rows"
    rows = [int(borders[part].sum()) for part in ("train", "validation", "test")]
    split = f"train {rows[0]}, validation {rows[1]}, test {rows[2]}"
    split += "" if many > 1 else f" from {begin}"
    tried = f"seeds {', '.join(map(str, seeds))}"
    return f"{data} ({split}); horizon {series.horizon}, {cutoffs} cutoffs; {tried}"


def combine(*frames: pd.DataFrame) -> pd.DataFrame:
    """The frames of all variants and seeds under one another."""
    return pd.concat(frames, ignore_index=True)


def score_by_step(
    backtest: pd.DataFrame, panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions
) -> pd.DataFrame:
    """Metrics per horizon step, means over seeds: `variant, step, mae, rmse, smape, mase`."""
    history = _history(panel, borders)
    frames = [
        metrics.score_by_step(frame, history, series.season).assign(
            variant=frame["variant"].iloc[0]
        )
        for _, frame in backtest.groupby(["variant", "seed"], dropna=False, sort=False)
    ]
    steps = pd.concat(frames)
    return steps.groupby(["variant", "step"], sort=False)[METRICS].mean().reset_index()


def leaderboard(*scores: dict[str, Any]) -> pd.DataFrame:
    """One row a variant or baseline, means over seeds, best MASE first (MAE where no MASE is)."""
    by = pd.DataFrame(scores).groupby(["variant", "kind"], sort=False)
    board = by[[*COST, *METRICS]].mean()
    board["parameters"] = board["parameters"].astype("Int64")  # of a baseline: none
    board["seeds"] = by.size()
    board["mase_std"] = by["mase"].std()
    order = "mase" if board["mase"].notna().all() else "mae"
    columns = ["variant", "kind", "seeds", "parameters", *METRICS, "mase_std", "train_seconds"]
    return board.sort_values(order, kind="stable").reset_index()[columns]


def champion(
    choice: dict[str, Any],
    leaderboard: pd.DataFrame,
    backtest: pd.DataFrame,
    digests: dict[str, str],
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    series: SeriesOptions,
    name: str,
) -> dict[str, Any]:
    """Set the network that validation chose beside the best baseline, cutoff by cutoff."""
    history, metric = _history(panel, borders), metric_of(leaderboard)
    own = backtest[
        (backtest["variant"] == choice["variant"]) & (backtest["seed"] == choice["seed"])
    ]
    seed_score = metrics.score(own, history, series.season)[metric]
    losses = metrics.loss_by_cutoff(backtest, history, series.season, metric)
    found = crown(choice, leaderboard, seed_score, losses, series.horizon, digests, "scaler.csv")
    return {"job": "forecasting", "data_set": name, **found}
