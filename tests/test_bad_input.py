"""Bad input ends in one sentence, through the whole `kedro run`, and nothing is written."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click import ClickException
from click.testing import Result

from unrolled.cli import sentences

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("untracked")]

Run = Callable[..., Result]

MINE = (
    "series=mine,series_options.mine.lookback=12,series_options.mine.horizon=6,"
    "series_options.mine.season=12"
)


def refused(result: Result, sentence: str) -> None:
    assert result.exit_code == 1
    assert result.output.strip().splitlines()[-1] == f"Error: {sentence}"
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (
            "series=../secret",
            "parameter 'series' is '../secret'; expected a name of letters, digits, '_', '-' and"
            " '.', since output files bear it; give a path by series_options.NAME.path",
        ),
        ("serie=airline", "parameter 'serie' is unknown; did you mean 'series'?"),
        (
            "training.epoch=3",
            "parameter 'training.epoch' is unknown; did you mean 'epochs'?",
        ),
        (
            "variants=[grru]",
            "parameter 'variants' lists 'grru', which is unknown; did you mean 'gru'?",
        ),
        (
            "series_options.airline.horizon=0",
            "parameter 'series_options.airline.horizon' is 0; expected greater than or equal to 1",
        ),
        (
            "series_options.airline.horizon=-3",
            "parameter 'series_options.airline.horizon' is -3; expected greater than or equal to 1",
        ),
        (
            "series_options.airline.columns.dss=Month",
            "parameter 'series_options.airline.columns.dss' is unknown; did you mean 'ds'?",
        ),
        (
            "variants=[gru,lstm],variant_options.gru.training.loss=mae",
            "variants differ in training.loss (gru mae, lstm mse), so their validation losses are on"
            " different scales and cannot choose a champion; give all one loss",
        ),
        ("seeds=[a]", "parameter 'seeds' lists 'a'; expected whole numbers from 0 to 4294967295"),
        (
            "seeds=[99999999999]",
            "parameter 'seeds' lists 99999999999; expected whole numbers from 0 to 4294967295",
        ),
        (
            "series=${b}",
            "parameter 'series' is '${b}'; expected a name of letters, digits, '_', '-' and '.', since"
            " output files bear it; give a path by series_options.NAME.path",
        ),
        ("seeds=[1,1]", "parameter 'seeds' names 1 twice; name each once"),
        (
            "series_options.airline.test=0.9",
            "series 'airline': 0 of its 144 rows are for train, but lookback 8 + horizon 12 +"
            " two seasons 23 needs at least 43; shorten lookback or horizon, change the split, or drop"
            " the series",
        ),
        (
            "series_options.mine.validation=0.5,series_options.mine.test=0.5,series=mine",
            "parameters under 'series_options.mine': validation 0.5 + test 0.5 leave no rows to"
            " train on; expected a sum below 1",
        ),
        (
            "variants",
            "--params has 'variants'; expected key=value, with commas between them and lists in"
            ' brackets: --params "series=sunspots,variants=[gru,lstm]"',
        ),
        (
            "variants=[gru,lstm",
            "--params or --set has '[gru,lstm'; expected every bracket closed, and text with commas or"
            " brackets in quotes",
        ),
    ],
)
def test_a_wrong_parameter_is_named(kedro_run: Run, params: str, sentence: str) -> None:
    refused(kedro_run("--params", params), sentence)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--tags", "nope"), "Pipeline contains no nodes after applying all provided filters."),
        (("--nodes", "nope"), "Pipeline does not contain nodes named ['nope']."),
        (("--runner", "nope"), "--runner is 'nope'; expected SequentialRunner, ThreadRunner,"),
        (
            ("--params", "horizon=6", "--params=season=4"),
            "--params is given twice, and only the last would count; put all into one,",
        ),
        (
            ("--runner=ThreadRunner", "--runner-params", "max_workers=x"),
            "--runner-params has max_workers 'x'; expected a whole number from 1",
        ),
        (
            ("--runner=ThreadRunner", "--runner-params", "max_workers=0"),
            "--runner-params has max_workers 0; expected a whole number from 1",
        ),
        (
            ("--runner-params", "is_async=3"),
            "--runner-params has is_async 3; expected true or false",
        ),
        (
            ("--runner-params", "workers=2"),
            "--runner-params has 'workers', which SequentialRunner does not take; expected is_async",
        ),
        (
            ("--runner-params", "max_workers=["),
            "--runner-params is 'max_workers=['; expected key=value, with commas between them:"
            " max_workers=4",
        ),
        (("--set", "horizon"), "--set has 'horizon'; expected one key=value:"),
        (("--set", "seeds=[1", "--set", "horizon=3"), "--params or --set has '[1'; expected every"),
    ],
)
def test_a_wrong_option_of_kedro_is_named(
    kedro_run: Run, words: tuple[str, ...], sentence: str
) -> None:
    result = kedro_run(*words)
    assert result.exit_code == 1
    assert result.output.strip().splitlines()[-1].startswith(f"Error: {sentence}")


def test_an_early_ctrl_c_says_that_nothing_was_run() -> None:
    with pytest.raises(ClickException) as stopped, sentences():
        raise KeyboardInterrupt
    assert stopped.value.message == "stopped by Ctrl-C before anything was run"


FULL = """
import logging, sys
from unrolled.cli import _SentenceCommand

def run():
    logging.warning("a line")
    print("a text", flush=True)

logging.basicConfig(stream=sys.stdout)
_SentenceCommand("run", callback=run).main([])
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_output_is_told_in_a_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", FULL],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        "Error: nothing more can be written: No space left on device; make room, or write elsewhere\n",
    )


def test_a_column_is_named_whatever_yaml_makes_of_it(
    kedro_run: Run, project: Path, write_series: Callable[..., pd.DataFrame]
) -> None:
    frame = write_series().rename(columns={"ds": "on", "y": "#Passengers"})
    frame.to_csv(project / "data/01_raw/series/007.csv", index=False)
    said = "series=007,ds=on,y=#Passengers,season=12,horizon=6,lookback=12,variants=[gru],seeds=[0]"
    result = kedro_run(
        "--params", f"{said},training.epochs=1,baselines=[seasonal_naive]", "--set", "unit=${a}, b"
    )
    assert result.exit_code == 0, result.output
    kept = json.loads((project / "data/06_models/forecasting/007/study.json").read_text())
    assert (kept["columns"]["y"], kept["unit"]) == ("#Passengers", "${a}, b")


def test_a_missing_file_is_named(kedro_run: Run, project: Path) -> None:
    refused(
        kedro_run("--params", "series=nowhere"),
        f"series file '{project}/data/01_raw/series/nowhere.csv' does not exist; put a .csv or"
        " .parquet with the columns unique_id, ds, y into data/01_raw/series, or name its path in"
        " conf/base/parameters/series.yml",
    )


def _y(**changes: object) -> list[object]:
    values: list[object] = [10.0 + i + (i % 12) * 2.0 for i in range(60)]
    for row, value in changes.items():
        values[int(row[1:])] = value
    return values


DATES = pd.date_range("2001-01-01", periods=60, freq="MS").strftime("%Y-%m-%d").tolist()


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            {"y": _y(r3=np.nan, r7=np.nan)},
            "series 'mine': 2 of 60 values are missing, from 2001-04-01 to 2001-08-01; set fill to"
            " last, linear or seasonal, or mend the file",
        ),
        (
            {"y": _y(r3=np.inf)},
            "column y: 1 values are infinite, the first in row 4; expected finite numbers, mend or"
            " remove those rows",
        ),
        (
            {"y": _y(r3="many")},
            "column y: 1 values are not numbers, the first is 'many' in row 4; expected numbers"
            ", or an empty cell where there is no value; a row of units, sums or notes must be taken out",
        ),
        (
            {"ds": ["soon", *DATES[1:]]},
            "column ds: 1 of 60 time stamps cannot be read as a date, the first is 'soon' in row 1;"
            " it has no digit: take the row out where it is of sums or a note, else write a date",
        ),
        (
            {"ds": [DATES[1], *DATES[1:]]},
            "series 'mine': 1 time stamps occur twice with different values, the first is"
            " 2001-02-01; keep one row for each unique_id and ds",
        ),
        (
            {"ds": [DATES[1], DATES[0], *DATES[2:]]},
            "series 'mine': 2001-01-01 stands after a later time stamp; sort the rows by unique_id"
            " and ds, oldest first",
        ),
        (
            {"y": 7.0},
            "series 'mine': its 36 train rows are constant (7), so there is no scale and nothing to"
            " learn; drop the series or change the split",
        ),
    ],
)
def test_bad_data_are_named_with_row_or_date(
    kedro_run: Run,
    project: Path,
    write_series: Callable[..., pd.DataFrame],
    columns: dict[str, object],
    sentence: str,
) -> None:
    write_series(**columns)
    refused(kedro_run("--params", MINE), sentence)
    written = {path.name for path in (project / "data").rglob("*.*")}
    assert not written & {"values.npy", "seed_0.safetensors", "leaderboard.csv"}


def test_a_missing_column_is_named_with_those_that_are_there(
    kedro_run: Run, project: Path, write_series: Callable[..., pd.DataFrame]
) -> None:
    frame = write_series().rename(columns={"y": "sales"}).assign(rain=1)
    frame.to_csv(project / "data/01_raw/series/mine.csv", index=False)
    refused(
        kedro_run("--params", MINE),
        "series 'mine': column 'y' for y is missing, the file has unique_id, ds, sales, rain;"
        " name the right one by y=NAME, in full series_options.mine.columns.y",
    )


def test_a_gap_in_time_is_counted_and_dated(
    kedro_run: Run, project: Path, write_series: Callable[..., pd.DataFrame]
) -> None:
    write_series().drop(index=[20, 21]).to_csv(project / "data/01_raw/series/mine.csv", index=False)
    refused(
        kedro_run("--params", MINE),
        "series 'mine': 2 of 60 values are missing, from 2002-09-01 to 2002-10-01; set fill to"
        " last, linear or seasonal, or mend the file",
    )


def test_a_short_series_is_told_what_it_needs(
    kedro_run: Run, project: Path, write_series: Callable[..., pd.DataFrame]
) -> None:
    write_series().head(25).to_csv(project / "data/01_raw/series/mine.csv", index=False)
    refused(
        kedro_run("--params", MINE),
        "series 'mine': 15 of its 25 rows are for train, but lookback 12 + horizon 6 needs at least"
        " 18; shorten lookback or horizon, change the split, or drop the series",
    )


def test_a_tracking_server_that_does_not_answer_stops_the_run_before_any_work(
    kedro_run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "conf/quick/mlflow.yml").unlink()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    result = kedro_run()
    assert result.exit_code == 1
    last = result.output.strip().splitlines()[-1]
    assert last.startswith(f"Error: MLflow at 'http://127.0.0.1:{port}' cannot be used: ")
    assert last.endswith(
        "; start the server, mend MLFLOW_TRACKING_URI, or set enabled: false in"
        " conf/base/mlflow.yml"
    )
    assert not (project / "data/03_primary").exists()
