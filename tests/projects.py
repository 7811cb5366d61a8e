"""Throw-away copies of the project, runs in them, and work that all tests share."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from click.testing import CliRunner, Result
from filelock import FileLock
from kedro.framework.cli.cli import KedroCLI
from kedro.framework.project import configure_project
from kedro.framework.startup import bootstrap_project

from unrolled.tracking import client_of

ROOT = Path(__file__).parents[1]
# The least that is a study.
TINY = "variants=[gru],seeds=[0],baselines=[ridge],training.epochs=1"
# A study that several tests look at.
SMALL = "variants=[gru,rnn],seeds=[0,1],baselines=[seasonal_naive,ridge],training.epochs=2"


def once(folder: Path, make: Callable[[Path], object]) -> Path:
    """A folder that whoever wants it first makes, and every process of the session then has."""
    done = folder.with_name(f"{folder.name}.done")
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of one that failed
            make(folder)
            done.touch()
    return folder


def make_blank(folder: Path) -> None:
    """The project before any run; of MLflow's database the migrations alone take seconds."""
    for name in ("conf", "data/01_raw"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, folder)
    (folder / "src").mkdir()
    client_of(f"sqlite:///{folder}/mlflow.db")


def copy(source: Path, folder: Path) -> None:
    """Copy a project with its runs, whose files MLflow finds by whole paths."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    places = [
        ("experiments", "artifact_location"),
        ("runs", "artifact_uri"),
        ("logged_models", "artifact_location"),
        ("model_versions", "storage_location"),
    ]
    with closing(sqlite3.connect(folder / "mlflow.db")) as database, database:
        for table, column in places:
            moved = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
            database.execute(moved, (source.as_uri(), folder.as_uri()))


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder; what is changed of the environment is undone."""
    before = Path.cwd(), dict(os.environ)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before[0])
        os.environ.clear()
        os.environ.update(before[1])


def run_in(folder: Path, *arguments: str) -> Result:
    """Call `kedro run --env quick` in a project, in this process."""
    return kedro_in(folder, "run", "--env", "quick", *arguments)


def kedro_in(folder: Path, *words: str) -> Result:
    """Call `kedro` in a project, in this process.

    One node runs after the other unless a runner is named: workers that are forked from a process
    that has run torch wait for its threads in vain.
    """
    if words[0] == "run" and not any(word.startswith("--runner") for word in words):
        words = (*words, "--runner", "SequentialRunner")
    with inside(folder):
        bootstrap_project(folder)
        configure_project("unrolled")
        return CliRunner().invoke(KedroCLI(folder), words)


def succeeded(result: Result) -> Result:
    """The result of a command that has to succeed."""
    assert result.exit_code == 0, result.output + str(result.exception)
    return result
