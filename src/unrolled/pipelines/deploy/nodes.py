"""Nodes of the deploy pipeline; the work is done in the serving room."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled import serving
from unrolled.errors import InputError
from unrolled.pipelines.champion import sentence
from unrolled.pipelines.forecasting.nodes import backtest
from unrolled.series import panel as panels
from unrolled.series import splits
from unrolled.series.options import SeriesOptions
from unrolled.series.windows import sliding
from unrolled.serving import registry
from unrolled.text.vocabulary import Ids, Vocabulary, encode_prompt
from unrolled.tracking import client_of, experiment_of, tracking_uri

logger = logging.getLogger(__name__)

TOLERANCE = 1e-5
FORECASTS_AT_ONCE = 4096
Floats = npt.NDArray[np.floating[Any]]


def forecaster_graph(
    winner: dict[str, Any],
    scaler: pd.DataFrame,
    panel: pd.DataFrame,
    series: SeriesOptions,
    allow_worse_than_baseline: bool,
) -> tuple[bytes, dict[str, Any], dict[str, Any]]:
    """Export the champion.

    Returns:
        The graph; what its server must know beside it; a request that it can be asked with.
    """
    _refuse_worse(winner["champion"], allow_worse_than_baseline)
    from unrolled.serving import graphs

    graph = graphs.forecaster_graph(winner["weights"], winner["card"], scaler, series)
    groups = panel.groupby("unique_id", sort=False)
    served = {
        "sha256": hashlib.sha256(graph).hexdigest(),
        "rows": series.rows,
        "horizon": series.horizon,
        "lowest": series.lowest,
        "ds": "datetime" if panel["ds"].dtype.kind == "M" else "long",
        "series": {str(name): panels.step_of(group["ds"]) for name, group in groups},
    }
    example = next(iter(groups))[1].tail(series.rows)
    records = json.loads(example.to_json(orient="records", date_format="iso"))
    return graph, served, {"dataframe_records": records}


def forecaster_parity(
    winner: dict[str, Any],
    graph: bytes,
    served: dict[str, Any],
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    scaler: pd.DataFrame,
    series: SeriesOptions,
) -> dict[str, Any]:
    """Forecast from every cutoff of the test part by torch and by the graph."""
    from unrolled.serving.forecaster import open_graph

    session = open_graph(graph, served["sha256"], "champion.onnx")
    expected, _ = backtest(winner["weights"], winner["card"], panel, borders, scaler, series)
    y, found = panel["y"].to_numpy(), []
    for place, parts in enumerate(splits.each(borders)):
        cutoffs = np.arange(parts.validation_end - 1, parts.end - series.horizon)
        for some in np.split(cutoffs, range(FORECASTS_AT_ONCE, len(cutoffs), FORECASTS_AT_ONCE)):
            rows = sliding(y, served["rows"])[some - served["rows"] + 1]
            inputs = {"y": rows, "series": np.full(len(some), place)}
            found.append(session.run(None, inputs)[0].ravel())
    truth = expected["y_hat"].to_numpy()
    # Near zero no difference is small beside the value itself.
    return _parity(np.concatenate(found), truth, float(np.abs(y).mean()), "forecasts")


def step_graph(
    winner: dict[str, Any], known: dict[str, Any], allow_worse_than_baseline: bool
) -> tuple[bytes, dict[str, Any], dict[str, Any]]:
    """Export one step of the champion; returns as `forecaster_graph` does."""
    _refuse_worse(winner["champion"], allow_worse_than_baseline)
    from unrolled.serving import graphs

    graph, vocabulary = graphs.step_graph(winner["weights"], winner["card"]), Vocabulary(**known)
    banned = [i for i in (vocabulary.unk, vocabulary.bos) if i is not None]
    served = {
        "sha256": hashlib.sha256(graph).hexdigest(),
        "characters": vocabulary.characters,
        "first": vocabulary.first,
        "before": [] if vocabulary.bos is None else [vocabulary.bos],
        "empty": encode_prompt("", vocabulary).tolist(),
        "banned": banned,
        "stop": vocabulary.eos,
        "state": graphs.first_state(winner["weights"], winner["card"]),
    }
    return graph, served, {"dataframe_records": [{"prompt": vocabulary.characters[:2]}]}


def step_parity(
    winner: dict[str, Any], graph: bytes, served: dict[str, Any], test_ids: Ids
) -> dict[str, Any]:
    """Read the whole test part one symbol at a time by torch and by the graph."""
    import torch

    from unrolled.serving.forecaster import open_graph
    from unrolled.training import text

    session = open_graph(graph, served["sha256"], "champion.onnx")
    names = [value.name for value in session.get_inputs()]
    step, state = text.stepper(winner["weights"], winner["card"]), None
    # Side by side, each text from a fresh state: one after the other would take minutes.
    ids = _side_by_side(np.asarray(test_ids, dtype=np.int64))  # (T, B)
    own = [np.repeat(np.float32(first), ids.shape[1], axis=1) for first in served["state"]]
    differences, scale = [], 0.0
    for symbols in ids:
        expected, state = step(torch.from_numpy(symbols), state)
        logits, *own = session.run(None, dict(zip(names, [symbols, *own], strict=True)))
        differences.append(np.abs(logits - expected.numpy()).max())
        scale = max(scale, float(expected.abs().mean()))
    return _parity(np.array(differences), np.zeros(len(differences)), scale, "steps")


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
            f"the exported graph differs from the network by {worst:.2g} relative in"
            f" {int((~(relative <= TOLERANCE)).sum())} of {len(truth)} {what} of the test part;"
            f" at most {TOLERANCE:g} is allowed, so nothing is registered: report the variant"
        )
    return {"checked": len(truth), "of": what, "largest_relative_difference": worst}


def _refuse_worse(champion: dict[str, Any], allowed: bool) -> None:
    if not (champion["beats_baseline"] or allowed):
        raise InputError(
            f"{sentence(champion).removesuffix('.')}; use that baseline, or deploy all the same by"
            ' --params "allow_worse_than_baseline=true"'
        )


def register(
    winner: dict[str, Any],
    graph: bytes,
    served: dict[str, Any],
    parity: dict[str, Any],
    request: dict[str, Any],
    job: str,
    name: str,
) -> dict[str, Any]:
    """Register the graph as an MLflow model and put it in front.

    Returns:
        `model` (its registered name), `version`, `uri`, `run`.
    """
    client, registered, champion = registry_client(), f"{job}-{name}", winner["champion"]
    before = registry.in_front(client, registered, served["sha256"])
    if before is not None:
        logger.info("%s version %s holds this very graph already", registered, before)
        return _deployed(registered, before)
    from unrolled.serving import signatures

    kind = "forecaster" if job == "forecasting" else "writer"
    run = client.create_run(
        experiment_of(client, f"{job}/{name}", tracking_uri(), Path.cwd()),
        run_name=f"deploy {champion['variant']}",
        tags={"kind": "deploy", "variant": champion["variant"], "seed": str(champion["seed"])},
    ).info.run_id
    try:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "served"
            folder.mkdir()
            (folder / f"{kind}.onnx").write_bytes(graph)
            (folder / f"{kind}.json").write_text(json.dumps(served), encoding="utf-8")
            version = registry.register(
                client,
                run,
                registered,
                Path(serving.__file__).with_name(f"{kind}_model.py"),
                folder,
                signatures.of(job, served),
                signatures.example(job, request["dataframe_records"]),
                {
                    "sha256": served["sha256"],
                    "variant": champion["variant"],
                    "seed": str(champion["seed"]),
                    "parity": f"{parity['largest_relative_difference']:.2g}",
                },
            )
        client.set_terminated(run, "FINISHED")
    except BaseException:
        client.set_terminated(run, "FAILED")
        raise
    logger.info("Registered %s version %s as champion", registered, version)
    return _deployed(registered, version)


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
