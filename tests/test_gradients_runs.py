"""Whole runs of the gradients job: the contract of files, runs in MLflow, resuming, warnings."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result

from unrolled.gradients import remedies
from unrolled.gradients.options import REMEDIES
from unrolled.tracking import client_of

pytestmark = pytest.mark.slow

Run = Callable[..., Result]

SMALL = ",".join(
    f"gradients.{name}"
    for name in (
        "variants=[rnn]",
        "inits=[default]",
        "remedies=[none,gru]",
        "tasks=[adding]",
        "lengths=[6,8]",
        "theory.lags=5",
        "training.steps=2",
        "training.hidden=4",
    )
)
REPORT = Path("data/08_reporting/gradients")
RECORDS = Path("data/07_model_output/gradients")


def run_gradients(kedro_run: Run, *arguments: str, params: str = SMALL) -> Result:
    return kedro_run("--pipelines=gradients", "--params", params, *arguments)


def refused(result: Result, sentence: str) -> None:
    assert result.exit_code == 1
    assert result.output.strip().splitlines()[-1] == f"Error: {sentence}"
    assert "Traceback" not in result.output


def test_a_quick_run_leaves_the_tables_pictures_and_runs_of_the_contract(
    kedro_run: Run, project: Path
) -> None:
    result = kedro_run("--pipelines=gradients")
    assert result.exit_code == 0, result.output + str(result.exception)

    flow = pd.read_csv(REPORT / "flow.csv")
    assert list(flow) == ["variant", "init", "trained", "seed", "lag", "gradient_norm"]
    groups = flow.groupby(["variant", "init", "trained", "seed"])
    assert len(groups) == 2 * 2 * 2
    assert (groups["lag"].max() == 49).all()
    assert (groups["gradient_norm"].first() == 1).all()
    untrained = flow[(flow["variant"] == "rnn") & ~flow["trained"]]
    assert (untrained.loc[untrained["lag"] == 49, "gradient_norm"] < 1e-7).all()

    table = pd.read_csv(REPORT / "remedies.csv")
    assert list(table)[:9] == [
        *("remedy", "task", "length", "seed"),
        *("solved", "diverged", "steps", "loss", "chance"),
    ]
    assert len(table) == 3 * 2 * 2
    assert set(table["length"]) == {20, 50}
    solved = table[(table["remedy"] == "gru") & (table["task"] == "adding")]
    assert solved.loc[solved["length"] == 20, "solved"].all()
    assert not table.loc[table["remedy"] == "none", "solved"].any()

    verdicts = pd.read_csv(REPORT / "verdicts.csv").set_index("remedy")
    for remedy in ("none", "orthogonal", "gru"):
        assert REMEDIES[remedy].title in result.output
    assert verdicts.cures["gru"].startswith("GRU: cures adding (solved 2, ")

    pictures = ("scalar_products", "matrix_products", "flow", "remedies", "losses")
    for path in [REPORT / name for name in pictures] + [REPORT / "rnn/default.inside"]:
        assert path.with_name(f"{path.name}.png").stat().st_size > 10_000
        assert json.loads(path.with_name(f"{path.name}.json").read_text())["data"]
    page = (REPORT / "report.html").read_text()
    assert page.count("<figure>") == len(pictures) + 2
    assert all(REMEDIES[remedy].title in page for remedy in verdicts.index)
    chance = (REPORT / "losses.json").read_text()
    assert "chance 0.167" in chance

    client = client_of(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("gradients")
    runs = client.search_runs([experiment.experiment_id])
    kinds = [found.data.tags["kind"] for found in runs]
    assert {kind: kinds.count(kind) for kind in kinds} == {"parent": 1, "networks": 2, "matrix": 6}
    assert {found.info.status for found in runs} == {"FINISHED"}
    (cell,) = client.search_runs(
        [experiment.experiment_id],
        "tags.remedy = 'gru' AND tags.task = 'adding' AND tags.length = '20'",
    )
    assert cell.info.run_name == "matrix gru adding length 20"
    assert cell.data.metrics["solved"] == 1
    assert cell.data.metrics["chance"] == pytest.approx(1 / 6)
    assert cell.data.params["training.steps"] == "100"
    assert cell.data.params["remedy"] == "gru"


@pytest.mark.usefixtures("untracked")
def test_a_run_that_was_killed_is_resumed_where_it_stood(
    kedro_run: Run,
    finished_elsewhere: Callable[..., Path],
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained: list[tuple[str, int]] = []
    run_cell = remedies.run_cell

    def counted(remedy, task, length, seed, options):
        if len(trained) == 5:
            raise RuntimeError("killed")
        trained.append((remedy, length))
        return run_cell(remedy, task, length, seed, options)

    with monkeypatch.context() as patch:
        patch.setattr(remedies, "run_cell", counted)
        assert run_gradients(kedro_run).exit_code == 1
    assert not (REPORT / "remedies.csv").exists()
    kept = {path: path.stat().st_mtime_ns for path in RECORDS.glob("*/*.csv")}
    assert len(kept) == 2

    trained.clear()
    with monkeypatch.context() as patch:
        patch.setattr(remedies, "run_cell", lambda *cell: trained.append(cell) or run_cell(*cell))
        assert run_gradients(kedro_run, "--only-missing-outputs").exit_code == 0
    assert len(trained) == 2 * 2  # batches, seeds
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    whole = finished_elsewhere("--pipelines=gradients", "--params", SMALL)
    assert (REPORT / "remedies.csv").read_bytes() == (whole / REPORT / "remedies.csv").read_bytes()


@pytest.mark.usefixtures("untracked")
def test_batches_run_side_by_side_give_the_same_bits(
    finished: Callable[..., str], kedro_process: Callable[..., None], project: Path
) -> None:
    found = []
    for run, more in ((finished, ()), (kedro_process, ("--runner", "ParallelRunner"))):
        run("--pipelines=gradients", "--params", SMALL, *more)
        found.append([(REPORT / f"{name}.csv").read_bytes() for name in ("remedies", "flow")])
    assert found[0] == found[1]


@pytest.mark.usefixtures("untracked")
def test_variants_without_recurrent_weights_or_with_two_directions_are_looked_into(
    kedro_run: Run, project: Path
) -> None:
    params = SMALL.replace("variants=[rnn]", "variants=[min_lstm,bi_gru,relu_rnn]")
    result = run_gradients(kedro_run, params=params)
    assert result.exit_code == 0, result.output + str(result.exception)
    flow = pd.read_csv(REPORT / "flow.csv")
    assert dict(zip(flow["variant"], flow["init"], strict=True)) == {
        "min_lstm": "default",
        "bi_gru": "default",
        "relu_rnn": "identity",  # its own
    }


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ("gradients.remedy=[gru]", "parameter 'gradients.remedy' is unknown; did you mean 'remedies'?"),
        (
            "gradients.remedies=[none,gruu]",
            "parameter 'gradients.remedies' lists 'gruu', which is unknown; did you mean 'gru'?",
        ),
        (
            "gradients.remedies=[gru]",
            "parameter 'gradients.remedies' lists 'gru' without 'none', the network that it is"
            " compared with; add 'none'",
        ),
        (
            "gradients.lengths=[50,1]",
            "parameter 'gradients.lengths' lists 1; expected whole numbers from 2 to 100000",
        ),
        (
            "gradients.name=../elsewhere",
            "parameter 'gradients.name' is '../elsewhere'; expected a name of letters, digits, '_',"
            " '-' and '.', since output files bear it",
        ),
        (
            "gradients.variants=[min_gru],gradients.inits=[orthogonal]",
            "parameters under 'variant_options.min_gru': init orthogonal is of recurrent weights,"
            " but cell min_gru has none; choose default, normal or unscaled_normal",
        ),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("untracked")
def test_a_wrong_parameter_of_the_gradients_job_is_named(
    kedro_run: Run, project: Path, params: str, sentence: str
) -> None:
    refused(run_gradients(kedro_run, params=params), sentence)


def test_a_forecaster_with_a_bad_init_is_warned_of_and_a_good_one_is_not(
    kedro_run: Run, project: Path
) -> None:
    small = (
        "variants=[rnn],seeds=[0],baselines=[],training.epochs=3,series_options.airline.lookback=24"
    )
    good = kedro_run("--params", small)
    assert good.exit_code == 0, good.output + str(good.exception)
    assert "gradient norm" not in good.output
    bad = kedro_run("--params", f"{small},variant_options.rnn.init=unscaled_normal")
    assert bad.exit_code == 0, bad.output + str(bad.exception)
    said = " ".join(bad.output.replace("WARNING", "").split())
    assert "rnn seed 0: gradient norm grew " in said
    assert "the first steps drown the last; try init orthogonal or default" in said
    history = pd.read_csv("data/06_models/forecasting/airline/rnn/seed_0.history.csv")
    watched = history[["update_ratio", "saturated_share", "gradient_at_lag"]].notna().all(axis=1)
    assert watched.tolist() == [False, False, True]
    client = client_of(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("forecasting/airline")
    run, _ = client.search_runs([experiment.experiment_id], "tags.seed = '0'")
    assert {"clipped", "update_ratio", "saturated_share", "gradient_at_lag"} <= set(
        run.data.metrics
    )
