"""A series is described once, in one line; what reads its results knows the rest."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from tests.projects import TINY

from unrolled.tracking import client_of

pytestmark = pytest.mark.slow

Run = Callable[..., Result]


def test_a_series_is_described_once(
    kedro_run: Run, project: Path, write_series: Callable[..., pd.DataFrame]
) -> None:
    frame = write_series(Store="Berlin", Rain=0.5).rename(columns={"ds": "Month", "y": "Sales"})
    frame = frame.drop(columns="unique_id")
    frame.to_csv(project / "data/01_raw/series/mine.csv", index=False)
    said = "series=mine,ds=Month,y=Sales,season=12,horizon=6,lookback=12"
    done = kedro_run("--params", f"{said},{TINY}")
    assert done.exit_code == 0, done.output + str(done.exception)
    said_once = " ".join(done.output.split())
    assert "Month as ISO8601 in steps of MS; Sales is forecast; not used: Store, Rain" in said_once
    lines = [line for line in done.output.splitlines() if "Completed" in line]
    assert lines == []  # Kedro's own go to the log
    assert done.output.splitlines()[-1].startswith("Every node: logs/")
    log = Path(done.output.splitlines()[-1].removeprefix("Every node: ")).read_text()
    assert "Completed node: forecasting.gru.seed_0.train" in log
    assert "gru seed 0: epoch 1 of 1, validation loss " in done.output
    kept = json.loads(Path("data/06_models/forecasting/mine/study.json").read_text())
    assert (kept["season"], kept["columns"]["ds"]) == (12, "Month")

    Path("data/07_model_output/forecasting/mine/forecast.csv").unlink()
    done = kedro_run("--pipelines=forecast", "--params", "series=mine")
    assert done.exit_code == 0, done.output + str(done.exception)
    forecast = pd.read_csv("data/07_model_output/forecasting/mine/forecast.csv")
    ahead = pd.date_range("2006-01-01", periods=6, freq="MS").strftime("%Y-%m-%d")
    assert forecast["ds"].tolist() == ahead.tolist()

    frame.tail(6).to_csv(project / "few.csv", index=False)
    few = kedro_run("--pipelines=forecast", "--params", "series=mine,rows=few.csv,model=ridge")
    assert few.exit_code == 1
    assert few.output.splitlines()[-1] == (
        "Error: series 'mine': 6 rows; ridge needs the last 24 or more"
    )
    assert pd.read_csv("data/07_model_output/forecasting/mine/forecast.csv").equals(forecast)

    more = pd.DataFrame({"Month": ahead, "Sales": np.full(6, 40.0)})
    pd.concat([frame, more]).to_csv("data/01_raw/series/mine.csv", index=False)
    done = kedro_run("--pipelines=monitor", "--params", "series=mine")
    assert done.exit_code == 0, done.output + str(done.exception)

    other = kedro_run("--pipelines=monitor", "--params", "series=mine,season=4")
    assert other.exit_code == 1
    assert other.output.splitlines()[-1] == (
        "Error: series 'mine' was run with season 12, but --params says 4; leave it out, or run"
        " kedro run --pipelines=forecasting with it first"
    )


def test_new_rows_may_be_a_file_of_another_kind_beside_the_series(
    kedro_run: Run, project: Path, untracked: None, write_series: Callable[..., pd.DataFrame]
) -> None:
    frame = write_series()
    folder = project / "data/01_raw/series"
    (folder / "mine.csv").unlink()
    typed = frame.assign(ds=pd.to_datetime(frame["ds"]))
    typed.to_parquet(folder / "Report.PARQUET")
    said = "series=Report,season=12,horizon=6,lookback=12"
    done = kedro_run("--params", f"{said},{TINY}")
    assert done.exit_code == 0, done.output + str(done.exception)

    place = Path("data/07_model_output/forecasting/Report/forecast.csv")
    before = pd.read_csv(place)
    place.unlink()
    typed.to_csv(folder / "new.csv", index=False, date_format="%d/%m/%Y")
    asked = "series=Report,rows=new.csv,date_format=%d/%m/%Y"
    done = kedro_run("--pipelines=forecast", "--params", asked)
    assert done.exit_code == 0, done.output + str(done.exception)
    winner = json.loads(Path("data/06_models/forecasting/Report/winner.json").read_text())[
        "variant"
    ]
    expected = before[before["variant"] == winner]
    found = pd.read_csv(place)
    assert found["ds"].tolist() == expected["ds"].tolist()
    np.testing.assert_allclose(found["y_hat"], expected["y_hat"])

    done = kedro_run("--pipelines=forecast", "--params", "series=Report,rows=never.csv")
    assert done.exit_code == 1
    assert done.output.splitlines()[-1] == (
        f"Error: parameter 'rows' is 'never.csv', but there is no such file in '{project}' or in"
        f" '{project}/data/01_raw/series'; put it there, or give its whole path"
    )


def test_a_missing_file_leaves_no_run_in_mlflow(kedro_run: Run, project: Path) -> None:
    result = kedro_run("--params", "series=nowhere")
    assert result.exit_code == 1
    assert "data/01_raw/series/nowhere.csv' does not exist" in result.output
    client = client_of(f"sqlite:///{project}/mlflow.db")
    assert [found.name for found in client.search_experiments()] == ["Default"]
