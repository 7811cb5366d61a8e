import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
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
from unrolled.comparison.looks import look
from unrolled.comparison.records import Champion
from unrolled.pipelines.jobs import JOBS
from unrolled.tracking import pages as tracking_pages


class Options(BaseModel):
    hidden: int = 8
    cell: dict[str, bool] = {"bias": True}


def train(options: Options, seed: int) -> tuple[pd.DataFrame, dict]:
    history = pd.DataFrame(
        {"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.0 + seed], "variant": "gru", "seed": seed}
    )
    return history, {"mase": 1.5 + seed, "mae": None, "nan": float("nan"), "kind": "x"}


def baseline() -> dict:
    return {"mase": 9.0}


def broken(options: Options, seed: int) -> tuple[pd.DataFrame, dict]:
    raise ValueError("series 'x' has 3 rows; 30 are needed" + "!" * 600)


def rank(*scores: dict) -> pd.DataFrame:
    *networks, ridge = (score["mase"] for score in scores)
    mean, std = pd.Series(networks).mean(), pd.Series(networks).std()
    rows = [("gru", mean, std, "recurrent", len(networks)), ("ridge", ridge, None, "baseline", 1)]
    return pd.DataFrame(rows, columns=["variant", "mase", "mase_std", "kind", "seeds"])


def crown(board: pd.DataFrame) -> Champion:
    scores = board.set_index("variant")["mase"]
    return Champion(
        job="forecasting",
        data_set="air",
        variant="gru",
        seed=0,
        validation_score=None,
        mean_validation_score=None,
        metric="mase",
        score=scores["gru"],
        seed_score=scores["gru"],
        baseline="ridge",
        baseline_score=scores["ridge"],
        margin=scores["ridge"] - scores["gru"],
        beats_baseline=True,
        p_value=None,
        digests={},
    )


def describe() -> dict:
    return {"name": "air", "source": "air.csv", "sha256": "0123456789" * 6}


def together(*frames: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(frames)


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
            *(
                Node(function, inputs, f"forecasting.{name}", name=name, namespace="forecasting")
                for name, function, inputs in (
                    ("data", describe, None),
                    (
                        "learning_curves",
                        together,
                        [f"forecasting.gru.seed_{seed}.history" for seed in (0, 1)],
                    ),
                    (
                        "leaderboard",
                        rank,
                        [
                            f"forecasting.{one}.scores"
                            for one in ("gru.seed_0", "gru.seed_1", "ridge")
                        ],
                    ),
                    ("champion", crown, "forecasting.leaderboard"),
                )
            ),
        ]
    )


def catalog_in(folder: Path) -> DataCatalog:
    def entry(kind: str, path: str, log: str, **more) -> dict:
        place = {"type": kind, "filepath": str(folder / path), **more}
        return place | {"metadata": {"mlflow": {"log": log}}}

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
            "forecasting.leaderboard": entry(
                "pandas.CSVDataset", "leaderboard.csv", "artifact", save_args={"index": False}
            ),
            "forecasting.learning_curves": entry("pandas.CSVDataset", "curves.csv", ""),
            "forecasting.champion": entry(
                "unrolled.datasets.RecordFile",
                "champion.json",
                "scores",
                record="unrolled.comparison.records.Champion",
            ),
            "forecasting.data": entry("json.JSONDataset", "data.json", "input"),
        }
    )
    catalog["parameters"] = {"series": "air"}
    catalog["params:forecasting.rows"] = {"recurrent": ["gru"], "baseline": ["ridge"]}
    catalog["params:forecasting.gru.model"] = Options()
    for seed in (0, 1):
        catalog[f"params:forecasting.gru.seed_{seed}.seed"] = seed
    return catalog


def run_params(project: Path, run_id: str, **more) -> dict:
    return {"run_id": run_id, "project_path": str(project), "env": "local", **more}


def run(project: Path, pipeline: Pipeline, runner, run_id: str, **more) -> None:
    """What `KedroSession.run` does around a runner."""
    manager = _create_hook_manager()
    for hook in (hooks.TrackingHooks(JOBS), terminal.TerminalHooks(JOBS)):
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
def database(blank, tmp_path_factory) -> Path:
    """One database for all tests: its migrations take seconds. Run ids keep the tests apart."""
    return Path(shutil.copy(blank / "mlflow.db", tmp_path_factory.mktemp("mlflow")))


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
        "forecasting.gru",
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
            "mlflow.parentRunId": runs["forecasting.gru"].info.run_id,
            "variant": "gru",
            "seed": "1",
            "level": "seed",
            "kind": "recurrent",
            "series": "air",
            "kedro.env": "local",
        }.items()
    )
    assert child.data.params == {"model.hidden": "8", "model.cell.bias": "True", "seed": "1"}
    assert child.data.metrics == {"mase": 2.5, "loss": 2.0}
    client = tracking.client_of(uri)
    curve = client.get_metric_history(child.info.run_id, "loss")
    assert [(point.step, point.value) for point in curve] == [(1, 3.0), (2, 2.0), (3, 2.0)]
    artifacts = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert artifacts == {"leaderboard.csv", "champion.json"}
    ridge = runs["forecasting.ridge"].data.tags
    assert ridge["kind"] == "baseline"
    assert "seed" not in ridge
    printed = capsys.readouterr().out
    assert re.search(r"^gru +2 +0\.7071 +recurrent +2$", printed, re.MULTILINE)
    assert "The champion gru beats the best baseline: MASE 2 against 9 of ridge" in printed


@pytest.fixture(scope="module")
def study(database, tmp_path_factory) -> tuple[str, dict]:
    """One run, one node after the other, that several tests look at: where it is, and its runs."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("MLFLOW_TRACKING_URI", tracking.URI_VARIABLE):
            patched.setenv(name, "")
        uri = tracking.choose_uri({"tracking_uri": f"sqlite:///{database}"}, database.parent)
        run(tmp_path_factory.mktemp("study"), job(), SequentialRunner(), "study")
        return uri, runs_of(uri, "study")


def test_the_run_of_a_variant_holds_mean_spread_and_number_of_its_seeds(study):
    _, runs = study
    variant = runs["forecasting.gru"]
    assert variant.data.tags["level"] == "row"
    assert {
        runs[f"forecasting.gru{seed}"].data.tags["mlflow.runColor"] for seed in ("", ".seed_0")
    } == {look("gru", {"recurrent": ["gru"]}).colour}
    assert variant.data.tags["mlflow.parentRunId"] == runs["forecasting"].info.run_id
    scores = {"mase": 2.0, "mase_std": pytest.approx(0.5**0.5), "seeds": 2.0}
    assert variant.data.metrics == scores | {"loss": 1.5}  # the mean curve's last value
    assert variant.data.params == {"model.hidden": "8", "model.cell.bias": "True"}
    seeds = [runs[f"forecasting.gru.seed_{seed}"].info for seed in (0, 1)]
    assert variant.info.start_time == min(seed.start_time for seed in seeds)
    assert variant.info.end_time == max(seed.end_time for seed in seeds)
    ridge = runs["forecasting.ridge"]
    assert ridge.data.metrics == {"mase": 9.0, "seeds": 1.0}
    assert ridge.data.tags["mlflow.parentRunId"] == runs["forecasting"].info.run_id


def test_a_run_lasts_as_long_as_its_training(study):
    _, runs = study
    spans = sorted(
        (found.info.start_time, found.info.end_time)
        for name, found in runs.items()
        if name not in ("forecasting", "forecasting.gru")
    )
    assert len(spans) == 3
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert spans[-1][1] < runs["forecasting"].info.end_time


def test_the_study_can_be_ranked_and_tells_its_leaderboard(study):
    _, runs = study
    parent = runs["forecasting"]
    assert parent.data.metrics == {"mase": 2.0, "mase_best_baseline": 9.0, "margin": 7.0}
    assert parent.data.tags["champion"] == "gru"
    said, table = parent.data.tags["mlflow.note.content"].split("\n\n")
    assert said.startswith("The champion gru beats the best baseline: MASE 2 against 9 of ridge")
    place = f"#/experiments/{parent.info.experiment_id}/runs"
    assert table.splitlines() == [
        "| variant | mase | mase_std | kind | seeds |",
        "| --- | ---: | ---: | --- | ---: |",
        f"| [gru]({place}/{runs['forecasting.gru'].info.run_id}) | 2 | 0.7071 | recurrent | 2 |",
        f"| [ridge]({place}/{runs['forecasting.ridge'].info.run_id}) | 9 | - | baseline | 1 |",
    ]


def test_networks_are_models_that_mlflow_ranks_on_their_data_set(study):
    uri, runs = study
    client = tracking.client_of(uri)
    seeds = {runs[f"forecasting.gru.seed_{seed}"].info.run_id: seed for seed in (0, 1)}
    order = {"field_name": "metrics.mase", "ascending": False, "dataset_name": "air"}
    found = client.search_logged_models([runs["forecasting"].info.experiment_id], order_by=[order])
    ours = [model for model in found if model.source_run_id in seeds]
    assert [seeds[model.source_run_id] for model in ours] == [1, 0]
    assert [model.name for model in ours] == ["gru seed 1", "gru seed 0"]
    assert ours[0].status.value == "READY"
    assert ours[0].params == {"model.hidden": "8", "model.cell.bias": "True", "seed": "1"}
    (score,) = ours[0].metrics
    assert (score.key, score.value, score.dataset_name) == ("mase", 2.5, "air")
    assert describe()["sha256"].startswith(score.dataset_digest)
    points = client.get_metric_history(ours[0].source_run_id, "mase")
    assert [point.value for point in points] == [2.5]


def test_the_experiment_keeps_a_view_of_its_last_study(tmp_path, uri):
    client = tracking.client_of(uri)
    run(tmp_path, job(), SequentialRunner(), "seen")
    study = runs_of(uri, "seen")["forecasting"]
    tags = client.get_experiment(study.info.experiment_id).tags
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    state = json.loads(json.loads(tags["mlflow.sharedViewState.study"])["state"])
    assert state["orderByKey"] == "metrics.`mase`"
    shown = client.search_runs(
        [study.info.experiment_id], state["searchFilter"], order_by=[state["orderByKey"]]
    )
    assert [found.info.run_name for found in shown] == ["gru", "ridge"]
    found = tracking_pages.address(client, "http://127.0.0.1:5000")
    assert found.startswith(
        f"http://127.0.0.1:5000/#/experiments/{study.info.experiment_id}/runs?"
        "workflowType=machine_learning&viewStateShareKey=study"
    )


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
    assert runs["forecasting.gru.seed_1"].data.tags["error"] == error
    client = tracking.client_of(uri)
    assert not client.list_artifacts(runs["forecasting"].info.run_id)
    assert "mlflow.note.content" not in runs["forecasting"].data.tags
    models = client.search_logged_models([runs["forecasting"].info.experiment_id])
    trained = runs["forecasting.gru.seed_0"].info.run_id
    assert [model.name for model in models if model.source_run_id == trained] == ["gru seed 0"]


def test_a_resumed_run_leaves_no_empty_children(tmp_path, uri):
    run(tmp_path, job(), SequentialRunner(), "whole")
    (tmp_path / "gru_seed_1_scores.json").unlink()
    run(tmp_path, job(), SequentialRunner(), "resumed", only_missing_outputs=True)
    # The leaderboard's rows are there, of seeds only the one that had something to do.
    seeds = {name for name in runs_of(uri, "resumed") if "seed" in name}
    assert seeds == {"forecasting.gru.seed_1"}
    for file in tmp_path.iterdir():  # of an earlier run, by more than a file's clock is coarse
        os.utime(file, (0, 0))
    run(tmp_path, job(), SequentialRunner(), "nothing to do", only_missing_outputs=True)
    assert runs_of(uri, "nothing to do") == {}


def work(folder: Path, seed: int, run_id: str) -> None:
    """What a worker of ParallelRunner does: a new hook, its own catalog."""
    node, catalog = contender(seed), catalog_in(folder)
    inputs = {name: catalog.load(name) for name in node.inputs}
    hooks.TrackingHooks(JOBS).before_node_run(node, catalog, run_id)
    for _ in range(5):
        hooks.TrackingHooks(JOBS).after_node_run(node, catalog, inputs, node.run(inputs), run_id)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_find_their_runs_and_write_at_the_same_time(tmp_path, uri, method):
    catalog = catalog_in(tmp_path)
    run_id = f"workers {method}"
    params = run_params(tmp_path, run_id)
    hooks.TrackingHooks(JOBS).before_pipeline_run(params, job(), catalog)
    with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
        for future in [pool.submit(work, tmp_path, seed, run_id) for seed in (0, 1)]:
            future.result()
    hooks.TrackingHooks(JOBS).after_pipeline_run(params, job(), catalog)
    runs = runs_of(uri, run_id)
    assert runs["forecasting.gru.seed_0"].data.metrics["mase"] == 1.5
    assert runs["forecasting.gru.seed_1"].data.metrics["mase"] == 2.5
    assert runs["forecasting.gru.seed_1"].data.params["seed"] == "1"


def test_params_that_two_workers_log_at_the_same_time_are_logged_once(uri):
    """Of two that insert the same row at once the database refuses one, with all that it had."""
    from mlflow.entities import (
        Param,
    )  # here, since it takes seconds that not every worker need wait
    from mlflow.exceptions import MlflowException

    client = tracking.client_of(uri)
    run = client.create_run(client.create_experiment("race")).info.run_id

    class Second:
        def __getattr__(self, name):
            return getattr(client, name)

        def log_batch(self, run_id, **batch):
            if not client.get_run(run_id).data.params:
                client.log_batch(run_id, params=[Param("rows", "[gru]")])
                raise MlflowException("UNIQUE constraint failed: params.key, params.run_uuid")
            client.log_batch(run_id, **batch)

    tracking.log_node(Second(), run, {"rows": "[gru]", "seed": "0"}, [], {})
    assert client.get_run(run).data.params == {"rows": "[gru]", "seed": "0"}


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
    hooks.TrackingHooks(JOBS).before_pipeline_run(params, job(), catalog)
    hooks.TrackingHooks(JOBS).after_pipeline_run(params, job(), catalog)
    assert "no node of forecasting.gru.seed_0 reported" in caplog.text
