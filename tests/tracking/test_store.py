"""MLflow's database: whole or not there, and never in the place of another."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from unrolled.tracking import client_of
from unrolled.tracking import store as tracking_store

pytestmark = pytest.mark.slow


def test_a_database_is_there_when_a_run_needs_it_and_another_runs_is_left_alone(
    tmp_path: Path,
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    tracking_store.begin(uri)
    tracking_store.wait()
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]
    client_of(uri).create_experiment("kept")
    tracking_store.make(tmp_path / "mlflow.db")
    assert client_of(uri).get_experiment_by_name("kept") is not None
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_a_making_that_is_killed_leaves_no_database(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    making = subprocess.Popen([sys.executable, "-m", "unrolled.tracking.store", str(path)])
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".mlflow.db.*")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    making.send_signal(signal.SIGKILL)
    making.wait()
    assert not path.exists()
    tracking_store.make(path)
    assert [left.name for left in tmp_path.iterdir()] == ["mlflow.db"]
    assert client_of(f"sqlite:///{path}").search_experiments()


def test_what_is_no_new_file_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(tracking_store.subprocess, "Popen", refuse)
    there = tmp_path / "mlflow.db"
    there.touch()
    absent = f"sqlite:///{tmp_path}/absent.db"
    for uri in (
        *("", "http://127.0.0.1:5000", "sqlite://", "sqlite:///:memory:"),
        *(f"sqlite:///{there}", f"{absent}?timeout=10"),
    ):
        tracking_store.begin(uri)
        tracking_store.wait()
