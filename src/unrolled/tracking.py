"""How a `kedro run` stands in MLflow: a run per job, below it one per baseline, variant and seed.

Nothing here holds state, since `ParallelRunner` starts anew in each worker process: a worker finds
its run again by tags. What a node's output means to MLflow stands in the catalog, as
`metadata: {mlflow: {log: metrics | history | artifact | scores | input}}`. The first node of a
namespace that gives numbers opens its run and closes it: so a run lasts as long as a training.
What is made at the end, for those who read MLflow's pages, is in `tracking_pages.py`.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import pandas as pd
from kedro.io import DatasetError

from unrolled.comparison.champion import MEDIAN

if TYPE_CHECKING:
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node
    from mlflow import MlflowClient
    from mlflow.entities import Run

logger = logging.getLogger(__name__)

# The parameter that names a job's data set; other jobs bring their own data.
DATA_SETS = {"forecasting": "series", "text": "corpus", "monitor": "series"}
# What the parts of a namespace are below `gradients.networks` and `gradients.matrix`.
GRADIENTS_TAGS = {"networks": ("variant", "init"), "matrix": ("remedy", "task", "length")}
DEFAULT_URI = "sqlite:///mlflow.db"
# Where the workers of this run track; empty where tracking is off. Ours alone, so that a second
# session in the process can tell a MLFLOW_TRACKING_URI of the user's from one that we set.
URI_VARIABLE = "UNROLLED_TRACKING_URI"
# What MLflow 3 calls the kind of an experiment whose runs train models.
TRAINING = {"mlflow.experimentKind": "custom_model_development"}
# A study's own run has it once a node of the job itself has run.
RAN_TAG = "kedro.ran"
INHERITED = ("kedro.run_id", "kedro.env", "mlflow.source.git.commit", "series", "corpus")
# MLflow's limits for one call and one value.
METRICS_A_CALL, PARAMS_A_CALL, PARAM_LENGTH, ERROR_LENGTH = 1000, 100, 6000, 500
DIGEST_LENGTH = 36
FILE_CLOCK_MS = 1000  # file times are coarser than MLflow's


class Curve(NamedTuple):
    """One value of a metric at a step."""

    key: str
    value: float
    step: int


# --- names ----------------------------------------------------------------------------------------


def job_of(namespace: str) -> str:
    """The job that a namespace belongs to.

    >>> job_of("forecasting.gru.seed_0")
    'forecasting'
    """
    return namespace.split(".")[0]


def prefixes(namespace: str) -> list[str]:
    """A namespace and all above it, innermost first.

    >>> prefixes("forecasting.gru.seed_0")
    ['forecasting.gru.seed_0', 'forecasting.gru', 'forecasting']
    """
    parts = namespace.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def leaves(namespaces: Iterable[str]) -> list[str]:
    """The namespaces below a job that hold no other: one child run each.

    >>> leaves(["forecasting", "forecasting.gru.seed_0", "forecasting.gru", "forecasting.ridge"])
    ['forecasting.gru.seed_0', 'forecasting.ridge']
    """
    found = sorted(set(namespaces))
    return [
        name
        for name in found
        if "." in name and not any(other.startswith(f"{name}.") for other in found)
    ]


def variant_and_seed(namespace: str) -> tuple[str, str | None]:
    """What a leaf namespace trains.

    >>> variant_and_seed("forecasting.gru.seed_0"), variant_and_seed("forecasting.ridge")
    (('gru', '0'), ('ridge', None))
    """
    parts = namespace.split(".")[1:]
    seed = re.fullmatch(r"seed_(\d+)", parts[-1])
    if seed is None or len(parts) == 1:
        return ".".join(parts), None
    return ".".join(parts[:-1]), seed[1]


def parent_name(children: Iterable[str], now: datetime) -> str:
    """A readable name of a parent run: its variants (or baselines) and the local time.

    >>> parent_name(["f.gru.seed_0", "f.gru.seed_1", "f.ridge"], datetime(2026, 11, 24, 17, 5))
    'gru 2026-11-24 17:05'
    """
    children = list(children)
    if children and job_of(children[0]) == "gradients":
        return f"{len(children)} networks and batches {now:%Y-%m-%d %H:%M}"
    found = [variant_and_seed(child) for child in children]
    recurrent = dict.fromkeys(variant for variant, seed in found if seed is not None)
    names = list(recurrent or dict.fromkeys(variant for variant, _ in found))
    if len(names) > 3:
        names = [f"{len(names)} {'variants' if recurrent else 'baselines'}"]
    return " ".join(filter(None, ["+".join(names), f"{now:%Y-%m-%d %H:%M}"]))


def run_name(namespace: str) -> str:
    """A readable name of a child run.

    >>> run_name("forecasting.bi_gru.seed_0"), run_name("gradients.matrix.gru.copy.length_50")
    ('bi_gru seed 0', 'matrix gru copy length 50')
    """
    return re.sub(
        r"\b(seed|length)_(?=\d+$)", r"\1 ", namespace.replace(".", " ").partition(" ")[2]
    )


def data_set_of(job: str, parameters: Mapping[str, Any]) -> str | None:
    """The name of the data set that a job works on, where it has one."""
    name = parameters.get(DATA_SETS.get(job, ""))
    return None if name is None else str(name)


def child_tags(namespace: str) -> dict[str, str]:
    """Tags that tell a child run from its siblings; `level` is `study`, `row` or `seed`.

    >>> child_tags("gradients.matrix.gru.adding.length_50")
    {'level': 'row', 'kind': 'matrix', 'remedy': 'gru', 'task': 'adding', 'length': '50'}
    """
    job, kind, *names = namespace.split(".")
    if job == "gradients":
        values = [name.removeprefix("length_") for name in names]
        named = dict(zip(GRADIENTS_TAGS[kind], values, strict=True))
        return {"level": "row", "kind": kind} | named
    variant, seed = variant_and_seed(namespace)
    if seed is None:
        kind = "ensemble" if variant.endswith(MEDIAN) else "baseline"
        return {"level": "row", "kind": kind, "variant": variant}
    return {"level": "seed", "kind": "recurrent", "variant": variant, "seed": seed}


# --- values ---------------------------------------------------------------------------------------


def _plain(value: object) -> object:
    """A pydantic model as a dict; anything else as it is."""
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def flat_params(name: str, value: object, namespace: str) -> dict[str, str]:
    """Params of MLflow from one `params:` input, named below the run's namespace.

    >>> flat_params("params:f.gru.model", {"hidden": 8, "cell": {"bias": True}}, "f.gru.seed_0")
    {'model.hidden': '8', 'model.cell.bias': 'True'}
    >>> flat_params("params:f.gru.seed_0.seed", 0, "f.gru.seed_0")
    {'seed': '0'}
    """
    parts, above = name.removeprefix("params:").split("."), namespace.split(".")
    while len(parts) > 1 and above and parts[0] == above[0]:
        parts, above = parts[1:], above[1:]
    return dict(_flattened(".".join(parts), value))


def _flattened(key: str, value: object) -> Iterator[tuple[str, str]]:
    value = _plain(value)
    if isinstance(value, Mapping):
        for inner, content in value.items():
            yield from _flattened(f"{key}.{inner}", content)
    elif isinstance(value, (list, tuple)):
        yield key, json.dumps([_plain(item) for item in value], default=str)[:PARAM_LENGTH]
    else:
        yield key, str(value)[:PARAM_LENGTH]


def _is_number(value: object) -> TypeGuard[Real]:
    # numpy's numbers are Real too; MLflow keeps no NaN on a curve.
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def metrics_of(values: object) -> list[Curve]:
    """The finite numbers of a dict of metrics; all else is skipped.

    >>> metrics_of({"mae": 1.5, "rmse": float("nan"), "mase": None, "note": "x"})
    [Curve(key='mae', value=1.5, step=0)]
    """
    if not isinstance(values, Mapping):
        return []
    return [Curve(str(key), float(value), 0) for key, value in values.items() if _is_number(value)]


def scores_of(name: str, record: Mapping[str, Any]) -> tuple[list[Curve], dict[str, str]]:
    """Metrics and tags of a study from the record of its champion or winner.

    >>> record = {"variant": "gru", "metric": "mase", "score": 0.9, "baseline_score": 1.0, "margin": 0.1}
    >>> metrics, tags = scores_of("forecasting.champion", record)
    >>> [(curve.key, curve.value) for curve in metrics], tags
    ([('mase', 0.9), ('mase_best_baseline', 1.0), ('margin', 0.1)], {'champion': 'gru'})
    >>> scores_of("forecasting.winner", {"variant": "ridge", "metric": "mase", "score": 1.0})[0]
    [Curve(key='mase_winner', value=1.0, step=0)]
    """
    role, metric = name.rpartition(".")[2], record["metric"]
    values = {metric if role == "champion" else f"{metric}_{role}": record["score"]}
    if role == "champion":
        values[f"{metric}_best_baseline"] = record["baseline_score"]
        values["margin"] = record["margin"]
    return metrics_of(values), {role: str(record["variant"])}


def history_of(frame: object) -> list[Curve]:
    """Learning curves: each numeric column of a table, at its column `epoch`.

    >>> history_of(pd.DataFrame({"epoch": [1, 2], "loss": [0.5, None]}))
    [Curve(key='loss', value=0.5, step=1)]
    """
    if not isinstance(frame, pd.DataFrame) or "epoch" not in frame:
        return []
    return [
        Curve(str(column), float(value), int(epoch))
        for column in frame.select_dtypes("number").columns.drop(["epoch", "seed"], errors="ignore")
        for epoch, value in zip(frame["epoch"], frame[column], strict=True)
        if _is_number(value)
    ]


def _chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def absolute_uri(uri: str, folder: Path) -> str:
    """A sqlite address that means the same file in a worker with another working directory.

    >>> absolute_uri("sqlite:///mlflow.db", Path("/project"))
    'sqlite:////project/mlflow.db'
    """
    path = uri.removeprefix("sqlite:///")
    if path in (uri, "", ":memory:"):
        return uri
    return f"sqlite:///{(folder / path).as_posix()}"


# --- the catalog ----------------------------------------------------------------------------------


def log_as(catalog: DataCatalog, name: str) -> str | None:
    """How the catalog wants a dataset logged, factory patterns included."""
    dataset = catalog.get(name)
    metadata = getattr(dataset, "metadata", None) or {}
    wanted = metadata.get("mlflow") or {}
    return wanted.get("log")


def local_file(catalog: DataCatalog, name: str) -> Path | None:
    """Where a dataset lies on this machine, if it does and has been saved."""
    dataset: Any = catalog.get(name)
    if getattr(dataset, "_protocol", "file") not in ("file", "local"):
        return None
    if getattr(dataset, "_version", None):
        path = dataset._get_load_path()
    else:
        path = getattr(dataset, "_filepath", None)
    return Path(path) if path is not None and Path(path).exists() else None


def namespaces_of(pipeline: Pipeline) -> list[str]:
    """The namespaces that hold nodes of a pipeline."""
    return sorted({node.namespace for node in pipeline.nodes if node.namespace})


# --- MLflow ---------------------------------------------------------------------------------------


def choose_uri(config: Mapping[str, Any], project: Path) -> str:
    """Settle where this run tracks, and leave word in the environment for the workers.

    Args:
        config: `conf/*/mlflow.yml`.
        project: root of the project.

    Returns:
        the tracking URI; empty where tracking is off.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if given and given == os.environ.get(URI_VARIABLE):
        given = None  # left by an earlier session in this process
    if not config.get("enabled", True):
        if given is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)
        os.environ[URI_VARIABLE] = ""
        return ""
    if given:
        uri = absolute_uri(given, Path.cwd())
    else:
        uri = absolute_uri(str(config.get("tracking_uri") or DEFAULT_URI), project)
    os.environ["MLFLOW_TRACKING_URI"] = os.environ[URI_VARIABLE] = uri
    return uri


def client_of(uri: str) -> MlflowClient:
    """A client of MLflow, which is imported only where something is tracked."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines a run
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # 7 would take four minutes
    # A forked worker must not share an open sqlite connection with its parent.
    if uri.startswith("sqlite"):
        os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    from mlflow import MlflowClient  # here, since it takes seconds

    # A new sqlite file is brought up to date by some dozens of migrations, each with a line.
    for name in ("alembic", "mlflow.store"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri)


def tracking_uri() -> str:
    """Where this run tracks; empty where it does not."""
    return os.environ.get(URI_VARIABLE, "")


@contextmanager
def never_fatal(what: str) -> Iterator[None]:
    """Turn a failure of tracking into a warning: it must not cost the results of a run."""
    try:
        yield
    except Exception as error:  # MLflow lets the errors of requests, SQL and files through
        logger.warning("MLflow: %s was not tracked: %s", what, error)


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
    uri: str, run_params: Mapping[str, Any], namespaces: list[str], parameters: Mapping[str, Any]
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
    for job in sorted({job_of(namespace) for namespace in namespaces}):
        data_set = data_set_of(job, parameters)
        own = {"level": "study", "kind": "parent", "unrolled.namespace": job}
        if data_set is not None:
            own[DATA_SETS[job]] = data_set
        experiment = experiment_of(client, "/".join(filter(None, [job, data_set])), uri, project)
        children = [name for name in leaves(namespaces) if job_of(name) == job]
        client.create_run(
            experiment, run_name=parent_name(children, datetime.now()), tags=tags | own
        )
        experiments.append(experiment)
    return experiments


def below(parent: Run, namespace: str) -> dict[str, str]:
    """Tags of a run below a study's."""
    known = {key: parent.data.tags[key] for key in INHERITED if key in parent.data.tags}
    own = {"unrolled.namespace": namespace, "mlflow.parentRunId": parent.info.run_id}
    return known | child_tags(namespace) | own


def gives_numbers(node: Node, catalog: DataCatalog) -> bool:
    """Whether the catalog wants metrics or a curve of what a node gives."""
    return any(log_as(catalog, name) in ("metrics", "history") for name in node.outputs)


def open_run(uri: str, kedro_run: str, namespace: str) -> None:
    """Make the run of a namespace, unless it is there or its job is not tracked."""
    study = find_run(uri, kedro_run, job_of(namespace))
    if study is None or find_run(uri, kedro_run, namespace):
        return
    client = client_of(uri)
    parent = client.get_run(study)
    client.create_run(
        parent.info.experiment_id, run_name=run_name(namespace), tags=below(parent, namespace)
    )


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


def written(catalog: DataCatalog, name: str, since: int) -> Path | None:
    """The file of a dataset where this run has written it; `since` is the run's start, in ms."""
    path = local_file(catalog, name)
    fresh = path is not None and path.stat().st_mtime * 1000 >= since - FILE_CLOCK_MS
    return path if fresh else None


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
