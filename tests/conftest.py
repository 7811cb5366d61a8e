"""A throw-away copy of the project for tests that run it."""

import os

# Before Kedro and MLflow are imported: their telemetry looks once.
os.environ["DO_NOT_TRACK"] = "true"
os.environ["KEDRO_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import gc
import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pandas as pd
import pytest
import torch
from click.testing import Result
from tests import projects

# What is imported stays, so nobody need look for garbage in it: a fifth of the time of imports.
gc.disable()


def pytest_collection_finish() -> None:
    """Begin to look for garbage, beyond what is there by now."""
    gc.freeze()
    gc.enable()


# The workers share the cores: threads of each would wait for those of the others.
torch.set_num_threads(1)

# No test fails because a machine is busy, and every run tries the same examples.
# They are always the same, so fewer than the usual hundred are seen again, not searched anew.
hypothesis.settings.register_profile("project", deadline=None, derandomize=True, max_examples=40)
hypothesis.settings.load_profile("project")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the whole session, that of each of its workers."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def blank(shared: Path) -> Path:
    """The project before any run, to be copied."""
    return projects.once(shared / "blank", projects.make_blank)


@pytest.fixture
def project(blank: Path, tmp_path: Path) -> Iterator[Path]:
    """The project with its own data folder, as the working directory."""
    folder = tmp_path / "project"
    projects.copy(blank, folder)
    with projects.inside(folder):
        yield folder


@pytest.fixture
def untracked(project: Path) -> None:
    """Leave MLflow out of a run that is looked at for something else: it takes a quarter of the time."""
    (project / "conf/quick/mlflow.yml").write_text("enabled: false\n")


@pytest.fixture(autouse=True)
def own_sys_path() -> Iterator[None]:
    """A served model brings a package `unrolled` of its own, which no later test's worker may find."""
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture
def kedro_run(project: Path) -> Callable[..., Result]:
    """Run `kedro run --env quick` with arguments, in this process; forecasting unless named."""
    return lambda *arguments: projects.run_in(project, *with_pipeline(arguments))


def with_pipeline(arguments: tuple[str, ...]) -> tuple[str, ...]:
    if any(argument.startswith("--pipelines") for argument in arguments):
        return arguments
    return ("--pipelines=forecasting", *arguments)


@pytest.fixture(scope="session")
def finished_elsewhere(shared: Path, blank: Path) -> Callable[..., Path]:
    """A project in which `kedro_run` was called so: once a session, to be read or copied."""

    def find(*arguments: str) -> Path:
        def make(folder: Path) -> None:
            projects.copy(blank, folder)
            done = projects.succeeded(projects.run_in(folder, *with_pipeline(arguments)))
            (folder / "printed.txt").write_text(done.output)

        name = hashlib.sha256("\n".join(arguments).encode()).hexdigest()[:12]
        return projects.once(shared / name, make)

    return find


@pytest.fixture
def finished(project: Path, finished_elsewhere: Callable[..., Path]) -> Callable[..., str]:
    """Leave in the project what `kedro_run` with these arguments leaves; give what it printed."""

    def copy(*arguments: str) -> str:
        source = finished_elsewhere(*arguments)
        projects.copy(source, project)
        return (project / "printed.txt").read_text().replace(str(source), str(project))

    return copy


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
