"""What those who open MLflow's pages find of a study, without unfolding anything.

A run of a variant holds mean, spread and number of its seeds, which stand below it; a network is a
logged model, ranked beside the others on its data set; the study's run describes the leaderboard.

python -m unrolled.tracking.pages --port 5000    # where the last study is, once `mlflow ui` runs
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pandas as pd

from unrolled.comparison.champion import metric_of
from unrolled.comparison.leaderboard import cell
from unrolled.comparison.looks import look
from unrolled.comparison.sentences import sentence, winner_sentence
from unrolled.study.job import Job, Jobs, job_named
from unrolled.tracking import (
    DEFAULT_URI,
    DIGEST_LENGTH,
    absolute_uri,
    below,
    client_of,
    find_run,
    history_of,
    job_of,
    local_file,
    log_node,
    metrics_of,
    namespaces_of,
    runs_of,
    variant_and_seed,
    written,
)

if TYPE_CHECKING:
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from mlflow import MlflowClient
    from mlflow.entities import Run

VIEW = "study"
# Reordered: so that the charts stay in the order of the view, and MLflow adds its own below.
SECTION = {"uuid": VIEW, "name": "Model metrics", "display": True, "isReordered": True}


def show_studies(
    uri: str, kedro_run: str, pipeline: Pipeline, catalog: DataCatalog, jobs: Jobs
) -> None:
    """Group the seeds, log the models and describe the leaderboard of every job of a run."""
    client = client_of(uri)
    for job in sorted({job_of(namespace) for namespace in namespaces_of(pipeline)}):
        study = find_run(uri, kedro_run, job)
        if study is None:
            continue
        parent = client.get_run(study)
        runs = runs_of(client, parent)
        data = catalog.load(f"{job}.data") if local_file(catalog, f"{job}.data") else None
        for run in runs.values():
            if run.data.tags["level"] == "seed" and run.info.status == "FINISHED":
                log_model(client, run, data)
        since = parent.info.start_time
        if not written(catalog, f"{job}.leaderboard", since):
            continue
        board = catalog.load(f"{job}.leaderboard")
        curves = f"{job}.learning_curves"
        history = catalog.load(curves) if local_file(catalog, curves) else pd.DataFrame()
        named = catalog.load(f"params:{job}.rows")
        rows = {
            row["variant"]: log_row(
                client,
                parent,
                runs,
                row,
                history,
                look(row["variant"], named).colour,
                job_named(jobs, job),
            )
            for row in board.to_dict("records")
        }
        lines = [table(board, parent.info.experiment_id, rows)]
        for role, said in (("champion", sentence), ("winner", winner_sentence)):
            if written(catalog, f"{job}.{role}", since):
                lines.insert(0, said(catalog.load(f"{job}.{role}")))
        if local_file(catalog, f"{job}.protocol"):
            lines.append(str(catalog.load(f"{job}.protocol")))
        client.set_tag(study, "mlflow.note.content", "\n\n".join(lines))
        keep_view(client, parent.info.experiment_id, kedro_run, metric_of(board))


def log_row(
    client: MlflowClient,
    parent: Run,
    runs: Mapping[str, Run],
    row: Mapping[str, Any],
    history: pd.DataFrame,
    colour: str,
    job: Job,
) -> str:
    """Log a row of the leaderboard in a run of its own, and put the runs of its seeds below that.

    Args:
        client: of the server.
        parent: the study's run.
        runs: all of the study, by their namespaces.
        row: of the leaderboard.
        history: learning curves of all variants and seeds; of the losses the mean is logged.
        colour: of the row and its seeds in MLflow's charts, `#rrggbb`; MLflow would draw lots.
        job: whose leaderboard it is.

    Returns:
        The run's id: a baseline's is there already.
    """
    variant = row["variant"]
    namespace = f"{job.name}.{variant}"
    seeds = [
        run
        for name, run in runs.items()
        if run.data.tags["level"] == "seed" and variant_and_seed(name)[0] == variant
    ]
    params: dict[str, str] = {}
    if namespace in runs:
        run_id = str(runs[namespace].info.run_id)
    else:
        now = int(time.time() * 1000)
        run_id = client.create_run(
            parent.info.experiment_id,
            start_time=min((run.info.start_time for run in seeds), default=now),
            run_name=variant,
            tags=below(parent, namespace, job),
        ).info.run_id
        for run in seeds:
            client.set_tag(run.info.run_id, "mlflow.parentRunId", run_id)
            params |= {key: value for key, value in run.data.params.items() if key != "seed"}
        end = max((run.info.end_time or now for run in seeds), default=now)
        client.set_terminated(run_id, end_time=end)
    mean = pd.DataFrame()
    if seeds and not history.empty:
        own = history[history["variant"] == variant].set_index("epoch")
        mean = own.filter(like="loss").groupby(level="epoch").mean().reset_index()
    numbers = [*metrics_of(row), *history_of(mean)]
    log_node(client, run_id, params, numbers, {"kind": str(row["kind"])})
    for one in (run_id, *(run.info.run_id for run in seeds)):
        client.set_tag(one, "mlflow.runColor", colour)
    return run_id


def log_model(client: MlflowClient, run: Run, data: Mapping[str, Any] | None) -> None:
    """Log the network of a run as a model of MLflow: options and scores, without its weights.

    Args:
        client: of the server.
        run: of one variant and seed.
        data: `name` and `sha256` of what it was scored on.
    """
    from mlflow.entities import LoggedModelOutput, Metric

    model = client.create_logged_model(
        run.info.experiment_id,
        name=run.info.run_name,
        source_run_id=run.info.run_id,
        params=run.data.params,
        tags={key: run.data.tags[key] for key in ("variant", "seed")},
        model_type=run.data.tags["kind"],
    ).model_id
    on = data and {"dataset_name": data["name"], "dataset_digest": data["sha256"][:DIGEST_LENGTH]}
    scores = [
        # With its own time, so that the run keeps one value of it.
        Metric(score.key, score.value, score.timestamp, score.step, model_id=model, **(on or {}))
        for score in run.data.to_proto().metrics
        if score.step == 0  # curves begin at 1
    ]
    client.log_batch(run.info.run_id, metrics=scores)
    client.log_outputs(run.info.run_id, [LoggedModelOutput(model, 0)])
    client.finalize_logged_model(model, "READY")


def table(board: pd.DataFrame, experiment: str, rows: Mapping[str, str]) -> str:
    """A leaderboard in Markdown, its variants with links to their runs.

    >>> board = pd.DataFrame({"variant": ["gru"], "mase": [0.51234]})
    >>> print(table(board, "1", {"gru": "ab12"}))
    | variant | mase |
    | --- | ---: |
    | [gru](#/experiments/1/runs/ab12) | 0.5123 |
    """
    numbers = [pd.api.types.is_numeric_dtype(board[name]) for name in board]
    lines = [[str(name) for name in board], ["---:" if number else "---" for number in numbers]]
    for row in board.to_dict("records"):
        link = f"[{row['variant']}](#/experiments/{experiment}/runs/{rows[row['variant']]})"
        lines.append([cell(value) for value in (row | {"variant": link}).values()])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def keep_view(
    client: MlflowClient, experiment: str, kedro_run: str, metric: str | None = None
) -> None:
    """Keep the view of an experiment's last study that MLflow's menu `Views` offers.

    Args:
        client: of the server.
        experiment: its id.
        kedro_run: the run that it shows.
        metric: that orders the leaderboard, whose rows alone are shown; None for all runs.
    """
    wanted = f"tags.`kedro.run_id` = '{kedro_run}'"
    state: dict[str, Any] = {"searchFilter": wanted}
    if metric is not None:
        columns = (metric, f"{metric}_std", "seeds", "parameters", "train_seconds")
        charts = {
            metric: "BAR",
            "validation_loss": "LINE",
            "train_loss": "LINE",
            f"{metric}_std": "BAR",
            "train_seconds": "BAR",
            "parameters": "BAR",
        }
        state = {
            "searchFilter": f"{wanted} AND tags.level = 'row'",
            "orderByKey": f"metrics.`{metric}`",
            "orderByAsc": True,
            "selectedColumns": [f"metrics.`{name}`" for name in columns],
            "runsHiddenMode": "FIRST_20_RUNS",
            "compareRunSections": [SECTION],
            "compareRunCharts": [_chart(name, kind) for name, kind in charts.items()],
        }
    now = int(time.time() * 1000)
    view = {"name": "Last study", "createdAt": now, "updatedAt": now, "state": json.dumps(state)}
    client.set_experiment_tag(experiment, f"mlflow.sharedViewState.{VIEW}", json.dumps(view))


def _chart(metric: str, kind: str) -> dict[str, Any]:
    """A chart as MLflow's page keeps it."""
    return {
        "type": kind,
        "uuid": metric,
        "metricSectionId": VIEW,
        "metricKey": metric,
        "runsCountToCompare": 20,
        "xAxisKey": "step",
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "yAxisKey": "metric",
        "range": {},
    }


def address(client: MlflowClient, server: str) -> str:
    """Where a server shows the last study: its rows beside their charts; the server if there is none.

    A run of several jobs made several; the first of them is what came first on the screen too.
    """
    experiments = [found.experiment_id for found in client.search_experiments()]
    order = ["attributes.start_time DESC"]
    found = client.search_runs(experiments, "tags.level = 'study'", order_by=order, max_results=8)
    if not found:
        return server
    run = found[0].data.tags["kedro.run_id"]
    first = [study for study in found if study.data.tags["kedro.run_id"] == run][-1]
    query = {
        "workflowType": "machine_learning",
        "viewStateShareKey": VIEW,
        "compareRunsMode": "CHART",
    }
    return f"{server}/#/experiments/{first.info.experiment_id}/runs?{urlencode(query)}"


def main() -> None:
    """Print the address of the last study."""
    parser = argparse.ArgumentParser(description="Where MLflow shows the last study.")
    parser.add_argument("--port", type=int, default=5000)
    uri = absolute_uri(os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI, Path.cwd())
    port = parser.parse_args().port
    print(f"The last study: {address(client_of(uri), f'http://127.0.0.1:{port}')}", flush=True)


if __name__ == "__main__":
    main()
