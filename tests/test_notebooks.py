"""The notebooks run from top to bottom on the artifacts of a quick run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from click.testing import Result
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_series_notebook_runs_and_draws(
    kedro_run: Callable[..., Result], project: Path
) -> None:
    assert kedro_run("--params", "variants=[gru,rnn],training.epochs=2").exit_code == 0
    shutil.copytree(ROOT / "notebooks", project / "notebooks")
    notebook = nbformat.read(project / "notebooks/series.ipynb", as_version=4)
    NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(project / "notebooks")}}
    ).execute()
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 5


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.name)
def test_notebooks_are_committed_without_outputs(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
