"""The served model beside torch: one forecast, a batch, the first answer, and over HTTP.

    python benchmarks/serving.py

Untrained networks of 64 hidden units on lookback 96 and horizon 24, from raw values to original
units. torch, in inference mode, does the same, or less: its own layer and a linear head alone, on
values that are scaled already. One thread each.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

os.environ |= {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from _table import Row, main, measure
from unrolled.comparison.records import Winner
from unrolled.recurrent.batch import Inputs
from unrolled.recurrent.forecaster import Forecaster, parameter_count
from unrolled.recurrent.options import ModelOptions
from unrolled.series import scaling, splits
from unrolled.series.options import SeriesOptions
from unrolled.series.reading import Reading
from unrolled.serving import packages, registry, signatures
from unrolled.serving.forecaster import ServedForecaster
from unrolled.serving.graphs import RawForecaster
from unrolled.tracking import client_of
from unrolled.training.cards import ForecasterCard, Network, TrainedRow
from unrolled.training.forecasting import spec
from unrolled.training.options import TrainOptions

HIDDEN, CLIENTS = 64, 8
SERIES = SeriesOptions(lookback=96, horizon=24)
ROWS = 400
BARS = {("gru", 1): "ratio >= 5", ("lstm", 1): "ratio >= 2"}
REGISTERED = "forecasting-benchmark"


class Bare(nn.Module):
    """torch's own layer, its last output, a linear head."""

    def __init__(self, layer: nn.Module) -> None:
        """Keep torch's own layer."""
        super().__init__()
        self.layer, self.head = layer, nn.Linear(HIDDEN, SERIES.horizon)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, 1) -> (B, K)."""
        outputs, _ = self.layer(x)
        return self.head(outputs[-1])


def panel() -> pd.DataFrame:
    """A monthly series of `ROWS` rows."""
    time_ = np.arange(ROWS)
    y = 100 + 0.1 * time_ + 10 * np.sin(time_ / 6)
    ds = pd.date_range("1990-01-01", periods=ROWS, freq="MS")
    return pd.DataFrame({"unique_id": "benchmark", "ds": ds, "y": y})


def served(cell: str, folder: Path) -> tuple[ServedForecaster, RawForecaster]:
    """A network of this cell, exported into a folder as `deploy` does it, and in torch."""
    options = ModelOptions(cell=cell, hidden=HIDDEN)
    torch.manual_seed(0)
    net = Forecaster(options, Inputs(), SERIES.lookback, SERIES.horizon)
    card = ForecasterCard(
        **dict(spec(SERIES, options, TrainOptions(threads=1), 0)),
        variant=cell,
        parameters=parameter_count(net),
        epoch=0,
        validation_loss=None,
        train_seconds=0,
    )
    winner = Winner.model_construct(variant=cell)
    row = TrainedRow(cell, "recurrent", winner, [Network(net.state_dict(), card)])
    rows = panel()
    scaler = scaling.fit(rows, splits.borders(rows, 0.2, 0.2), SERIES)
    files, _ = packages.of_forecaster(row, scaler, rows, Reading(), SERIES)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return ServedForecaster(folder), RawForecaster(net, scaler, SERIES).eval()


def in_process(quick: bool, folder: Path) -> list[Row]:
    """One forecast and 64 at once."""
    rows = []
    y = np.tile(panel()["y"].to_numpy()[-SERIES.lookback :], (64, 1))
    for cell, layer in (("gru", nn.GRU), ("lstm", nn.LSTM)):
        (ours, raw), bare = served(cell, folder / cell), Bare(layer(1, HIDDEN)).eval()
        for batch in (1, 64):
            window = torch.randn(SERIES.lookback, batch, 1)
            series = np.zeros(batch, dtype=np.int64)

            with torch.inference_mode():
                graph, torchs, bare_ = measure(
                    partial(ours.run, y[:batch], series),
                    partial(raw, torch.from_numpy(y[:batch]), torch.from_numpy(series)),
                    partial(bare, window),
                    repeats=50 if quick else 300,
                )
            case = f"{cell}, {'one forecast' if batch == 1 else f'{batch} forecasts at once'}"
            speeds = [batch / seconds for seconds in (graph, torchs, bare_)]
            name, bar = f"nn.{layer.__name__}", BARS.get((cell, batch), "ratio >= 1")
            same = f"the same in torch eager with {name}"
            alone = f"{name} and a linear head alone, torch eager"
            rows += [
                Row(case, speeds[0], "forecasts/s", speeds[1], same, bar=bar),
                Row(case, speeds[0], "forecasts/s", speeds[2], alone),
            ]
    return rows


def first_answer(quick: bool, folder: Path) -> Row:
    """Seconds from a fresh interpreter to the first answer, less the interpreter's own."""
    ask = (
        "import sys, pathlib, pandas as pd\n"
        "from unrolled.serving.forecaster import ServedForecaster\n"
        "rows = pd.DataFrame({'unique_id': 'benchmark', 'y': 100.0,"
        " 'ds': pd.date_range('1990-01-01', periods=96, freq='MS')})\n"
        "ServedForecaster(pathlib.Path(sys.argv[1])).predict(rows)\n"
    )
    run = partial(subprocess.run, check=True)
    ours, torchs, nothing = measure(
        lambda: run([sys.executable, "-c", ask, str(folder / "gru")]),
        lambda: run([sys.executable, "-c", "import torch"]),
        lambda: run([sys.executable, "-c", ""]),
        repeats=3 if quick else 9,
    )
    return Row(
        "import to first answer of the served model's code",
        ours - nothing,
        "s",
        torchs - nothing,
        "import torch alone",
        bar="ratio <= 0.5",
    )


@contextmanager
def server(folder: Path) -> Iterator[int]:
    """The gru registered in a new MLflow, and `make serve` of it; yields its port."""
    uri = f"sqlite:///{folder}/mlflow.db"
    import mlflow

    mlflow.set_tracking_uri(uri)
    client = client_of(uri)
    place = (folder / "artifacts").as_uri()
    run = client.create_run(client.create_experiment("benchmark", artifact_location=place))
    shutil.copytree(folder / "gru", folder / "code/served")
    registry.register(
        client,
        run.info.run_id,
        REGISTERED,
        Path(registry.__file__).with_name("forecaster_model.py"),
        folder / "code/served",
        signatures.forecaster("datetime"),
        panel().tail(SERIES.lookback),
        {},
        "A network of the benchmark.",
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri_of_model = f"models:/{REGISTERED}@champion"
    process = subprocess.Popen(
        [sys.executable, "-m", "unrolled.serving.app", uri_of_model, "--port", str(port)],
        env=os.environ | {"MLFLOW_TRACKING_URI": uri},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping")
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def over_http(quick: bool, folder: Path) -> list[Row]:
    """Latency and throughput of a hundred rows asked by `CLIENTS` at once."""
    rows = panel().tail(SERIES.lookback)
    body = json.dumps(
        {"dataframe_records": json.loads(rows.to_json(orient="records", date_format="iso"))}
    ).encode()
    forecaster = ServedForecaster(folder / "gru")
    (alone,) = measure(lambda: forecaster.predict(rows), repeats=100)
    seconds: list[float] = []
    errors: list[object] = []

    def client(port: int, requests: int) -> None:
        for _ in range(requests):
            began = time.perf_counter()
            try:
                request = urllib.request.Request(
                    f"http://127.0.0.1:{port}/invocations",
                    data=body,
                    headers={"Content-Type": "application/json"},
                )
                with urllib.request.urlopen(request, timeout=60) as answer:
                    assert len(json.load(answer)["predictions"]) == SERIES.horizon
            except Exception as error:
                errors.append(error)
            seconds.append(time.perf_counter() - began)

    def asked(port: int, clients: int, requests: int) -> float:
        seconds.clear()
        threads = [threading.Thread(target=client, args=(port, requests)) for _ in range(clients)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - began

    with server(folder) as port:
        asked(port, 1, 20)
        asked(port, 1, 50 if quick else 200)
        single = statistics.median(seconds)
        requests = 20 if quick else 250
        took = asked(port, CLIENTS, requests)
    percentiles = np.percentile(seconds, [50, 99]) * 1000
    case = f"HTTP, {CLIENTS} clients at once, {CLIENTS * requests} requests of {len(rows)} rows"
    return [
        Row(
            f"HTTP, one client, a request of {len(rows)} rows: median",
            single * 1000,
            "ms",
            alone * 1000,
            "the same rows in process",
        ),
        Row(f"{case}: p50", percentiles[0], "ms"),
        Row(f"{case}: p99", percentiles[1], "ms"),
        Row(f"{case}: throughput", len(seconds) / took, "requests/s"),
        Row(f"{case}: errors", len(errors), "errors", bar="value <= 0"),
    ]


def rows(quick: bool) -> list[Row]:
    """Every case."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        return [
            *in_process(quick, folder),
            first_answer(quick, folder),
            *over_http(quick, folder),
        ]


if __name__ == "__main__":
    main(rows)
