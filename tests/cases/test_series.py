"""Series that people have, each through a whole run: what is read, refused, forecast and scored."""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

from unrolled.series import metrics
from unrolled.series.options import SeriesOptions
from unrolled.series.reading import read

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("untracked")]

Case = Callable[[str], Path]
Run = Callable[..., Result]

OPTIONS = "series=it,season=12,horizon=6,lookback=12"
STUDY = "variants=[gru],seeds=[0],baselines=[seasonal_naive],training.epochs=1"
OUTPUT = Path("data/07_model_output/forecasting/it")


def put(path: Path, name: str = "it") -> None:
    """Lay a case where users lay theirs."""
    shutil.copy(path, Path("data/01_raw/series") / f"{name}{path.suffix}")


def run(kedro_run: Run, path: Path, more: str = "") -> Result:
    put(path)
    return kedro_run("--params", ",".join(filter(None, [OPTIONS, STUDY, more])))


def panel() -> pd.DataFrame:
    return pd.read_parquet("data/03_primary/forecasting/it/panel.parquet")


def reading() -> dict:
    return json.loads(Path("data/03_primary/forecasting/it/data.json").read_text())


def forecast() -> pd.DataFrame:
    return pd.read_csv(
        OUTPUT / "forecast.csv",
        parse_dates=["ds"],
        keep_default_na=False,
        dtype={"unique_id": "str"},
    )


def last_line(result: Result) -> str:
    return result.output.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("file", "step", "first", "last"),
    [
        ("ddmm_monthly.csv", "MS", "2015-01-01", "2022-12-01"),
        ("yyyymm.csv", "MS", "2015-01-01", "2022-12-01"),
        ("daily_berlin.parquet", "D", "2021-01-01", "2021-12-31"),
        ("indexed.parquet", "MS", "2015-01-01", "2022-12-01"),
        ("hash.csv", "MS", "2015-01-01", "2022-12-01"),
        ("blank_tail.csv", "MS", "2015-01-01", "2022-06-01"),
        ("sensor250us.parquet", "250us", "2024-05-01", "2024-05-01 00:00:00.099750"),
    ],
)
def test_a_series_is_read_on_its_own_calendar(
    case: Case, project: Path, kedro_run: Run, file: str, step: str, first: str, last: str
) -> None:
    done = run(kedro_run, case(f"series/{file}"))
    assert done.exit_code == 0, done.output
    assert reading()["steps"] == step
    ends = panel()["ds"].agg(["min", "max"]).tolist()
    assert ends == [pd.Timestamp(first), pd.Timestamp(last)]
    after = pd.date_range(last, periods=7, freq=step)[1:]
    ahead = forecast()
    assert (
        ahead.groupby("variant")["ds"].apply(list).tolist()
        == [after.tolist()] * ahead["variant"].nunique()
    )


def test_dates_that_two_forms_fit_are_refused_until_it_is_said(
    case: Case, project: Path, kedro_run: Run
) -> None:
    path = case("series/ddmm_panel.csv")
    short = "short=error,lookback=2,horizon=1,season=1"
    put(path)
    asked = f"series=it,{short},validation=2,test=2,{STUDY}"
    done = kedro_run("--params", asked)
    assert done.exit_code == 1
    assert last_line(done).endswith(
        "may be read as %d/%m/%Y (2015-01-01 to 2022-12-01) or as %m/%d/%Y (2015-01-01 to"
        " 2022-01-12), and the rows do not tell which; say it by the option date_format, as in"
        " date_format=%d/%m/%Y"
    )
    assert not Path("data/03_primary").exists()
    done = kedro_run("--params", f"{asked},date_format=%d/%m/%Y")
    assert done.exit_code == 0, done.output
    assert reading()["steps"] == "MS"


def test_hours_over_a_change_of_clocks_are_on_one_clock_for_every_later_file(
    case: Case, project: Path, kedro_run: Run
) -> None:
    new = case("series/berlin_hourly_new.csv")
    put(case("series/berlin_hourly.csv"))
    done = kedro_run("--params", f"series=it,season=24,horizon=6,lookback=24,{STUDY}")
    assert done.exit_code == 0, done.output
    assert "on the UTC clock" in " ".join(done.output.split())
    done = kedro_run("--pipelines=forecast", "--params", f"series=it,rows={new}")
    assert done.exit_code == 0, done.output
    assert forecast()["ds"].iloc[0] == pd.Timestamp("2021-04-28 23:00")
    served(kedro_run, project, new)

    # What comes true is what the series itself says of those hours.
    stored = pd.read_parquet("data/07_model_output/forecast/it/forecasts.parquet")
    later = pd.DataFrame(
        {
            "ds": [
                time.tz_localize("UTC").tz_convert("Europe/Berlin").isoformat()
                for time in stored["ds"]
            ],
            "y": stored["y_hat"] + 1.013,
        }
    )
    raw = pd.read_csv(case("series/berlin_hourly.csv"))
    pd.concat([raw, later]).to_csv("data/01_raw/series/it.csv", index=False)
    done = kedro_run("--pipelines=monitor", "--params", "series=it")
    assert done.exit_code == 0, done.output
    verdict = json.loads(Path("data/08_reporting/monitor/it/verdict.json").read_text())
    assert verdict["mae"] == pytest.approx(1.013)


def served(kedro_run: Run, project: Path, new: Path) -> None:
    """A request with offsets, all on one side of the change, is on the clock of the series."""
    from mlflow.pyfunc import load_model

    from unrolled.serving.app import application

    (project / "conf/quick/mlflow.yml").unlink()  # deploy registers
    done = kedro_run("--pipelines=deploy", "--params", "series=it,model=gru")
    assert done.exit_code == 0, done.output
    app = application(load_model("models:/forecasting-it@champion"))
    rows = pd.read_csv(new).assign(unique_id="it").tail(24)
    for body in (
        {"dataframe_records": rows.to_dict("records")},
        {"dataframe_split": {"columns": list(rows), "data": rows.to_numpy().tolist()}},
    ):
        answer = asyncio.run(asked(app, json.dumps(body).encode()))
        assert answer["predictions"][0]["ds"] == "2021-04-28T23:00:00"


async def asked(app: Callable, body: bytes) -> dict:
    """What an application answers to a request, without a server."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/invocations",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    parts = []

    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict) -> None:
        parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return json.loads(b"".join(parts))


@pytest.mark.parametrize(
    ("file", "more", "ids"),
    [
        ("stores.csv", "unique_id=store", ["001", "002"]),
        ("na_region.parquet", "", ["NA", "EU"]),
    ],
)
def test_ids_are_text(
    case: Case, project: Path, kedro_run: Run, file: str, more: str, ids: list[str]
) -> None:
    done = run(kedro_run, case(f"series/{file}"), more)
    assert done.exit_code == 0, done.output
    assert panel()["unique_id"].unique().tolist() == ids
    assert sorted(forecast()["unique_id"].unique()) == sorted(ids)
    assert kedro_run("--pipelines=forecast", "--params", "series=it").exit_code == 0
    assert sorted(forecast()["unique_id"].unique()) == sorted(ids)


def known_at_the_cutoff(y: np.ndarray, horizon: int, first: int) -> float:
    """MAE of persistence by hand: of what is there, from what was there."""
    errors = []
    for cutoff in range(first - 1, len(y) - horizon):
        last = y[: cutoff + 1][~np.isnan(y[: cutoff + 1])][-1]
        errors += [abs(truth - last) for truth in y[cutoff + 1 : cutoff + 1 + horizon]]
    return float(np.nanmean(errors))


@pytest.mark.parametrize("fill", ["linear", "last", "seasonal"])
def test_persistence_over_gaps_is_scored_as_known_at_the_cutoff(
    case: Case, project: Path, kedro_run: Run, fill: str
) -> None:
    put(case("series/random_walk_gaps.csv"))
    done = kedro_run(
        "--params",
        f"series=it,season=7,horizon=6,lookback=12,fill={fill},variants=[gru],seeds=[0],"
        "baselines=[persistence],training.epochs=1",
    )
    assert done.exit_code == 0, done.output
    board = pd.read_csv("data/08_reporting/forecasting/it/leaderboard.csv").set_index("variant")
    y = pd.read_csv(case("series/random_walk_gaps.csv"))["y"].to_numpy()
    if fill != "seasonal":  # which knows more at a cutoff than its last value
        expected = known_at_the_cutoff(y, 6, 480)
        assert board.loc["persistence", "mae"] == pytest.approx(expected, rel=1e-9)
    scored = pd.read_parquet(OUTPUT / "persistence/backtest.parquet")
    assert len(scored) == sum(
        int(np.isfinite(y[cutoff + 1 : cutoff + 7]).sum()) for cutoff in range(479, 594)
    )


def test_series_of_unequal_lengths_and_steps_are_scored_as_by_hand(
    case: Case, project: Path, kedro_run: Run
) -> None:
    done = run(kedro_run, case("series/unequal.csv"))
    assert done.exit_code == 0, done.output
    board = pd.read_csv("data/08_reporting/forecasting/it/leaderboard.csv").set_index("variant")
    whole, _ = read(
        {"it.csv": case("series/unequal.csv").read_bytes()}, SeriesOptions(season=12), "it"
    )
    errors, scaled = [], []
    for _, own in whole.groupby("unique_id", sort=False):
        y, rows = own["y"].to_numpy(), len(own)
        before = rows - round(rows * 0.2)
        wrong = [
            abs(y[c + k] - y[c + k - 12]) for c in range(before - 1, rows - 6) for k in range(1, 7)
        ]
        errors.append(np.mean(wrong))
        scaled.append(errors[-1] / np.mean(np.abs(y[12:before] - y[: before - 12])))
    assert board.loc["seasonal_naive", "mae"] == pytest.approx(np.mean(errors))
    assert board.loc["seasonal_naive", "mase"] == pytest.approx(np.mean(scaled))
    assert metrics.METRICS


def test_the_request_of_a_fast_sensor_keeps_every_digit(
    case: Case, project: Path, kedro_run: Run
) -> None:
    (project / "conf/quick/mlflow.yml").unlink()  # deploy registers
    assert run(kedro_run, case("series/sensor250us.parquet")).exit_code == 0
    done = kedro_run("--pipelines=deploy", "--params", "series=it,model=gru")
    assert done.exit_code == 0, done.output
    request = json.loads(Path("data/06_models/forecasting/it/request.json").read_text())
    stamps = [row["ds"] for row in request["dataframe_records"]]
    assert len(set(stamps)) == len(stamps)
    assert pd.to_datetime(stamps).tolist() == panel()["ds"].iloc[-len(stamps) :].tolist()


def test_one_short_series_among_many_is_left_out_and_said_everywhere(
    project: Path, kedro_run: Run
) -> None:
    months = pd.date_range("2015-01-01", periods=60, freq="MS")
    wide = pd.DataFrame({"ds": months.strftime("%d.%m.%Y")})
    for number in range(12):
        wide[f"{number:02d}"] = np.sin(np.arange(60) + number).round(3) + 2
    wide["late"] = wide["00"].where(wide.index > 44)
    path = Path("data/01_raw/series/it.csv")
    wide.to_csv(path, index=False, sep=";", decimal=",")
    done = kedro_run("--params", f"{OPTIONS},{STUDY},wide=true")
    assert done.exit_code == 0, done.output
    assert "1 of 13 series (late) are left out" in " ".join(done.output.split())
    assert list(reading()["dropped"]) == ["late"]
    assert forecast()["unique_id"].nunique() == 12
    wide["late"] = wide["00"]
    wide["new"] = wide["00"]
    wide["04"] = wide["04"].where(wide.index > 54)
    wide.to_csv(path, index=False, sep=";", decimal=",")
    done = kedro_run("--pipelines=forecast", "--params", "series=it,model=gru")
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "1 series were left out of the training, so they are not forecast" in said
    assert "1 of 13 series (new) were not there in training and are not forecast" in said
    assert "1 of 12 series (04) have fewer than 12 rows and are not forecast" in said
    assert forecast()["unique_id"].nunique() == 11
