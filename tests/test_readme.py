"""The README's commands run; the install step aside, and with as little to train as is possible."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from tests.projects import kedro_in, succeeded

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
LINES = [line.split("  #")[0].strip() for block in BLOCKS for line in block.splitlines()]

VERBS = ("buy", "sell", "wash", "paint", "mend", "find", "draw", "write")
NOUNS = ("bread", "house", "window", "letter", "clock", "garden", "boat", "song")


# What stands in conf/quick/parameters while these tests run; one of them runs what ships.
LEAST = {
    "study": "series: airline\nvariants: [gru]\nseeds: [0]\nbaselines: [ridge, holt_winters]\n",
    "series": "series_options:\n  defaults: {statistical_fits: 1}\n",
    "training": "training: {epochs: 1}\n",
    "gradients": "gradients: {variants: [rnn], inits: [default], remedies: [none, gru],"
    " tasks: [adding], lengths: [6], training: {steps: 2, hidden: 4}}\n",
    "text": "text: {seeds: [0], variants: [gru], baselines: [uniform, kneser_ney_2],"
    " model: {hidden: 16}, training: {epochs: 1, evaluations: 1}}\n"
    "corpus_options: {tang: {training: {epochs: 0.01}, model: {hidden: 16, embedding: 8}}}\n",
}


@pytest.fixture
def least(project: Path, untracked: None) -> Path:
    """The project with as little to train as is possible."""
    for name, written in LEAST.items():
        place = project / f"conf/quick/parameters/{name}.yml"
        assert place.exists()
        place.write_text(written)
    return project


@pytest.fixture
def kedro(project: Path) -> Callable[[list[str]], str]:
    """Run a command of Kedro's: in this process, but for one that trains side by side."""

    def run(words: list[str]) -> str:
        if words[:2] == ["kedro", "run"] and "--env" not in words:
            words = [*words, "--env", "quick"]
        if words != ["kedro", "run", "--env", "quick"] and "--runner" not in words:
            return succeeded(kedro_in(project, *words[1:])).output
        command = [str(Path(sys.executable).parent / words[0]), *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


# These need a champion: test_serving_runs has them.
IN_SERVICE = re.compile(r"--pipelines=(deploy|forecast)( |$)")
COMMANDS = [
    line for line in LINES if line.startswith(".venv/bin/kedro") and not IN_SERVICE.search(line)
]
# A command that another one has more options to.
SHORTER = {line for line in COMMANDS if any(other.startswith(f"{line} ") for other in COMMANDS)}
QUICK = ".venv/bin/kedro run --env quick"


@pytest.mark.slow
def test_the_quick_environment_runs_every_job(kedro: Callable[[list[str]], str]) -> None:
    assert QUICK in COMMANDS
    printed = kedro(["kedro", "run", "--env", "quick"])
    for job in ("forecasting", "text", "gradients"):
        assert f"Report, with plots: data/08_reporting/{job}" in printed


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", [line for line in COMMANDS if line != QUICK and line not in SHORTER]
)
def test_a_kedro_command_of_the_readme_runs(
    kedro: Callable[[list[str]], str], least: Path, project: Path, line: str
) -> None:
    months = pd.date_range("2015-01-01", periods=96, freq="MS").strftime("%Y-%m")
    sales = pd.DataFrame({"Month": months, "Sales": [10.0 + i % 12 + i / 7 for i in range(96)]})
    sales.to_csv(project / "data/01_raw/series/my_sales.csv", index=False)
    notes = "".join(f"To do: {verb} the {noun}.\n" for verb in VERBS for noun in NOUNS)
    (project / "data/01_raw/corpora/my_notes.txt").write_text(notes)
    if "--pipelines=generate" in line:
        small = "corpus=my_notes,text.model.hidden=16,text.baselines=[uniform]"
        kedro(["kedro", "run", "--pipelines=text", "--params", small])
    printed = kedro(shlex.split(line.removeprefix(".venv/bin/")))
    if "--pipelines=generate" in line:
        assert re.search("^To do: .", printed, flags=re.MULTILINE)
    elif " run" in line:
        named = [job for job in ("text", "gradients") if f"--pipelines={job}" in line]
        job = named[0] if named else "forecasting"
        assert f"Report, with plots: data/08_reporting/{job}" in printed


@pytest.mark.slow
def test_make_run_needs_no_second_install_and_prints_the_leaderboard(
    project: Path, least: Path
) -> None:
    (project / "conf/quick/mlflow.yml").unlink()
    plan = subprocess.run(
        ["make", "-n", "run"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    if "pip install" in plan.stdout:
        pytest.skip("the tests run in another environment than that of `make install`")
    (project / "mlflow.db").unlink()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy2(ROOT / name, project)  # with its time, which make compares
    (project / ".venv").symlink_to(ROOT / ".venv")
    done = subprocess.run(
        ["make", "run", "ARGS=--env quick"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "holt_winters" in done.stdout
    assert "kneser_ney" in done.stdout
    assert "make viz" in done.stdout


def test_the_readme_names_every_make_target_that_it_uses() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {line.split()[1] for line in LINES if line.startswith("make ")}
    assert used
    assert used <= targets
