"""Nodes of the deploy pipeline; the work is done in the serving room."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled import serving
from unrolled.comparison.champion import METRICS
from unrolled.errors import InputError
from unrolled.series import panel as panels
from unrolled.series import splits
from unrolled.series.baselines import FITS
from unrolled.series.filling import drawn
from unrolled.series.options import SeriesOptions
from unrolled.series.panel import PANEL_COLUMNS
from unrolled.series.splits import Parts
from unrolled.series.windows import sliding
from unrolled.serving import registry
from unrolled.serving.forecaster import ServedForecaster
from unrolled.text.options import CorpusOptions
from unrolled.text.vocabulary import Ids, Vocabulary, encode_prompt
from unrolled.tracking import client_of, experiment_of, tracking_uri
from unrolled.training import backtest as backtesting
from unrolled.training.backtest import Cutoffs, Forecast, Forecasts

logger = logging.getLogger(__name__)

TOLERANCE = 1e-5
Floats = npt.NDArray[np.floating[Any]]
Files = dict[str, bytes]  # what is served, by name


def package_forecaster(
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
        files = _numbers(row["variant"], panel, borders, series, reading["times"]["clock"])
        numbers = next(iter(json.loads(files["numbers.json"])["series"].values()))
        example = example.tail(numbers.get("rows", series.lookback))
    else:
        from unrolled.serving import graphs

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


def _numbers(
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
        numbers = FITS[variant](
            y[parts.first : parts.validation_end], backtesting.task_of(parts, series)
        )
        at = last.isoformat() if isinstance(last, pd.Timestamp) else int(last)
        fitted[parts.unique_id] = numbers | {"ds": at}
    content = json.dumps({"variant": variant, "series": fitted}).encode()
    beside = {"lowest": ""} | _known(panel, series, clock)
    return _files("numbers.json", content, beside, "forecaster.json")


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


def forecaster_parity(
    row: dict[str, Any],
    files: Files,
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    scaler: pd.DataFrame,
    series: SeriesOptions,
) -> dict[str, Any]:
    """Forecast from every cutoff of the test part as the leaderboard did and as the server does.

    Numbers are compared as they are before the test part: those of all rows have seen it.
    """
    if row["kind"] == "baseline":
        truths = [backtesting.of_baseline(row["variant"], panel, series, fits=1)]
        files = _numbers(row["variant"], panel, borders, series)
    else:
        truths = [
            backtesting.of_network(weights, card, panel, borders, scaler, series)
            for weights, card in row["networks"]
        ]
    frames = [backtesting.over_cutoffs(panel, borders, series, truth) for truth in truths]
    expected = np.median([frame["y_hat"].to_numpy() for frame in frames], axis=0)
    with _opened(files) as folder:
        served = ServedForecaster(folder)
        seen = panel.assign(y=drawn(panel, splits.each(borders), series.fill))[PANEL_COLUMNS]
        forecast = _by_rows(served, seen) if served.numbers else _by_windows(served, seen)
        found, taken = (
            backtesting.over_cutoffs(panel, borders, series, asked)["y_hat"].to_numpy()
            for asked in (forecast, _taken(served, panel))
        )
    found, expected = found[taken > 0], expected[taken > 0]
    # Near zero no difference is small beside the value itself.
    scale = float(panel["y"].abs().mean())
    return _parity(found, expected, scale, "forecasts")


def _by_windows(served: ServedForecaster, panel: pd.DataFrame) -> Forecast:
    """The server's graph, asked with raw values."""
    y, rows = panel["y"].to_numpy(), served.options["rows"]

    def forecast(parts: Parts, cutoffs: Cutoffs) -> Forecasts:
        place = np.full(len(cutoffs), served.place[parts.unique_id])
        return served.run(sliding(y, rows)[cutoffs - rows + 1], place)

    return forecast


def _by_rows(served: ServedForecaster, panel: pd.DataFrame) -> Forecast:
    """The server, asked with rows."""

    def forecast(parts: Parts, cutoffs: Cutoffs) -> Forecasts:
        numbers = served.numbers[parts.unique_id]
        found = np.full((len(cutoffs), served.options["horizon"]), np.nan)
        taken = _taken(served, panel)(parts, cutoffs)[:, 0] > 0
        for i, cutoff in enumerate(cutoffs[taken]):
            # A state asks for all rows since it was fitted, and leaves out those that it has seen.
            first = cutoff + 1 - numbers["rows"] if "rows" in numbers else cutoffs[0] - 2
            rows = panel.iloc[max(first, parts.first) : cutoff + 1]
            found[i] = served.predict(rows)["y_hat"]
        return found

    return forecast


def _taken(served: ServedForecaster, panel: pd.DataFrame) -> Forecast:
    """1 where the server takes all rows since the first cutoff, 0 after one it cannot divide by."""
    y = panel["y"].to_numpy()

    def forecast(parts: Parts, cutoffs: Cutoffs) -> Forecasts:
        factor = served.numbers.get(parts.unique_id, {}).get("multiplicative", False)
        since = np.minimum.accumulate(np.r_[np.inf, y[cutoffs[0] + 1 : cutoffs[-1] + 1]])
        taken = np.where((since > 0) | (not factor), 1.0, 0.0)
        return np.repeat(taken[:, None], served.options["horizon"], axis=1)

    return forecast


def package_writer(
    row: dict[str, Any], known: dict[str, Any], read: CorpusOptions
) -> tuple[Files, dict[str, Any]]:
    """Export one step of a language model; returns as `package_forecaster` does."""
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


def writer_parity(row: dict[str, Any], files: Files, test_ids: Ids) -> dict[str, Any]:
    """Read the whole test part one symbol at a time by torch and by the graph."""
    import torch

    from unrolled.serving.writer import ServedWriter
    from unrolled.training import text

    step, state, own = text.stepper(*row["networks"][0]), None, None
    # Side by side, each text from a fresh state: one after the other would take minutes.
    ids = _side_by_side(np.asarray(test_ids, dtype=np.int64))  # (T, B)
    differences, scale = [], 0.0
    with _opened(files) as folder:
        served = ServedWriter(folder)
        for symbols in ids:
            expected, state = step(torch.from_numpy(symbols), state)
            logits, own = served.step(symbols, own)
            differences.append(np.abs(logits - expected.numpy()).max())
            scale = max(scale, float(expected.abs().mean()))
    return _parity(np.array(differences), np.zeros(len(differences)), scale, "steps")


@contextmanager
def _opened(files: Files) -> Iterator[Path]:
    """A folder that holds the files, for as long as they are looked at."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "served"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        yield folder


def _side_by_side(ids: npt.NDArray[np.int64], texts: int = 256) -> npt.NDArray[np.int64]:
    """A stream (N,) as texts (T, B); what is left over is read again at the end of the last."""
    steps = -(-len(ids) // min(texts, len(ids)))
    firsts = np.minimum(np.arange(0, len(ids), steps), len(ids) - steps)
    return ids[firsts + np.arange(steps)[:, None]]


def _parity(found: Floats, truth: Floats, least: float, what: str) -> dict[str, Any]:
    relative = np.abs(found - truth) / np.maximum(np.abs(truth), least)
    worst = float(relative.max())
    if not worst <= TOLERANCE:  # NaN too
        raise InputError(
            f"what would be served differs from what was scored by {worst:.2g} relative in"
            f" {int((~(relative <= TOLERANCE)).sum())} of {len(truth)} {what} of the test part;"
            f" at most {TOLERANCE:g} is allowed, so nothing is registered: report the variant"
        )
    return {"checked": len(truth), "of": what, "largest_relative_difference": worst}


def better(row: dict[str, Any]) -> dict[str, str]:
    """Which rows would have been better, on validation and on test: `name score` by tag."""
    rows, found = row["winner"]["rows"], {}
    for tag, key in (("better_on_validation", "validation_score"), ("better_on_test", "score")):
        scores = {name: one[key] for name, one in rows.items() if one[key] is not None}
        own = scores.get(row["variant"])
        lowest = min(scores, key=lambda name: scores[name], default=row["variant"])
        if own is not None and scores[lowest] < own:
            found[tag] = f"{lowest} {scores[lowest]:.4g}"
    return found


def describe(row: dict[str, Any]) -> str:
    """Say what is deployed, how it scored, and what would have been better."""
    winner, found = row["winner"], better(row)
    own = winner["rows"][row["variant"]]
    seeds = own["seeds"][:1] if row["kind"] == "recurrent" else own["seeds"]
    seed = f", seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}" if seeds else ""
    chosen = "the winner" if row["variant"] == winner["variant"] else "named, not the winner"
    parts = [f"{row['variant']} ({row['kind']}{seed}) on {winner['data_set']}, {chosen}."]
    for where, key, metric, tag in (
        ("validation", "validation_score", winner["validation_metric"], "better_on_validation"),
        ("test", "score", winner["metric"], "better_on_test"),
    ):
        if own[key] is None:
            parts.append(f"On {where} it has no score.")
        else:
            lowest = _lowest_of(winner["rows"].values(), key)
            beside = f"{found[tag]} would have been better" if tag in found else lowest
            parts.append(f"On {where} {METRICS[metric]} {own[key]:.4g}: {beside}.")
    return " ".join(parts)


def _lowest_of(rows: Iterable[dict[str, Any]], key: str) -> str:
    """What the best score of its kind is the lowest of: of a text only networks are validated."""
    baselines = [row[key] for row in rows if row["kind"] == "baseline"]
    if baselines and baselines.count(None) == len(baselines):
        return "the lowest of the networks, since baselines have no score there"
    return "the lowest"


def register(
    row: dict[str, Any],
    files: Files,
    parity: dict[str, Any],
    request: dict[str, Any],
    job: str,
    name: str,
) -> dict[str, Any]:
    """Register the files as an MLflow model and put it in front.

    Returns:
        `model` (its registered name), `version`, `uri`, `variant`, `kind` and `description`.
    """
    client, registered = registry_client(), f"{job}-{name}"
    kind = "forecaster" if job == "forecasting" else "writer"
    served, description = json.loads(files[f"{kind}.json"]), describe(row)
    deployed = {"variant": row["variant"], "kind": row["kind"], "description": description}
    before = registry.in_front(client, registered, served["sha256"])
    if before is not None:
        logger.info("%s version %s is this very model already. %s", registered, before, description)
        return _deployed(registered, before) | deployed
    from unrolled.serving import signatures

    tags = {"variant": row["variant"], "kind": row["kind"]}
    run = client.create_run(
        experiment_of(client, f"{job}/{name}", tracking_uri(), Path.cwd()),
        run_name=f"deploy {row['variant']}",
        tags={"kind": "deploy", "variant": row["variant"]},
    ).info.run_id
    try:
        with _opened(files) as folder:
            version = registry.register(
                client,
                run,
                registered,
                Path(serving.__file__).with_name(f"{kind}_model.py"),
                folder,
                signatures.of(job, served),
                signatures.example(job, request["dataframe_records"]),
                tags
                | {
                    "sha256": served["sha256"],
                    "parity": f"{parity['largest_relative_difference']:.2g}",
                    **better(row),
                },
                description,
            )
        client.set_terminated(run, "FINISHED")
    except BaseException:
        client.set_terminated(run, "FAILED")
        raise
    logger.info("Registered %s version %s as champion. %s", registered, version, description)
    logger.info("Serve it: make serve MODEL=models:/%s@champion", registered)
    return _deployed(registered, version) | deployed


def roll_back(job: str, name: str) -> dict[str, Any]:
    """Put the version before the champion in front again."""
    registered = f"{job}-{name}"
    now, before = registry.roll_back(registry_client(), registered)
    logger.info("%s: version %s is champion again instead of %s", registered, now, before)
    return _deployed(registered, now)


def _deployed(name: str, version: str) -> dict[str, Any]:
    return {"model": name, "version": version, "uri": f"models:/{name}@champion"}


def registry_client() -> Any:  # noqa: ANN401
    """MLflow where the project tracks."""
    uri = tracking_uri()
    if not uri:
        raise InputError(
            "tracking is off, but models are registered in MLflow; set enabled: true in"
            " conf/base/mlflow.yml"
        )
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    client = client_of(uri)
    import mlflow

    mlflow.set_tracking_uri(uri)
    return client
