"""A throw-away copy of the project for tests that run it."""

import os

# Before Kedro and MLflow are imported: their telemetry looks once.
os.environ["DO_NOT_TRACK"] = "true"
os.environ["KEDRO_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from kedro.framework.project import configure_project
from kedro.framework.startup import bootstrap_project

ROOT = Path(__file__).parents[1]

# No test fails because a machine is busy, and every run tries the same examples.
hypothesis.settings.register_profile("project", deadline=None, derandomize=True)
hypothesis.settings.load_profile("project")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The project with its own data folder, as the working directory."""
    folder = tmp_path / "project"
    for name in ("conf", "data/01_raw"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, folder)
    (folder / "src").mkdir()
    monkeypatch.chdir(folder)
    before = dict(os.environ)
    yield folder
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def kedro_run(project: Path) -> Callable[..., Result]:
    """Run `kedro run --env quick` with arguments, in this process; forecasting unless named."""

    def invoke(*arguments: str) -> Result:
        if not any(argument.startswith("--pipelines") for argument in arguments):
            arguments = ("--pipelines=forecasting", *arguments)
        # In this process, where what is printed is caught.
        arguments = ("--runner=SequentialRunner", *arguments)
        from unrolled.cli import run

        bootstrap_project(project)
        configure_project("unrolled")
        return CliRunner().invoke(run, ["--env", "quick", *arguments])

    return invoke


@pytest.fixture
def kedro_process(project: Path) -> Callable[..., None]:
    """The same in a process of its own, which has to succeed, with the runner of `kedro run`."""

    def invoke(*arguments: str) -> None:
        kedro = Path(sys.executable).parent / "kedro"
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
        subprocess.run(
            [kedro, "run", "--env", "quick", *arguments], check=True, env=environment, cwd=project
        )

    return invoke


@pytest.fixture
def write_series(project: Path) -> Callable[..., pd.DataFrame]:
    """Put a monthly series `mine` of 60 rows, changed by the test, where users put theirs."""

    def write(**columns: object) -> pd.DataFrame:
        frame = pd.DataFrame(
            {
                "unique_id": "mine",
                "ds": pd.date_range("2001-01-01", periods=60, freq="MS").strftime("%Y-%m-%d"),
                "y": [10.0 + i + (i % 12) * 2.0 for i in range(60)],
            }
        )
        for name, value in columns.items():
            frame[name] = value
        frame.to_csv(project / "data/01_raw/series/mine.csv", index=False)
        return frame

    return write
