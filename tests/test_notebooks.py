"""The notebooks run from top to bottom on the artifacts of a quick run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from click.testing import Result
from nbclient import NotebookClient
from tests import projects

ROOT = Path(__file__).parents[1]


def pictures_of(name: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a notebook beside the artifacts of `--env quick`, and count the pictures that it shows."""
    monkeypatch.setenv("KEDRO_ENV", "quick")
    shutil.copytree(ROOT / "notebooks", project / "notebooks", dirs_exist_ok=True)
    notebook = nbformat.read(project / "notebooks" / name, as_version=4)
    NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(project / "notebooks")}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.slow
def test_the_notebooks_of_series_and_gru_run_and_draw(
    finished: Callable[..., str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished("--params", projects.SMALL)
    assert pictures_of("series.ipynb", project, monkeypatch) == 5
    assert pictures_of("gru.ipynb", project, monkeypatch) == 5


@pytest.mark.usefixtures("untracked")
@pytest.mark.slow
def test_the_text_notebook_runs_and_draws(
    kedro_run: Callable[..., Result], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = "text.model.hidden=16,text.training.epochs=0.05,text.baselines=[unigram,kneser_ney_2]"
    result = kedro_run("--pipelines=text", "--params", small)
    assert result.exit_code == 0, result.output + str(result.exception)
    assert pictures_of("text.ipynb", project, monkeypatch) == 6


@pytest.mark.usefixtures("untracked")
@pytest.mark.slow
def test_the_gradients_notebook_runs_and_draws(
    kedro_run: Callable[..., Result], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = "gradients.remedies=[none,gru],gradients.lengths=[8],gradients.training.steps=2"
    result = kedro_run("--pipelines=gradients", "--params", small)
    assert result.exit_code == 0, result.output + str(result.exception)
    assert pictures_of("gradients.ipynb", project, monkeypatch) == 6


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.name)
def test_notebooks_are_committed_without_outputs(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    assert cells[0].source == "%load_ext kedro.ipython"
