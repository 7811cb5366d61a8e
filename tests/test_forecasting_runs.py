"""Whole runs of `--env quick`: every runner, the contract of files, tracking, resuming."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
from pandas.testing import assert_frame_equal
from safetensors.torch import load_file
from tests.projects import SMALL, TINY, succeeded

from unrolled.tracking import client_of

Run = Callable[..., Result]
Finished = Callable[..., str]

REPORT = Path("data/08_reporting/forecasting/airline")
OUTPUT = Path("data/07_model_output/forecasting/airline")

pytestmark = pytest.mark.slow


def runs_in(project: Path) -> pd.DataFrame:
    """All MLflow runs of the project: status, name and tags."""
    client = client_of(f"sqlite:///{project}/mlflow.db")
    experiments = [found.experiment_id for found in client.search_experiments()]
    return pd.DataFrame(
        [
            {"name": run.info.run_name, "status": run.info.status, "run": run} | run.data.tags
            for run in client.search_runs(experiments)
        ]
    )


def without_times(path: Path) -> pd.DataFrame:
    return pd.read_csv(path).drop(columns="train_seconds")


@pytest.mark.parametrize("runner", ["ThreadRunner", "unrolled.runners.SideBySideRunner"])
def test_every_runner_gives_the_same_bits_and_the_same_runs(
    finished: Finished,
    kedro_run: Run,
    kedro_process: Callable[..., None],
    project: Path,
    runner: str,
) -> None:
    finished("--params", SMALL)
    expected = without_times(REPORT / "leaderboard.csv")
    backtest = pd.read_parquet(OUTPUT / "backtest.parquet")
    weights = load_file("data/06_models/forecasting/airline/gru/seed_0.safetensors")
    for layer in ("03_primary", "06_models", "07_model_output", "08_reporting"):
        for file in (project / "data" / layer).rglob("*.*"):
            file.unlink()

    arguments = ("--pipelines=forecasting", "--runner", runner, "--params", SMALL)
    if runner == "ThreadRunner":
        succeeded(kedro_run(*arguments))
    else:
        kedro_process(*arguments)

    assert_frame_equal(without_times(REPORT / "leaderboard.csv"), expected, check_exact=True)
    assert_frame_equal(pd.read_parquet(OUTPUT / "backtest.parquet"), backtest, check_exact=True)
    again = load_file("data/06_models/forecasting/airline/gru/seed_0.safetensors")
    assert all(weights[name].equal(again[name]) for name in weights)

    runs = runs_in(project)
    # two kedro runs: a parent, variants, their seeds, medians, baselines
    assert len(runs) == 2 * (1 + 2 + 2 * 2 + 2 + 2)
    assert set(runs["status"]) == {"FINISHED"}
    first, second = (frame.sort_values("name") for _, frame in runs.groupby("kedro.run_id"))
    for one, other in zip(first["run"], second["run"], strict=True):
        assert one.data.params == other.data.params
        assert set(one.data.metrics) == set(other.data.metrics)
    children = runs[runs["kind"] != "parent"]
    names = {"gru", "rnn", "gru_median", "rnn_median", "seasonal_naive", "ridge"}
    assert set(children["variant"]) == names
    assert all(
        {"mae", "rmse", "smape", "mase", "validation_mase"} <= set(run.data.metrics)
        for run in children["run"]
    )


def test_the_leaderboard_and_backtest_have_the_columns_of_the_contract(finished: Finished) -> None:
    printed = finished("--params", SMALL)
    board = pd.read_csv(REPORT / "leaderboard.csv")
    assert list(board) == [
        "variant", "mase", "mase_std", "validation_mase", "mae", "rmse", "smape", "kind", "seeds",
        "parameters", "train_seconds",
    ]  # fmt: skip
    assert board["mase"].is_monotonic_increasing
    assert board.groupby("kind")["variant"].agg(set).to_dict() == {
        "baseline": {"ridge", "seasonal_naive"},
        "ensemble": {"gru_median", "rnn_median"},
        "recurrent": {"gru", "rnn"},
    }
    recurrent = board[board["kind"] == "recurrent"]
    assert recurrent["seeds"].tolist() == [2, 2]
    assert recurrent["mase_std"].notna().all()  # more than one seed, and the spread shown

    backtest = pd.read_parquet(OUTPUT / "backtest.parquet")
    columns = ["unique_id", "ds", "cutoff", "step", "y", "y_hat", "variant", "seed"]
    assert list(backtest) == columns
    # every baseline is scored at the same cutoffs and steps as every network, on the same truth
    keys = ["unique_id", "ds", "cutoff", "step", "y"]
    asked = [
        frame[keys].reset_index(drop=True)
        for _, frame in backtest.groupby(["variant", "seed"], dropna=False)
    ]
    assert len(asked) == 2 * 2 + 2 + 2
    assert all(frame.equals(asked[0]) for frame in asked)
    assert (backtest["cutoff"] < backtest["ds"]).all()
    # what is printed names its data, split, seeds and horizon
    assert (
        "airline: 144 rows (train 96, validation 24, test 24 from 1959-01-01); horizon 12,"
        " 13 cutoffs; seeds 0, 1" in printed
    )
    assert "Report, with plots: data/08_reporting/forecasting/airline" in printed
    assert "make viz" in printed
    assert "make ui" in printed
    for plot in ("learning_curves", "forecast", "error_by_step", "leaderboard"):
        assert (REPORT / f"{plot}.png").read_bytes().startswith(b"\x89PNG")
        assert json.loads((REPORT / f"{plot}.json").read_text())["data"]


def test_nothing_that_was_trained_saw_the_test_part(
    finished: Finished, kedro_run: Run, project: Path
) -> None:
    """A spike in the test part changes neither scaler, windows, weights nor learning curves."""
    finished("--params", TINY)
    seen = [
        "data/04_feature/forecasting/airline/scaler.csv",
        "data/05_model_input/forecasting/airline/windows.csv",
        *(
            f"data/06_models/forecasting/airline/gru/seed_0.{kind}"
            for kind in ("safetensors", "history.csv")
        ),
    ]
    before = {name: (project / name).read_bytes() for name in seen}
    board = without_times(REPORT / "leaderboard.csv")

    raw = project / "data/01_raw/series/airline.csv"
    series = pd.read_csv(raw)
    series.loc[len(series) - 20, "y"] *= 1000
    series.to_csv(raw, index=False)
    succeeded(kedro_run("--params", TINY))

    assert {name: (project / name).read_bytes() for name in seen} == before
    assert not without_times(REPORT / "leaderboard.csv").equals(board)


def at_work_in(folder: Path) -> list[str]:
    """Processes whose working directory it is, by their numbers; none where the system does not say."""
    found = []
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):  # it has ended, or is another user's
            if cwd.readlink() == folder.resolve():
                found.append(cwd.parent.name)
    return [number for number in found if int(number) != os.getpid()]


def test_a_run_that_is_killed_leaves_whole_files_and_is_finished_by_the_next(
    finished: Finished, kedro_run: Run, project: Path
) -> None:
    finished("--params", TINY)
    expected = without_times(REPORT / "leaderboard.csv")
    for file in (project / "data").glob("0[2-8]_*/**/*.*"):
        file.unlink()
    kedro = Path(sys.executable).parent / "kedro"
    run = subprocess.Popen(
        [kedro, "run", "--env", "quick", "--pipelines=forecasting", "--params", TINY],
        stdout=subprocess.DEVNULL,
    )
    models = project / "data/06_models/forecasting/airline"
    deadline = time.monotonic() + 60
    while not list(models.glob("*/*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + 30
    while (left := at_work_in(project)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left  # workers end with the main process
    for file in models.glob("*/*.safetensors"):
        assert load_file(file)
    assert not (REPORT / "leaderboard.csv").exists()

    succeeded(kedro_run("--only-missing-outputs", "--params", TINY))
    assert_frame_equal(without_times(REPORT / "leaderboard.csv"), expected, check_exact=True)


def test_a_failed_run_is_marked_and_says_why_in_mlflow(
    kedro_run: Run, project: Path, write_series: Callable[..., pd.DataFrame]
) -> None:
    write_series(y=7.0)
    assert kedro_run("--params", f"{TINY},series=mine").exit_code == 1
    runs = runs_in(project)
    assert set(runs["status"]) == {"FAILED"}
    assert runs["error"].str.contains("rows are constant").all()


def test_a_file_of_ones_own_with_other_column_names_runs_with_one_line(
    kedro_run: Run, project: Path, write_series: Callable[..., pd.DataFrame]
) -> None:
    frame = write_series().rename(columns={"ds": "Month", "y": "Passengers"})
    frame.drop(columns="unique_id").to_csv(project / "data/01_raw/series/mine.csv", index=False)
    options = "{columns: {ds: Month, y: Passengers}, season: 12, horizon: 6, lookback: 12}"
    succeeded(kedro_run("--params", f"{TINY},series=mine,series_options.mine={options}"))
    backtest = pd.read_parquet("data/07_model_output/forecasting/mine/backtest.parquet")
    assert set(backtest["unique_id"]) == {"mine"}
    assert backtest["ds"].max() == pd.Timestamp("2005-12-01")


def test_a_panel_of_many_series_and_integer_time_is_nothing_special(
    kedro_run: Run, project: Path, write_series: Callable[..., pd.DataFrame]
) -> None:
    frame = write_series()
    second = frame.assign(unique_id="other", y=frame["y"] * 100)[5:]
    both = pd.concat([frame, second])
    both["ds"] = both.groupby("unique_id").cumcount()
    (project / "data/01_raw/series/mine.csv").unlink()
    folder = project / "data/01_raw/series/mine"
    folder.mkdir()
    for part, rows in both.groupby("unique_id"):
        rows.to_parquet(folder / f"{part}.parquet")
    options = "{season: 12, horizon: 6, lookback: 12}"
    succeeded(kedro_run("--params", f"{TINY},series=mine,series_options.mine={options}"))
    backtest = pd.read_parquet("data/07_model_output/forecasting/mine/backtest.parquet")
    assert set(backtest["unique_id"]) == {"mine", "other"}


@pytest.mark.parametrize("series", ["sine", "mackey_glass"])
def test_generated_series_need_no_file(kedro_run: Run, series: str) -> None:
    result = succeeded(kedro_run("--params", f"series={series},{TINY}"))
    assert f"{series}: " in result.output
    kinds = pd.read_csv(f"data/08_reporting/forecasting/{series}/leaderboard.csv")["kind"]
    assert kinds.value_counts().to_dict() == {"recurrent": 1, "baseline": 1}


@pytest.mark.usefixtures("untracked")
def test_a_variant_and_a_series_may_be_called_as_numbers_and_missing_values_are(
    kedro_run: Run, project: Path
) -> None:
    series = project / "data/01_raw/series"
    (series / "1e5.csv").write_bytes((series / "airline.csv").read_bytes())
    said = (
        "series=1e5,season=12,horizon=6,lookback=12,seeds=[0],baselines=[ridge],training.epochs=1"
    )
    own = "variants=[NA,007],variant_options={NA: {cell: gru}, 007: {cell: rnn}}"
    succeeded(kedro_run("--params", f"{said},{own}"))
    board = pd.read_csv(
        project / "data/08_reporting/forecasting/1e5/leaderboard.csv",
        dtype={"variant": str},
        keep_default_na=False,
    )
    assert set(board["variant"]) == {"NA", "007", "ridge"}
    printed = succeeded(
        kedro_run("--pipelines=forecast", "--params", "series=1e5,model=007")
    ).output
    assert "  007  " in printed
