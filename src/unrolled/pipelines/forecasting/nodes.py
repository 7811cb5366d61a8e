"""Nodes of the forecasting pipeline; the work is done in the rooms below."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.comparison.champion import crown, finite, measure, metric_of
from unrolled.comparison.leaderboard import NOTE, ranked
from unrolled.recurrent.options import ModelOptions
from unrolled.series import metrics, reading, scaling, splits, windows
from unrolled.series.generators import GENERATORS
from unrolled.series.options import SeriesOptions
from unrolled.series.panel import digest, observed
from unrolled.series.reading import Reading
from unrolled.series.selection import check, select
from unrolled.series.tables import Files, Table
from unrolled.series.windows import starts
from unrolled.training import backtest as backtesting
from unrolled.training.backtest import Forecast, before_test
from unrolled.training.options import TrainOptions

# torch takes a second to import; only the nodes that train or run a network pay for it.

Values = npt.NDArray[np.float32]
Observed = npt.NDArray[np.bool_]
Row = tuple[str, str, int | None]  # variant, kind, seed
COST = ["parameters", "train_seconds"]
METRICS = list(metrics.METRICS)
VALIDATION = ["validation_mase", "validation_mae"]


def keep(series: SeriesOptions) -> dict[str, Any]:
    """The options of the series, for the pipelines that read these results."""
    return series.model_dump(mode="json")


def ingest(raw: Files, series: SeriesOptions, name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Bring the user's rows into long form on a regular grid.

    Returns:
        The panel; how its file was read, for every later file of the series.
    """
    return _selected(*reading.read(raw, series, name), series)


def generate(series: SeriesOptions, name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Make the generated series; returns as `ingest`."""
    table = Table(GENERATORS[str(series.generator)](), None)
    return _selected(*reading.of_table(table, series, name), series)


def _selected(
    panel: pd.DataFrame, reading: Reading, series: SeriesOptions
) -> tuple[pd.DataFrame, dict[str, Any]]:
    panel, dropped = select(panel, series)
    return panel, reading.model_copy(update={"dropped": dropped}).model_dump(mode="json")


def split(panel: pd.DataFrame, series: SeriesOptions) -> pd.DataFrame:
    """Cut every series in time order, and check that each part holds a window."""
    table = splits.borders(panel, series.validation, series.test)
    check(panel, table, series)
    return table


def fit_scaler(panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions) -> pd.DataFrame:
    """Estimate transform and scale on train rows only."""
    return scaling.fit(panel, borders, series)


def scale(
    panel: pd.DataFrame, borders: pd.DataFrame, scaler: pd.DataFrame, series: SeriesOptions
) -> tuple[Values, Observed]:
    """Scale every row, aligned with the panel; and which rows were observed."""
    return scaling.apply(panel, borders, scaler, series), observed(panel)


def window(borders: pd.DataFrame, series: SeriesOptions) -> pd.DataFrame:
    """Say where the windows of each part start."""
    return windows.table(borders, series)


def train(
    values: Values,
    observed: Observed,
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

    began, label = time.perf_counter(), f"{variant} seed {seed}"
    curves: list[pd.DataFrame] = []
    weights, history, parameters = forecasting.fit_forecaster(
        np.array(values),
        observed,
        windows,
        series,
        model,
        training,
        seed,
        label,
        health.watch(curves),
    )
    if model.attention == "none":  # which is a way past the recurrence
        health.warn(label, curves, model)
    kept = forecasting.kept(history, training)
    card = {
        "variant": variant,
        "kind": "recurrent",
        **forecasting.card(series, model, training, seed),
        "parameters": parameters,
        "epoch": round(kept.epoch),
        **finite({"validation_loss": kept.validation_loss}),
        "train_seconds": time.perf_counter() - began,
    }
    curve = pd.DataFrame([asdict(row) for row in history]).drop(columns="step")
    curve = curve.astype({"epoch": int}).assign(variant=variant, seed=seed)
    return weights, card, curve


def plan_rehearsals(
    panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions
) -> pd.DataFrame:
    """Say where the rehearsals before the test part begin and end."""
    return backtesting.plan_rehearsals(panel, borders, series)


def rehearse(
    panel: pd.DataFrame,
    rehearsals: pd.DataFrame,
    series: SeriesOptions,
    model: ModelOptions,
    training: TrainOptions,
    variant: str,
    seed: int,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Train one variant with one seed anew for every rehearsal, and score what it forecasts there."""

    def fit(borders: pd.DataFrame) -> Forecast:
        label = f"{variant} seed {seed}, rehearsal"
        return backtesting.fit_network(panel, borders, series, model, training, seed, label)

    frame, row = backtesting.rehearse(panel, rehearsals, series, fit), (variant, "recurrent", seed)
    return _of(frame, row), _validation(frame, panel, rehearsals, series, row)


def rehearse_baseline(
    panel: pd.DataFrame, rehearsals: pd.DataFrame, series: SeriesOptions, variant: str
) -> dict[str, Any]:
    """The score of a baseline; all rehearsals together fit it as often as the test part does."""
    fits = -(-series.statistical_fits // splits.REHEARSALS)

    limit = backtesting.limit_of(series, len(rehearsals))

    def fit(_: pd.DataFrame) -> Forecast:
        return backtesting.of_baseline(variant, panel, series, fits, limit)

    frame = backtesting.rehearse(panel, rehearsals, series, fit)
    found = _validation(frame, panel, rehearsals, series, (variant, "baseline", None))
    return found | {"note": f"rehearsals: {limit.note}" if limit.note else None}


def _validation(
    frame: pd.DataFrame,
    panel: pd.DataFrame,
    rehearsals: pd.DataFrame,
    series: SeriesOptions,
    row: Row,
) -> dict[str, Any]:
    variant, kind, seed = row
    scores = backtesting.score_rehearsals(frame, panel, rehearsals, series)
    return {"variant": variant, "kind": kind, "seed": seed} | finite(scores)


def backtest(
    weights: dict[str, Any],
    card: dict[str, Any],
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    scaler: pd.DataFrame,
    series: SeriesOptions,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecast with one trained network: from every cutoff of the test part, and after the last row."""
    forecast = backtesting.of_network(weights, card, panel, borders, scaler, series)
    return _forecasts(
        panel, borders, series, (card["variant"], "recurrent", card["seed"]), forecast
    )


def backtest_baseline(
    panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions, variant: str
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """The same with one baseline, fitted on all rows for what comes after them; and its cost."""
    began, row = time.perf_counter(), (variant, "baseline", None)
    limit = backtesting.limit_of(series, 2 * len(borders))  # the test part, and after the last row
    forecast = backtesting.of_baseline(variant, panel, series, limit=limit)
    frames = _forecasts(panel, borders, series, row, forecast)
    cost = {
        "parameters": None,
        "train_seconds": time.perf_counter() - began,
        "note": limit.note or None,
    }
    return *frames, {"variant": variant, "kind": "baseline", **cost}


def _forecasts(
    panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions, row: Row, forecast: Forecast
) -> tuple[pd.DataFrame, pd.DataFrame]:
    known = backtesting.over_cutoffs(panel, borders, series, forecast)
    return _of(known, row), _of(backtesting.ahead(panel, series, forecast), row)


def _of(frame: pd.DataFrame, row: Row) -> pd.DataFrame:
    """Say in a frame of forecasts whose they are."""
    variant, _, seed = row
    seeds = pd.array([seed if seed is not None else pd.NA] * len(frame), dtype="Int64")
    return frame.assign(variant=variant, seed=seeds)


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


def median(variant: str, *seeds: pd.DataFrame) -> pd.DataFrame:
    """The median of the seeds' forecasts, row by row, as forecasts of `variant`."""
    first = seeds[0]
    y_hat = np.median([frame["y_hat"].to_numpy(dtype=np.float64) for frame in seeds], axis=0)
    return _of(first.assign(y_hat=y_hat), (variant, "ensemble", None))


def median_cost(variant: str, *cards: dict[str, Any]) -> dict[str, Any]:
    """Parameters and training time of all seeds together."""
    cost = {key: sum(card[key] for card in cards) for key in COST}
    return {"variant": variant, "kind": "ensemble", "seeds": len(cards), **cost}


def validate(
    rehearsed: pd.DataFrame,
    panel: pd.DataFrame,
    rehearsals: pd.DataFrame,
    series: SeriesOptions,
    variant: str,
) -> dict[str, Any]:
    """Score an ensemble's rehearsals."""
    return _validation(rehearsed, panel, rehearsals, series, (variant, "ensemble", None))


def score(
    backtest: pd.DataFrame,
    validation: dict[str, Any],
    card: dict[str, Any],
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    series: SeriesOptions,
) -> dict[str, Any]:
    """Metrics of one variant and seed over all steps of the test part, beside its rehearsals' and cost."""
    scores = metrics.score(backtest, before_test(panel, borders), series.season)
    cost = {key: card[key] for key in ("variant", "kind", *COST)} | {"seeds": card.get("seeds", 1)}
    notes = [one["note"] for one in (card, validation) if one.get("note")]
    found = cost | finite(scores) | {key: validation[key] for key in VALIDATION}
    return found | {NOTE: "; ".join(notes) or None}


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
    without = metrics.unscaled(before_test(panel, borders), series.season)
    scaled = f"; MASE without {without} series that have no scale" if without else ""
    return f"{data} ({split}); horizon {series.horizon}, {cutoffs} cutoffs; {tried}{scaled}"


def combine(*frames: pd.DataFrame) -> pd.DataFrame:
    """The frames of all variants and seeds under one another."""
    return pd.concat(frames, ignore_index=True)


def score_by_step(
    backtest: pd.DataFrame, panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions
) -> pd.DataFrame:
    """Metrics per horizon step, means over seeds: `variant, step, mae, rmse, smape, mase`."""
    history = before_test(panel, borders)
    frames = [
        metrics.score_by_step(frame, history, series.season).assign(
            variant=frame["variant"].iloc[0]
        )
        for _, frame in backtest.groupby(["variant", "seed"], dropna=False, sort=False)
    ]
    steps = pd.concat(frames)
    by = steps.groupby(["variant", "step"], sort=False)
    return by[METRICS].mean(skipna=False).reset_index()


def leaderboard(*scores: dict[str, Any]) -> pd.DataFrame:
    """One row a variant, ensemble or baseline, means over seeds, best MASE first (MAE where none is)."""
    numbers = [*COST, *METRICS, *VALIDATION]
    table = pd.DataFrame(scores).astype(dict.fromkeys(numbers, float))
    by = table.groupby(["variant", "kind"], sort=False)
    board = by[numbers].mean(skipna=False)  # a seed without a score is none of its variant either
    board["parameters"] = board["parameters"].astype("Int64")  # of a baseline: none
    board["seeds"] = by["seeds"].sum()
    board["mase_std"] = by["mase"].std()
    if NOTE in table:
        board[NOTE] = by[NOTE].first()
    order = "mase" if board["mase"].notna().any() else "mae"
    columns = [
        "variant",
        "mase",
        "mase_std",
        "validation_mase",
        *METRICS[:-1],
        "kind",
        "seeds",
        *COST,
        *([NOTE] if NOTE in board else []),
    ]
    return ranked(board.reset_index()[columns], order)


def forecast(choice: dict[str, Any], *ahead: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What comes after the last row, by the winner and by the champion.

    Returns:
        `unique_id, ds, variant, y_hat`; and of the winner `unique_id, ds, cutoff, y_hat`, the cutoff
        the last row read.
    """
    every = pd.concat(ahead, ignore_index=True)
    rows = {
        name: choice["rows"][name] for name in (choice["winner"], choice["champion"]["variant"])
    }
    frames = []
    for name, row in rows.items():
        own = every[every["variant"] == name]
        if row["kind"] == "recurrent":  # its best seed, as it would be deployed
            own = own[own["seed"] == row["seeds"][0]]
        frames.append(own)
    columns = ["unique_id", "ds", "variant", "y_hat"]
    return (
        pd.concat(frames, ignore_index=True)[columns],
        frames[0].reset_index(drop=True)[["unique_id", "ds", "cutoff", "y_hat"]],
    )


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
    """Set the network that the rehearsals chose beside the best baseline, cutoff by cutoff."""
    chosen = choice["champion"]
    history, metric = before_test(panel, borders), metric_of(leaderboard)
    own = backtest[
        (backtest["variant"] == chosen["variant"]) & (backtest["seed"] == chosen["seed"])
    ]
    seed_score = metrics.score(own, history, series.season)[metric]
    losses = metrics.loss_by_cutoff(backtest, history, series.season, metric)
    found = crown(chosen, leaderboard, seed_score, losses, series.horizon, digests, "scaler.csv")
    return {"job": "forecasting", "data_set": name, **found}


def winner(
    choice: dict[str, Any], leaderboard: pd.DataFrame, digests: dict[str, str], name: str
) -> dict[str, Any]:
    """Set the row that the rehearsals chose, of any kind, beside the best one of the test part."""
    return {
        "job": "forecasting",
        "data_set": name,
        **measure(choice, leaderboard, digests, "scaler.csv"),
    }
