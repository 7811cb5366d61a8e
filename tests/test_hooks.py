import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner, ThreadRunner
from pydantic import BaseModel

from unrolled import hooks, terminal, tracking


class Options(BaseModel):
    hidden: int = 8
    cell: dict[str, bool] = {"bias": True}


def train(options: Options, seed: int) -> tuple[pd.DataFrame, dict]:
    history = pd.DataFrame({"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "note": ["a", "b", "c"]})
    return history, {"mae": 1.5 + seed, "mase": None, "nan": float("nan"), "kind": "x"}


def baseline() -> dict:
    return {"mae": 9.0}


def broken(options: Options, seed: int) -> tuple[pd.DataFrame, dict]:
    raise ValueError("series 'x' has 3 rows; 30 are needed" + "!" * 600)


def rank(*scores: dict) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "variant": list("abc")[: len(scores)],
            "kind": ["recurrent", "recurrent", "baseline"][: len(scores)],
            "mae": [s["mae"] for s in scores],
            "mae_std": 0.5,
        }
    )


def contender(seed: int, function=train) -> Node:
    space = f"forecasting.gru.seed_{seed}"
    return Node(
        function,
        ["params:forecasting.gru.model", f"params:{space}.seed"],
        [f"{space}.history", f"{space}.scores"],
        name="train",
        namespace=space,
    )


def job(second=train) -> Pipeline:
    return Pipeline(
        [
            contender(0),
            contender(1, second),
            Node(
                baseline,
                None,
                "forecasting.ridge.scores",
                name="fit",
                namespace="forecasting.ridge",
            ),
            Node(
                rank,
                [
                    "forecasting.gru.seed_0.scores",
                    "forecasting.gru.seed_1.scores",
                    "forecasting.ridge.scores",
                ],
                "forecasting.leaderboard",
                name="leaderboard",
                namespace="forecasting",
            ),
        ]
    )


def catalog_in(folder: Path) -> DataCatalog:
    def entry(kind: str, path: str, log: str) -> dict:
        return {
            "type": kind,
            "filepath": str(folder / path),
            "metadata": {"mlflow": {"log": log}},
        }

    catalog = DataCatalog.from_config(
        {
            "forecasting.{variant}.{seed}.scores": entry(
                "json.JSONDataset", "{variant}_{seed}_scores.json", "metrics"
            ),
            "forecasting.{variant}.scores": entry(
                "json.JSONDataset", "{variant}_scores.json", "metrics"
            ),
            "forecasting.{variant}.{seed}.history": entry(
                "pandas.CSVDataset", "{variant}_{seed}_history.csv", "history"
            ),
            "forecasting.leaderboard": entry("pandas.CSVDataset", "leaderboard.csv", "artifact"),
        }
    )
    catalog["parameters"] = {"series": "air"}
    catalog["params:forecasting.gru.model"] = Options()
    for seed in (0, 1):
        catalog[f"params:forecasting.gru.seed_{seed}.seed"] = seed
    return catalog


def run_params(project: Path, run_id: str, **more) -> dict:
    return {"run_id": run_id, "project_path": str(project), "env": "local", **more}


def run(project: Path, pipeline: Pipeline, runner, run_id: str, **more) -> None:
    """What `KedroSession.run` does around a runner."""
    manager = _create_hook_manager()
    for hook in (hooks.TrackingHooks(), terminal.TerminalHooks()):
        manager.register(hook)
    catalog = catalog_in(project)
    shared = {
        "run_params": run_params(project, run_id, **more),
        "pipeline": pipeline,
        "catalog": catalog,
    }
    manager.hook.before_pipeline_run(**shared)
    try:
        result = runner.run(pipeline, catalog, manager, run_id, **more)
    except Exception as error:
        manager.hook.on_pipeline_error(error=error, **shared)
        raise
    manager.hook.after_pipeline_run(run_result=result, **shared)


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Path:
    """One database for all tests: its migrations take seconds. Run ids keep the tests apart."""
    return tmp_path_factory.mktemp("mlflow") / "mlflow.db"


@pytest.fixture
def uri(database, monkeypatch) -> str:
    for name in ("MLFLOW_TRACKING_URI", tracking.URI_VARIABLE):
        monkeypatch.setenv(name, "")
    return tracking.choose_uri({"tracking_uri": f"sqlite:///{database}"}, database.parent)


def runs_of(uri: str, run_id: str) -> dict:
    client = tracking.client_of(uri)
    experiment = client.get_experiment_by_name("forecasting/air")
    found = client.search_runs(
        [experiment.experiment_id], filter_string=f"tags.`kedro.run_id` = '{run_id}'"
    )
    return {found.data.tags["unrolled.namespace"]: found for found in found}


@pytest.mark.parametrize(
    "runner", [SequentialRunner(), ThreadRunner(max_workers=2), SequentialRunner(is_async=True)]
)
def test_a_run_is_a_parent_with_a_child_per_variant_and_seed(
    tmp_path, uri, runner, request, capsys
):
    run_id = request.node.name
    run(tmp_path, job(), runner, run_id)
    runs = runs_of(uri, run_id)
    assert set(runs) == {
        "forecasting",
        "forecasting.gru.seed_0",
        "forecasting.gru.seed_1",
        "forecasting.ridge",
    }
    assert {found.info.status for found in runs.values()} == {"FINISHED"}
    parent, child = runs["forecasting"], runs["forecasting.gru.seed_1"]
    assert parent.info.run_name.startswith("gru 2")
    assert parent.data.tags["kind"] == "parent"
    assert child.info.run_name == "gru seed 1"
    assert (
        child.data.tags.items()
        >= {
            "mlflow.parentRunId": parent.info.run_id,
            "variant": "gru",
            "seed": "1",
            "kind": "recurrent",
            "series": "air",
            "kedro.env": "local",
        }.items()
    )
    assert child.data.params == {"model.hidden": "8", "model.cell.bias": "True", "seed": "1"}
    assert child.data.metrics == {"mae": 2.5, "loss": 1.0}
    client = tracking.client_of(uri)
    curve = client.get_metric_history(child.info.run_id, "loss")
    assert [(point.step, point.value) for point in curve] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert [file.path for file in client.list_artifacts(parent.info.run_id)] == ["leaderboard.csv"]
    ridge = runs["forecasting.ridge"].data.tags
    assert ridge["kind"] == "baseline"
    assert "seed" not in ridge
    printed = capsys.readouterr().out
    assert "a        recurrent  1.5      0.5" in printed
    assert "a 1.5 beats every baseline; the best of them is the baseline c 9." in printed


def test_a_failed_run_says_why_and_keeps_what_was_complete(tmp_path, uri):
    (tmp_path / "leaderboard.csv").write_text("variant\nold\n")
    os.utime(tmp_path / "leaderboard.csv", (0, 0))
    with pytest.raises(ValueError, match="30 are needed"):
        run(tmp_path, job(second=broken), SequentialRunner(), "failed")
    runs = runs_of(uri, "failed")
    status = {name: found.info.status for name, found in runs.items()}
    assert status["forecasting"] == status["forecasting.gru.seed_1"] == "FAILED"
    assert status["forecasting.gru.seed_0"] == "FINISHED"
    error = runs["forecasting"].data.tags["error"]
    assert error.startswith("series 'x' has 3 rows; 30 are needed")
    assert len(error) == tracking.ERROR_LENGTH
    assert not tracking.client_of(uri).list_artifacts(runs["forecasting"].info.run_id)


def test_a_resumed_run_leaves_no_empty_children(tmp_path, uri):
    run(tmp_path, job(), SequentialRunner(), "whole")
    (tmp_path / "gru_seed_1_scores.json").unlink()
    run(tmp_path, job(), SequentialRunner(), "resumed", only_missing_outputs=True)
    assert set(runs_of(uri, "resumed")) == {"forecasting", "forecasting.gru.seed_1"}
    run(tmp_path, job(), SequentialRunner(), "nothing to do", only_missing_outputs=True)
    assert runs_of(uri, "nothing to do") == {}


def work(folder: Path, seed: int, run_id: str) -> None:
    """What a worker of ParallelRunner does: a new hook, its own catalog."""
    node, catalog = contender(seed), catalog_in(folder)
    inputs = {name: catalog.load(name) for name in node.inputs}
    for _ in range(5):
        hooks.TrackingHooks().after_node_run(node, catalog, inputs, node.run(inputs), run_id)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_find_their_runs_and_write_at_the_same_time(tmp_path, uri, method):
    catalog = catalog_in(tmp_path)
    run_id = f"workers {method}"
    params = run_params(tmp_path, run_id)
    hooks.TrackingHooks().before_pipeline_run(params, job(), catalog)
    with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
        for future in [pool.submit(work, tmp_path, seed, run_id) for seed in (0, 1)]:
            future.result()
    hooks.TrackingHooks().after_pipeline_run(params, job(), catalog)
    runs = runs_of(uri, run_id)
    assert runs["forecasting.gru.seed_0"].data.metrics["mae"] == 1.5
    assert runs["forecasting.gru.seed_1"].data.metrics["mae"] == 2.5
    assert runs["forecasting.gru.seed_1"].data.params["seed"] == "1"


def test_a_tracking_failure_costs_a_warning_not_the_run(tmp_path, uri, monkeypatch, caplog):
    def refuse(*_):
        raise OSError("no server")

    monkeypatch.setattr(hooks, "log_node", refuse)
    run(tmp_path, job(), SequentialRunner(), "refused")
    assert (tmp_path / "leaderboard.csv").exists()
    assert "no server" in caplog.text


def test_tracking_switched_off_makes_nothing(tmp_path, uri):
    assert tracking.choose_uri({"enabled": False}, tmp_path) == ""
    assert not os.environ.get("MLFLOW_TRACKING_URI")
    run(tmp_path, job(), SequentialRunner(), "off")
    assert not (tmp_path / "mlflow.db").exists()


def test_the_users_uri_wins_and_our_own_does_not_stick(tmp_path, uri, monkeypatch):
    assert tracking.choose_uri({}, tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    assert tracking.choose_uri({}, tmp_path / "other") == f"sqlite:///{tmp_path}/other/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert tracking.choose_uri({}, tmp_path) == "http://tracker:5000"


def test_the_import_of_the_hooks_does_not_import_mlflow():
    code = "import sys, unrolled.hooks; sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_workers_without_the_hooks_are_noticed(tmp_path, uri, caplog):
    params, catalog = run_params(tmp_path, "silent"), catalog_in(tmp_path)
    hooks.TrackingHooks().before_pipeline_run(params, job(), catalog)
    hooks.TrackingHooks().after_pipeline_run(params, job(), catalog)
    assert "no node of forecasting.gru.seed_0 reported" in caplog.text
