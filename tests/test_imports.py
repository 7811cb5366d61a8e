"""Who only looks does not wait for what trains, fits, tracks or draws."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# Each takes a part of a second or more to import.
HEAVY = {
    "matplotlib",
    "mlflow",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "plotly",
    "scipy.optimize",
    "scipy.stats",
    "sklearn",
    "statsmodels",
    "torch",
}
KEDRO = """
import json, sys
from kedro.framework.cli import main
try:
    main()
finally:
    json.dump(sorted(sys.modules), sys.stderr)
"""
GRAPH = """
import json, sys
from pathlib import Path
from kedro_viz.server import load_and_populate_data
load_and_populate_data(Path.cwd())
json.dump(sorted(sys.modules), sys.stderr)
"""


def imported(project: Path, *command: str) -> set[str]:
    """The heavy modules that a process of its own has imported at its end."""
    done = subprocess.run(
        [sys.executable, "-c", *command], cwd=project, capture_output=True, text=True, check=True
    )
    return HEAVY & set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.slow
@pytest.mark.parametrize("words", ["registry list", "run --help"])
def test_a_command_that_runs_nothing_imports_nothing_heavy(project: Path, words: str) -> None:
    assert imported(project, KEDRO, *words.split()) == set()


@pytest.mark.slow
def test_a_graph_imports_nothing_heavy_but_plotly(project: Path) -> None:
    # kedro-viz asks the catalog for every dataset, and that of Kedro for Plotly's figures imports it.
    assert imported(project, GRAPH) == {"plotly"}
