"""How a `kedro run` stands in MLflow: one parent run per job, with a child per variant and seed.

Nothing here holds state, since `ParallelRunner` starts anew in each worker process: a worker finds
its run again by the tags that the main process gave it. What a node's output means to MLflow stands
in the catalog, as `metadata: {mlflow: {log: metrics | history | artifact | input}}`.
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

if TYPE_CHECKING:
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)

# The parameter that names a job's data set; other jobs bring their own data.
DATA_SETS = {"forecasting": "series", "text": "corpus", "monitor": "series"}
# What the parts of a namespace are below `gradients.networks` and `gradients.matrix`.
GRADIENTS_TAGS = {"networks": ("variant", "init"), "matrix": ("remedy", "task", "length")}
DEFAULT_URI = "sqlite:///mlflow.db"
# Where the workers of this run track; empty where tracking is off. Ours alone, so that a second
# session in the process can tell a MLFLOW_TRACKING_URI of the user's from one that we set.
URI_VARIABLE = "UNROLLED_TRACKING_URI"
RAN_TAG = "kedro.node."
# MLflow's limits for one call and one value.
METRICS_A_CALL, PARAMS_A_CALL, PARAM_LENGTH, TAG_LENGTH, ERROR_LENGTH = 1000, 100, 6000, 200, 500
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
    """Tags that tell a child run from its siblings.

    >>> child_tags("gradients.matrix.gru.adding.length_50")
    {'kind': 'matrix', 'remedy': 'gru', 'task': 'adding', 'length': '50'}
    """
    job, kind, *names = namespace.split(".")
    if job == "gradients":
        values = [name.removeprefix("length_") for name in names]
        return {"kind": kind} | dict(zip(GRADIENTS_TAGS[kind], values, strict=True))
    variant, seed = variant_and_seed(namespace)
    tags = {"variant": variant, "kind": "baseline" if seed is None else "recurrent"}
    return tags if seed is None else tags | {"seed": seed}


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
def find_run(uri: str, kedro_run: str, namespace: str) -> str | None:
    """Id of the run that the main process made for a namespace; None where it made none."""
    client = client_of(uri)
    experiments = client.search_experiments(filter_string=f"name LIKE '{job_of(namespace)}%'")
    runs = client.search_runs(
        [experiment.experiment_id for experiment in experiments],
        filter_string=(
            f"tags.`kedro.run_id` = '{kedro_run}' AND tags.`unrolled.namespace` = '{namespace}'"
        ),
        max_results=1,
    )
    return runs[0].info.run_id if runs else None


def run_of(uri: str, kedro_run: str, namespace: str) -> tuple[str, str] | None:
    """The run of the innermost namespace that has one, and that namespace."""
    for prefix in prefixes(namespace):
        run_id = find_run(uri, kedro_run, prefix)
        if run_id is not None:
            return run_id, prefix
    return None


def ran_tag(node: Node, namespace: str) -> str:
    """Key of the tag that says that a node has run; MLflow allows few characters in it."""
    return RAN_TAG + re.sub(r"[^\w./ -]", "_", node.name.removeprefix(f"{namespace}."))[:TAG_LENGTH]


def experiment_of(client: MlflowClient, name: str, uri: str, project: Path) -> str:
    """Id of an experiment, made or restored where need be."""
    found = client.get_experiment_by_name(name)
    if found is None:
        # Without a server MLflow would put the files below the working directory.
        embedded = uri.startswith("sqlite")
        place = (project / "mlartifacts" / name).as_uri() if embedded else None
        return client.create_experiment(name, artifact_location=place)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return found.experiment_id


def open_runs(
    uri: str, run_params: Mapping[str, Any], namespaces: list[str], parameters: Mapping[str, Any]
) -> None:
    """Make a parent run per job and a child per leaf namespace."""
    client = client_of(uri)
    from mlflow.utils.git_utils import get_git_commit

    project = Path(run_params["project_path"]).resolve()
    shared = {"kedro.run_id": run_params["run_id"], "kedro.env": run_params.get("env") or "base"}
    commit = get_git_commit(str(project))
    if commit:
        shared["mlflow.source.git.commit"] = commit
    for job in sorted({job_of(namespace) for namespace in namespaces}):
        data_set = data_set_of(job, parameters)
        tags = shared if data_set is None else shared | {DATA_SETS[job]: data_set}
        experiment = experiment_of(client, "/".join(filter(None, [job, data_set])), uri, project)
        children = [name for name in leaves(namespaces) if job_of(name) == job]
        parent = client.create_run(
            experiment,
            run_name=parent_name(children, datetime.now()),
            tags=tags | {"unrolled.namespace": job, "kind": "parent"},
        ).info.run_id
        for child in children:
            client.create_run(
                experiment,
                run_name=run_name(child),
                tags=tags
                | child_tags(child)
                | {"unrolled.namespace": child, "mlflow.parentRunId": parent},
            )


def log_node(
    client: MlflowClient,
    run_id: str,
    params: Mapping[str, str],
    curves: list[Curve],
    tags: Mapping[str, str],
) -> None:
    """Log what one node took and gave, in as few calls as MLflow allows."""
    from mlflow.entities import Metric, Param, RunTag

    # MLflow refuses a param that changes; nodes of one run may share an input.
    known = client.get_run(run_id).data.params if params else {}
    fresh = [Param(key, value) for key, value in params.items() if key not in known]
    now = int(time.time() * 1000)
    metrics = [Metric(curve.key, curve.value, now, curve.step) for curve in curves]
    for some_params in _chunks(fresh, PARAMS_A_CALL):
        client.log_batch(run_id, params=some_params)
    for some_metrics in _chunks(metrics, METRICS_A_CALL):
        client.log_batch(run_id, metrics=some_metrics)
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])


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
    for node in pipeline.nodes:
        found = run_of(uri, kedro_run, node.namespace) if node.namespace else None
        for name in node.outputs if found else []:
            if found is None or log_as(catalog, name) != "artifact":
                continue
            path = local_file(catalog, name)
            opened = client.get_run(found[0]).info.start_time - FILE_CLOCK_MS
            if path is None or path.stat().st_mtime * 1000 < opened:
                continue
            with never_fatal(f"file {path}"):
                if path.is_dir():
                    client.log_artifacts(found[0], str(path), artifact_path=path.name)
                else:
                    client.log_artifact(found[0], str(path))


def close_runs(
    uri: str, run_params: Mapping[str, Any], pipeline: Pipeline, error: Exception | None = None
) -> None:
    """Close the parents and children of a run, FINISHED or FAILED.

    After an error a child is FINISHED still where all its nodes had run. Under
    `--only-missing-outputs` the runs that had nothing to do are removed.
    """
    client = client_of(uri)
    kedro_run = run_params["run_id"]
    namespaces = namespaces_of(pipeline)
    jobs = sorted({job_of(namespace) for namespace in namespaces})
    kept: set[str] = set()
    for namespace in [*leaves(namespaces), *jobs]:
        run_id = find_run(uri, kedro_run, namespace)
        if run_id is None:
            continue
        tags = client.get_run(run_id).data.tags
        ran = any(key.startswith(RAN_TAG) for key in tags)
        if run_params.get("only_missing_outputs") and not (error or ran or namespace in kept):
            client.delete_run(run_id)
            continue
        kept.add(job_of(namespace))
        expected = [node for node in pipeline.nodes if node.namespace == namespace]
        complete = namespace not in jobs and all(
            ran_tag(node, namespace) in tags for node in expected
        )
        if not (ran or error or namespace in jobs):
            logger.warning(
                "MLflow: no node of %s reported; do the runner's workers have the project's hooks?",
                namespace,
            )
        # A node that ran may have failed to save: then nobody is known to be complete.
        if error is None or (complete and not isinstance(error, DatasetError)):
            client.set_terminated(run_id, "FINISHED")
        else:
            sentence = str(error) or type(error).__name__
            client.set_tag(run_id, "error", sentence[:ERROR_LENGTH])
            client.set_terminated(run_id, "FAILED")
