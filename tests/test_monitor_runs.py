"""Whole runs of the pipeline `monitor` on forecasts as the pipeline `forecast` stores them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

from unrolled.tracking import client_of

pytestmark = pytest.mark.slow

Run = Callable[..., Result]

SERIES = "series=mine,series_options.mine={season: 12, horizon: 6, lookback: 12}"
TRAINING = f"{SERIES},variants=[gru],seeds=[0],baselines=[seasonal_naive],training.epochs=1"


def store(forecasts: pd.DataFrame) -> None:
    folder = Path("data/07_model_output/forecast/mine")
    folder.mkdir(parents=True, exist_ok=True)
    forecasts.to_parquet(folder / "forecasts.parquet", index=False)


def test_forecasts_are_scored_when_their_true_values_arrive(
    kedro_run: Run, project: Path, write_series: Callable[..., pd.DataFrame]
) -> None:
    frame = write_series()
    assert kedro_run("--params", TRAINING).exit_code == 0
    ahead = pd.date_range("2006-01-01", periods=6, freq="MS")
    truth = np.full(6, 40.0)
    forecasts = pd.DataFrame({"unique_id": "mine", "ds": ahead, "y_hat": truth + 1})
    store(forecasts.assign(cutoff=pd.Timestamp("2005-12-01")))
    too_soon = kedro_run("--pipelines=monitor", "--params", SERIES)
    assert too_soon.exit_code == 1
    assert "none of the 6 stored forecasts has come true" in too_soon.output

    more = pd.DataFrame({"unique_id": "mine", "ds": ahead.strftime("%Y-%m-%d"), "y": truth})
    pd.concat([frame, more]).to_csv("data/01_raw/series/mine.csv", index=False)
    done = kedro_run("--pipelines=monitor", "--params", f"{SERIES},monitor.last=6")
    assert done.exit_code == 0, done.output + str(done.exception)
    found = json.loads(Path("data/08_reporting/monitor/mine/verdict.json").read_text())
    assert (found["mae"], found["outside_range"], found["retrain"]) == (1.0, 0, False)
    scores = pd.read_csv("data/08_reporting/monitor/mine/scores.csv")
    assert list(scores) == ["ds", "forecasts", "mae", "seasonal_naive_mae"]
    assert scores["seasonal_naive_mae"].tolist() == pytest.approx(
        (frame["y"].to_numpy()[-12:-6] - truth).__abs__().tolist()
    )
    client = client_of(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("monitor/mine")
    runs = client.search_runs([experiment.experiment_id], order_by=["start_time DESC"])
    assert runs[0].info.status == "FINISHED"
    assert runs[0].data.metrics["mae"] == 1.0
    assert runs[0].data.metrics["outside_range"] == 0.0


def test_a_wrong_option_of_the_monitor_is_told_in_a_sentence(kedro_run: Run) -> None:
    result = kedro_run("--pipelines=monitor", "--params", "monitor.lst=3")
    assert result.exit_code == 1
    assert result.output.strip().splitlines()[-1] == (
        "Error: parameter 'monitor.lst' is unknown; did you mean 'last'?"
    )


def test_without_stored_forecasts_the_monitor_says_where_they_should_be(kedro_run: Run) -> None:
    result = kedro_run("--pipelines=monitor")
    assert result.exit_code == 1
    assert (
        result.output.strip()
        .splitlines()[-1]
        .endswith(
            "data/07_model_output/forecast/airline/forecasts.parquet' do not exist;"
            " run the pipeline forecast first"
        )
    )
