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
from unrolled.records import read
from unrolled.series import backtest as backtesting
from unrolled.series import panel as panels
from unrolled.series import splits
from unrolled.series.baselines import BASELINES
from unrolled.series.filling import drawn
from unrolled.series.options import SeriesOptions
from unrolled.series.panel import PANEL_COLUMNS
from unrolled.series.reading import Reading
from unrolled.serving.forecaster import ServedSeries
from unrolled.serving.writer import ServedText
from unrolled.text.options import CorpusOptions
from unrolled.text.vocabulary import Vocabulary, encode_prompt
from unrolled.training.cards import ForecasterCard, LanguageCard, TrainedRow

Served = ServedSeries | ServedText
Files = dict[str, bytes]  # what is served, by name


def of_forecaster(
    row: TrainedRow[ForecasterCard],
    scaler: pd.DataFrame,
    panel: pd.DataFrame,
    reading: Reading,
    series: SeriesOptions,
) -> tuple[Files, dict[str, Any]]:
    """Make of a row what its server opens: networks as a graph, a baseline as numbers of all rows.

    Returns:
        The files; a request that the server can be asked with.
    """
    example = next(iter(panel.groupby("unique_id", sort=False)))[1]
    if row.kind == "baseline":
        borders = splits.borders(panel, series.validation, 0)
        files = numbers_of(row.variant, panel, borders, series, reading.times.clock)
        numbers = next(iter(json.loads(files["numbers.json"])["series"].values()))
        example = example.tail(numbers.get("rows", series.lookback))
    else:
        from unrolled.serving import graphs  # which imports torch

        graph = graphs.forecaster_graph(row.networks, scaler, series)
        known = _known(panel, series, reading.times.clock, graph)
        known = known.model_copy(update={"rows": series.rows, "lowest": series.lowest})
        files = _files("forecaster.onnx", graph, known)
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
    return _files("numbers.json", content, _known(panel, series, clock, content))


def of_writer(
    row: TrainedRow[LanguageCard], known: Vocabulary, corpus: CorpusOptions
) -> tuple[Files, dict[str, Any]]:
    """Export one step of a language model; returns as `of_forecaster` does."""
    if not row.networks:
        models = [name for name, own in row.winner.rows.items() if own.kind != "baseline"]
        raise InputError(
            f"parameter 'model' is '{row.variant}', which counts n-grams and is not deployed;"
            f" expected a language model: {', '.join(models)}"
        )
    from unrolled.serving import graphs

    weights, card = row.networks[0]
    graph = graphs.step_graph(weights, card)
    about = ServedText(
        sha256=_sha256(graph),
        reading=corpus.reading,
        characters=known.characters,
        first=known.first,
        before=[] if known.bos is None else [known.bos],
        empty=encode_prompt("", known).tolist(),
        lowest=known.lowest,
        stop=known.eos,
        state=graphs.first_state(weights, card),
    )
    return _files("writer.onnx", graph, about), {
        "dataframe_records": [{"prompt": known.characters[:2]}]
    }


def _known(panel: pd.DataFrame, series: SeriesOptions, clock: str, content: bytes) -> ServedSeries:
    """What the server of a forecaster must know of the series."""
    groups = panel.groupby("unique_id", sort=False)
    return ServedSeries(
        sha256=_sha256(content),
        lowest="",
        horizon=series.horizon,
        ds="datetime" if panel["ds"].dtype.kind == "M" else "long",
        clock=clock,
        series={str(name): panels.step_of(group["ds"]) for name, group in groups},
    )


def _files(name: str, content: bytes, known: Served) -> Files:
    return {name: content, f"{known.kind}.json": known.model_dump_json().encode()}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def about(files: Files) -> Served:
    """What the server of these files knows."""
    name = f"{ServedSeries.kind}.json"
    if name in files:
        return read(ServedSeries, files[name], name)
    name = f"{ServedText.kind}.json"
    return read(ServedText, files[name], name)


@contextmanager
def opened(files: Files) -> Iterator[Path]:
    """A folder that holds the files, for as long as they are looked at."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "served"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        yield folder
