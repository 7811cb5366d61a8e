"""The runs of a `kedro run` in MLflow: opened, written to, closed."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import DatasetError

from unrolled.study.job import Job, Jobs, job_named
from unrolled.tracking.catalog import log_as, namespaces_of, written
from unrolled.tracking.names import (
    child_tags,
    data_set_of,
    job_of,
    leaves,
    parent_name,
    prefixes,
    run_name,
)
from unrolled.tracking.server import client_of, never_fatal
from unrolled.tracking.values import Curve

if TYPE_CHECKING:
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from mlflow import MlflowClient
    from mlflow.entities import Run

logger = logging.getLogger(__name__)
# What MLflow 3 calls the kind of an experiment whose runs train models.
TRAINING = {"mlflow.experimentKind": "custom_model_development"}
# A study's own run has it once a node of the job itself has run.
RAN_TAG = "kedro.ran"
INHERITED = ("kedro.run_id", "kedro.env", "mlflow.source.git.commit")  # and the data set
# MLflow's limits for one call and one value.
METRICS_A_CALL, PARAMS_A_CALL, ERROR_LENGTH = 1000, 100, 500
DIGEST_LENGTH = 36


@lru_cache(maxsize=1024)
def _experiments(uri: str, kedro_run: str, job: str) -> list[str]:
    """Ids of a job's experiments, all of which a `kedro run` makes before its first node."""
    found = client_of(uri).search_experiments(filter_string=f"name LIKE '{job}%'")
    return [experiment.experiment_id for experiment in found]


@lru_cache(maxsize=1024)
def _known_run(uri: str, kedro_run: str, namespace: str) -> str:
    runs = client_of(uri).search_runs(
        _experiments(uri, kedro_run, job_of(namespace)),
        filter_string=(
            f"tags.`kedro.run_id` = '{kedro_run}' AND tags.`unrolled.namespace` = '{namespace}'"
        ),
        max_results=1,
    )
    if not runs:
        raise LookupError(namespace)  # which is not remembered
    return str(runs[0].info.run_id)


def find_run(uri: str, kedro_run: str, namespace: str) -> str | None:
    """Id of the run of a namespace; None where it has none yet."""
    try:
        return _known_run(uri, kedro_run, namespace)
    except LookupError:
        return None


def runs_of(client: MlflowClient, parent: Run) -> dict[str, Run]:
    """All runs of a job in one `kedro run`, by their namespaces."""
    found = client.search_runs(
        [parent.info.experiment_id],
        filter_string=f"tags.`kedro.run_id` = '{parent.data.tags['kedro.run_id']}'",
    )
    return {run.data.tags["unrolled.namespace"]: run for run in found}


def experiment_of(client: MlflowClient, name: str, uri: str, project: Path) -> str:
    """Id of an experiment, made or restored where need be."""
    found = client.get_experiment_by_name(name)
    if found is None:
        # Without a server MLflow would put the files below the working directory.
        embedded = uri.startswith("sqlite")
        place = (project / "mlartifacts" / name).as_uri() if embedded else None
        return client.create_experiment(name, artifact_location=place, tags=TRAINING)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    for key, value in TRAINING.items() - found.tags.items():
        client.set_experiment_tag(found.experiment_id, key, value)
    return found.experiment_id


def open_studies(
    uri: str,
    run_params: Mapping[str, Any],
    namespaces: list[str],
    parameters: Mapping[str, Any],
    jobs: Jobs,
) -> list[str]:
    """Make the run of each job; return the ids of their experiments."""
    client = client_of(uri)
    experiments: list[str] = []
    from mlflow.utils.git_utils import get_git_commit

    project = Path(run_params["project_path"]).resolve()
    tags = {"kedro.run_id": run_params["run_id"], "kedro.env": run_params.get("env") or "base"}
    commit = get_git_commit(str(project))
    if commit:
        tags["mlflow.source.git.commit"] = commit
    for name in sorted({job_of(namespace) for namespace in namespaces}):
        job = job_named(jobs, name)
        data_set = data_set_of(job, parameters)
        own = {"level": "study", "kind": "parent", "unrolled.namespace": name}
        if job.data is not None and data_set is not None:
            own[job.data] = data_set
        experiment = experiment_of(client, "/".join(filter(None, [name, data_set])), uri, project)
        children = [leaf for leaf in leaves(namespaces) if job_of(leaf) == name]
        client.create_run(
            experiment, run_name=parent_name(job, children, datetime.now()), tags=tags | own
        )
        experiments.append(experiment)
    return experiments


def below(parent: Run, namespace: str, job: Job) -> dict[str, str]:
    """Tags of a run below a study's."""
    inherited = (*INHERITED, job.data)
    known = {key: parent.data.tags[key] for key in inherited if key in parent.data.tags}
    own = {"unrolled.namespace": namespace, "mlflow.parentRunId": parent.info.run_id}
    return known | child_tags(job, namespace) | own


def open_run(uri: str, kedro_run: str, namespace: str, jobs: Jobs) -> None:
    """Make the run of a namespace, unless it is there or its job is not tracked."""
    study = find_run(uri, kedro_run, job_of(namespace))
    if study is None or find_run(uri, kedro_run, namespace):
        return
    client = client_of(uri)
    parent = client.get_run(study)
    tags = below(parent, namespace, job_named(jobs, job_of(namespace)))
    client.create_run(parent.info.experiment_id, run_name=run_name(namespace), tags=tags)


def end_run(client: MlflowClient, run: Run, error: BaseException | None = None) -> None:
    """End a run: FINISHED, or FAILED with the error's sentence; its time stays that of its end."""
    if error is not None:
        sentence = str(error) or type(error).__name__
        client.set_tag(run.info.run_id, "error", sentence[:ERROR_LENGTH])
    client.set_terminated(run.info.run_id, "FAILED" if error else "FINISHED", run.info.end_time)


def log_node(
    client: MlflowClient,
    run_id: str,
    params: Mapping[str, str],
    curves: list[Curve],
    tags: Mapping[str, str],
) -> Run | None:
    """Log what one node took and gave, in as few calls as MLflow allows.

    Returns:
        The run as it was before; None where there was nothing to log.
    """
    from mlflow.entities import Metric, Param, RunTag

    # MLflow refuses a param that changes, and nodes of one run may share an input; a score that two
    # nodes give is one point.
    logged = _logged(run_id)
    if not curves and params.keys() | tags.items() <= logged:
        return None
    run = client.get_run(run_id)
    fresh = [Param(key, value) for key, value in params.items() if key not in run.data.params]
    now = int(time.time() * 1000)
    metrics = [
        Metric(curve.key, curve.value, now, curve.step)
        for curve in curves
        if curve.step or run.data.metrics.get(curve.key) != curve.value
    ]
    for some_params in _chunks(fresh, PARAMS_A_CALL):
        try:
            client.log_batch(run_id, params=some_params)
        except Exception:  # the study's run is every worker's: one of them was there first
            there = client.get_run(run_id).data.params
            left = [param for param in some_params if param.key not in there]
            client.log_batch(run_id, params=left)
    for some_metrics in _chunks(metrics, METRICS_A_CALL):
        client.log_batch(run_id, metrics=some_metrics)
    if tags:
        client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    logged.update(params, tags.items())
    return run


@lru_cache(maxsize=1024)
def _logged(run_id: str) -> set[object]:
    """Params (their keys) and tags that this process has logged: most nodes of a run share theirs."""
    return set()


def _chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def log_input(client: MlflowClient, run_id: str, data: Mapping[str, Any]) -> None:
    """Log a data set as an input of a run.

    Args:
        client: of the server.
        run_id: the run, a job's parent.
        data: `name`, `source`, `sha256` (MLflow keeps as much of it as it has room for), all else
            as the data set's profile; `columns`, where it has them, as its schema.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    own = ("name", "source", "sha256", "columns")
    columns = [{"name": name, "type": kind} for name, kind in data.get("columns", {}).items()]
    dataset = Dataset(
        name=data["name"],
        digest=data["sha256"][:DIGEST_LENGTH],
        source_type="local",
        source=json.dumps({"uri": data["source"]}),
        schema=json.dumps({"mlflow_colspec": columns}) if columns else None,
        profile=json.dumps({key: value for key, value in data.items() if key not in own}),
    )
    tag = InputTag("mlflow.data.context", "training")
    client.log_inputs(run_id, datasets=[DatasetInput(dataset, [tag])])


def upload_files(uri: str, kedro_run: str, pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Upload the files that this run wrote and the catalog wants as artifacts.

    This waits for the end of the run and is done by the main process: when `after_node_run` comes,
    the outputs are not saved yet, and `after_dataset_saved` knows neither the catalog nor the run.
    Files of an earlier run (`--only-missing-outputs`, a node that failed) are left out.
    """
    client = client_of(uri)
    for job in sorted({job_of(namespace) for namespace in namespaces_of(pipeline)}):
        study = find_run(uri, kedro_run, job)
        if study is None:
            continue
        parent = client.get_run(study)
        runs = {name: run.info.run_id for name, run in runs_of(client, parent).items()}
        for node in pipeline.only_nodes_with_namespaces([job]).nodes:
            innermost = next(name for name in prefixes(str(node.namespace)) if name in runs)
            for name in node.outputs:
                if log_as(catalog, name) in ("artifact", "scores"):
                    path = written(catalog, name, parent.info.start_time)
                    if path is not None:
                        _upload(client, runs[innermost], path)


def _upload(client: MlflowClient, run_id: str, path: Path) -> None:
    with never_fatal(f"file {path}"):
        if path.is_dir():
            client.log_artifacts(run_id, str(path), artifact_path=path.name)
        else:
            client.log_artifact(run_id, str(path))


def close_studies(
    uri: str, run_params: Mapping[str, Any], pipeline: Pipeline, error: Exception | None = None
) -> None:
    """End the runs of a `kedro run`, FINISHED or FAILED.

    After an error a run is FINISHED still where its nodes had run. Under `--only-missing-outputs` a
    study that had nothing to do is removed.
    """
    client = client_of(uri)
    namespaces, missing = namespaces_of(pipeline), run_params.get("only_missing_outputs")
    for job in sorted({job_of(namespace) for namespace in namespaces}):
        study = find_run(uri, run_params["run_id"], job)
        if study is None:
            continue
        parent = client.get_run(study)
        children = runs_of(client, parent)
        children.pop(job, None)
        if missing and not (error or children or RAN_TAG in parent.data.tags):
            client.delete_run(study)
            continue
        for leaf in leaves(namespaces) if not (missing or error) else []:
            if job_of(leaf) == job and leaf not in children:
                logger.warning(
                    "MLflow: no node of %s reported; do the runner's workers have the project's"
                    " hooks?",
                    leaf,
                )
        for run in children.values():
            # A node that ran may have failed to save: then nobody is known to be complete.
            if run.info.status == "RUNNING" or isinstance(error, DatasetError):
                end_run(client, run, error)
        end_run(client, parent, error)
