"""What is served of a row of the leaderboard: the files that its server opens."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from unrolled.errors import InputError
from unrolled.series import backtest as backtesting
from unrolled.series import panel as panels
from unrolled.series import splits
from unrolled.series.baselines import BASELINES
from unrolled.series.filling import drawn
from unrolled.series.options import SeriesOptions
from unrolled.series.panel import PANEL_COLUMNS
from unrolled.text.options import CorpusOptions
from unrolled.text.vocabulary import Vocabulary, encode_prompt

Files = dict[str, bytes]  # what is served, by name


def of_forecaster(
    row: dict[str, Any],
    scaler: pd.DataFrame,
    panel: pd.DataFrame,
    reading: dict[str, Any],
    series: SeriesOptions,
) -> tuple[Files, dict[str, Any]]:
    """Make of a row what its server opens: networks as a graph, a baseline as numbers of all rows.

    Returns:
        The files; a request that the server can be asked with.
    """
    example = next(iter(panel.groupby("unique_id", sort=False)))[1]
    if row["kind"] == "baseline":
        borders = splits.borders(panel, series.validation, 0)
        files = numbers_of(row["variant"], panel, borders, series, reading["times"]["clock"])
        numbers = next(iter(json.loads(files["numbers.json"])["series"].values()))
        example = example.tail(numbers.get("rows", series.lookback))
    else:
        from unrolled.serving import graphs  # which imports torch

        graph = graphs.forecaster_graph(row["networks"], scaler, series)
        beside = {"rows": series.rows, "lowest": series.lowest}
        files = _files(
            "forecaster.onnx",
            graph,
            beside | _known(panel, series, reading["times"]["clock"]),
            "forecaster.json",
        )
        example = example.tail(series.rows)
    records = example[PANEL_COLUMNS].to_dict("records")
    for record in records:
        if isinstance(record["ds"], pd.Timestamp):
            record["ds"] = record["ds"].isoformat()  # every digit of a second
    return files, {"dataframe_records": records}


def numbers_of(
    variant: str,
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    series: SeriesOptions,
    clock: str = "",
) -> Files:
    """A baseline fitted on the rows of each series before its test part."""
    y, ds = drawn(panel, splits.each(borders), series.fill), panel["ds"]
    fitted = {}
    for parts in splits.each(borders):
        last = ds.iloc[parts.validation_end - 1]
        numbers = BASELINES[variant].fit(
            y[parts.first : parts.validation_end], backtesting.task_of(parts, series)
        )
        at = last.isoformat() if isinstance(last, pd.Timestamp) else int(last)
        fitted[parts.unique_id] = numbers | {"ds": at}
    content = json.dumps({"variant": variant, "series": fitted}).encode()
    beside = {"lowest": ""} | _known(panel, series, clock)
    return _files("numbers.json", content, beside, "forecaster.json")


def of_writer(
    row: dict[str, Any], known: dict[str, Any], read: CorpusOptions
) -> tuple[Files, dict[str, Any]]:
    """Export one step of a language model; returns as `of_forecaster` does."""
    if not row["networks"]:
        models = [name for name, own in row["winner"]["rows"].items() if own["kind"] != "baseline"]
        raise InputError(
            f"parameter 'model' is '{row['variant']}', which counts n-grams and is not deployed;"
            f" expected a language model: {', '.join(models)}"
        )
    from unrolled.serving import graphs

    (weights, card), vocabulary = row["networks"][0], Vocabulary(**known)
    beside = {
        "reading": read.reading,
        "characters": vocabulary.characters,
        "first": vocabulary.first,
        "before": [] if vocabulary.bos is None else [vocabulary.bos],
        "empty": encode_prompt("", vocabulary).tolist(),
        "lowest": vocabulary.lowest,
        "stop": vocabulary.eos,
        "state": graphs.first_state(weights, card),
    }
    files = _files("writer.onnx", graphs.step_graph(weights, card), beside, "writer.json")
    return files, {"dataframe_records": [{"prompt": vocabulary.characters[:2]}]}


def _known(panel: pd.DataFrame, series: SeriesOptions, clock: str) -> dict[str, Any]:
    """What the server of a forecaster must know of the series."""
    groups = panel.groupby("unique_id", sort=False)
    return {
        "horizon": series.horizon,
        "ds": "datetime" if panel["ds"].dtype.kind == "M" else "long",
        "clock": clock,
        "series": {str(name): panels.step_of(group["ds"]) for name, group in groups},
    }


def _files(name: str, content: bytes, beside: dict[str, Any], beside_name: str) -> Files:
    digest = {"sha256": hashlib.sha256(content).hexdigest()}
    return {name: content, beside_name: json.dumps(digest | beside).encode()}


@contextmanager
def opened(files: Files) -> Iterator[Path]:
    """A folder that holds the files, for as long as they are looked at."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "served"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        yield folder
