"""What a run shows its readers: report, card and champion, MLflow's own pages, in a real browser."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pandas as pd
import pytest
from click.testing import Result
from tests.browser import browser, mlflow_server, needs_chromium
from tests.projects import succeeded

from unrolled.tracking import client_of
from unrolled.tracking.pages import address

Run = Callable[..., Result]
Finished = Callable[..., str]

SMALL = "variants=[rnn,gru,lstm],seeds=[0],baselines=[seasonal_naive,ridge],training.epochs=2"
TEXT = "corpus=tutorial,text.variants=[gru],text.training.epochs=3"
MODELS = Path("data/06_models/forecasting/airline")
REPORT = Path("data/08_reporting/forecasting/airline")

pytestmark = pytest.mark.slow


def test_champion_and_card_tell_what_the_files_say(finished: Finished) -> None:
    printed = finished("--params", SMALL)
    champion = json.loads((MODELS / "champion.json").read_text())
    rows = pd.read_csv(REPORT / "leaderboard.csv").set_index("variant")
    rehearsed = rows.loc[rows["kind"] == "recurrent", "validation_mase"]
    assert champion["variant"] == rehearsed.idxmin()
    board = rows["mase"]
    assert champion["score"] == champion["seed_score"] == pytest.approx(board[champion["variant"]])
    assert champion["margin"] == pytest.approx(board[champion["baseline"]] - champion["score"])
    weights = MODELS / champion["variant"] / "seed_0.safetensors"
    scaler = Path("data/04_feature/forecasting/airline/scaler.csv")
    files = {"model": weights, "options": weights.with_suffix(".json"), "scaler": scaler}
    assert champion["digests"] == {
        kind: hashlib.sha256(path.read_bytes()).hexdigest() for kind, path in files.items()
    }

    card = (REPORT / "card.md").read_text()
    beats = "beats" if champion["margin"] > 0 else "does not beat"
    sentence = f"The champion {champion['variant']} {beats} the best baseline: MASE"
    assert sentence in card.splitlines()[2]
    assert sentence in printed
    assert "BSD-3-Clause" in card
    assert all(digest in card for digest in champion["digests"].values())
    snippet = re.search(r"```python\n(.*?)```", card, re.DOTALL)
    assert snippet is not None
    exec(snippet[1], {})


def test_the_card_of_a_language_model_loads_it(kedro_run: Run) -> None:
    succeeded(kedro_run("--pipelines=text", "--params", TEXT))
    card = Path("data/08_reporting/text/tutorial/card.md").read_text()
    raw = Path("data/01_raw/corpora/tutorial.txt").read_bytes()
    assert hashlib.sha256(raw).hexdigest() in card
    assert "| licence | not stated |" in card
    snippet = re.search(r"```python\n(.*?)```", card, re.DOTALL)
    assert snippet is not None
    exec(snippet[1], {})
    champion = json.loads(Path("data/06_models/text/tutorial/champion.json").read_text())
    known = Path("data/04_feature/text/tutorial/vocabulary.json").read_bytes()
    assert champion["digests"]["vocabulary"] == hashlib.sha256(known).hexdigest()
    assert champion["digests"]["vocabulary"] in card
    assert champion["p_value"] is None  # a text of few blocks tests nothing


@needs_chromium
def test_the_report_opens_from_disk_and_mlflow_compares_three_runs(
    finished: Finished, project: Path, tmp_path: Path
) -> None:
    finished("--params", SMALL)
    client = client_of(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("forecasting/airline")
    runs = client.search_runs([experiment.experiment_id])
    parent = next(run for run in runs if run.data.tags["kind"] == "parent")
    artifacts = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert {"report.html", "card.md", "champion.json", "leaderboard.csv"} <= artifacts
    inputs = parent.inputs.dataset_inputs
    assert [found.dataset.name for found in inputs] == ["airline"]
    data = json.loads((REPORT / "data.json").read_text())
    assert data["sha256"].startswith(inputs[0].dataset.digest)
    three = {run.info.run_name: run.info.run_id for run in runs if run.data.tags["level"] == "seed"}
    assert set(three) == {"rnn seed 0", "gru seed 0", "lstm seed 0"}

    with browser(tmp_path / "profile") as page:
        page.open((project / REPORT / "report.html").as_uri())
        page.wait("document.readyState == 'complete'")
        board = pd.read_csv(REPORT / "leaderboard.csv")
        rows = page.ask(
            "[...document.querySelectorAll('.leaderboard tbody th')].map(e => e.innerText)"
        )
        assert rows == board["variant"].tolist()
        shown = page.ask("[...document.images].map(image => image.naturalWidth)")
        assert isinstance(shown, list)
        assert len(shown) == len(list(REPORT.rglob("*.png")))
        assert min(shown) > 200
        assert (
            page.ask(
                "performance.getEntriesByType('resource').filter(r => !r.name.startsWith('data:')).length"
            )
            == 0
        )
        for word in ("the best baseline: MASE", data["sha256"], "BSD-3-Clause", "torch"):
            assert word in page.text()
        assert page.errors == []

        with mlflow_server(project) as url:
            asked = {
                "runs": json.dumps(list(three.values())),
                "experiments": json.dumps([experiment.experiment_id]),
            }
            page.open(f"{url}/#/compare-runs?{urlencode(asked)}")
            page.wait("document.body.innerText.includes('Comparing 3 Runs')")
            page.wait("document.querySelectorAll('input[role=combobox]').length > 1")
            # The plot opens with what differs between the runs; its cost is three words away.
            page.ask("document.querySelectorAll('input[role=combobox]')[1].focus()")
            page.press("Backspace", 8)
            for metric in ("mase", "train_seconds", "parameters"):
                page.type(metric)
                page.wait(
                    f"[...document.querySelectorAll('[role=option], [class*=option-content]')].some(e => e.innerText == '{metric}')"
                )
                page.press("Enter", 13)
            axes = "[...document.querySelectorAll('.axis-title')].map(e => e.textContent)"
            page.wait(f"{axes}.length >= 5")
            drawn = page.ask(axes)
            assert isinstance(drawn, list)
            assert {"variant", "mase", "train_seconds", "parameters"} <= set(drawn)
            for name in three:
                assert name in page.text()

            # What `make ui` names: the leaderboard's rows in its order, beside their charts, which
            # MLflow draws when they are in view.
            page.resize(1440, 900)
            page.open(address(client, url))
            page.wait("document.body.innerText.includes('matching runs')", 120)
            bars = "[...document.querySelectorAll('.bars .point path')].map(e => e.style.fill)"
            page.wait(f"{bars}.length > 1", 120)
            named = page.ask(
                "[...document.querySelectorAll('a')].filter(a => a.href.includes('/runs/'))"
                ".map(a => a.innerText)"
            )
            assert named == board["variant"].tolist()
            assert "Training runs" not in page.text()  # of MLflow's other half, for prompts
            drawn = page.ask(bars)
            assert isinstance(drawn, list)
            assert len(set(drawn)) == len(board)  # each row has its colour
            page.open(
                f"{url}/#/experiments/{experiment.experiment_id}/models?workflowType=machine_learning"
            )
            page.wait("document.body.innerText.includes('lstm seed 0')", 120)
