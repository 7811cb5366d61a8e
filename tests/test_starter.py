"""From the wheel to a run: what `pip install`, `unrolled init` and `unrolled run` give."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project

from unrolled import starter
from unrolled.__main__ import main

ROOT = Path(__file__).parents[1]
SMALL = "variants=[gru],seeds=[0],baselines=[ridge,seasonal_naive],training.epochs=2"


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_init_writes_a_project_that_kedro_knows(empty):
    result = CliRunner().invoke(main, ["init"])
    assert result.exit_code == 0, result.output
    assert result.output == (
        "Wrote conf, data/01_raw, Makefile, pyproject.toml, .gitignore, .telemetry."
        " Next: unrolled run, or in seconds: --env quick\n"
    )
    metadata = bootstrap_project(empty)
    assert (metadata.package_name, metadata.source_dir) == ("unrolled", empty)
    assert files_below(empty / "data") == files_below_tracked("data/01_raw", "data")
    assert files_below(empty / "conf") == files_below_tracked("conf", "conf")
    listed = subprocess.run(["make"], capture_output=True, text=True, check=True).stdout
    assert "make run " in listed


def files_below_tracked(folder: str, root: str) -> dict[str, bytes]:
    """What git has, so that neither secrets nor results are given away."""
    listed = subprocess.run(
        ["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return {str(Path(name).relative_to(root)): (ROOT / name).read_bytes() for name in listed}


def test_init_gives_no_secret_away(tmp_path, monkeypatch):
    for name in ("conf/base", "conf/local", "data/01_raw"):
        (tmp_path / "repository" / name).mkdir(parents=True)
    local = tmp_path / "repository/conf/local"
    (local / "credentials.yml").touch()
    (local / ".gitkeep").touch()
    monkeypatch.setattr(starter, "REPOSITORY", tmp_path / "repository")
    (tmp_path / "mine").mkdir()
    starter.write(tmp_path / "mine")
    assert [file.name for file in (tmp_path / "mine/conf/local").iterdir()] == [".gitkeep"]


def test_init_overwrites_nothing(empty):
    (empty / "Makefile").write_text("mine")
    result = CliRunner().invoke(main, ["init"])
    assert result.exit_code == 1
    assert result.output == (
        f"Error: folder '{empty}' has Makefile already, and nothing is overwritten; run unrolled"
        " init in an empty folder\n"
    )
    assert [file.name for file in empty.iterdir()] == ["Makefile"]


def test_run_without_a_project_says_what_to_do(empty):
    result = CliRunner().invoke(main, ["run"])
    assert result.output == (
        f"Error: folder '{empty}' has no conf/base; write one by unrolled init in an empty folder\n"
    )


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]])
def test_help_has_examples_of_this_projects_own_parameters(arguments, project):
    printed = CliRunner().invoke(main, arguments).output
    assert "run --pipelines=forecast --params series=my_sales\n" in printed
    assert '--params "series=my_sales,ds=Month,y=Sales,season=12,horizon=6"\n' in printed


@pytest.mark.slow
def test_the_wheel_runs_in_a_fresh_environment_and_an_empty_folder(tmp_path, empty):
    """No network: what the wheel needs is borrowed from this environment."""
    wheels, fresh = tmp_path / "wheels", tmp_path / "fresh"
    # A clean tree, as a clone is: no build folder of before.
    tree = tmp_path / "tree"
    tree.mkdir()
    copy = f"git ls-files -co --exclude-standard | tar -cT - | tar -xC {tree}"
    subprocess.run(copy, cwd=ROOT, shell=True, check=True)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    built = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", wheels, tree]
    subprocess.run([*pip, *built], check=True)
    (wheel,) = wheels.glob("unrolled-*.whl")
    venv.create(fresh)
    python = fresh / "bin/python"
    own = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    subprocess.run(
        [*pip, "--python", python, "install", "--no-deps", "--no-index", wheel], check=True
    )
    # Its packages alone: the editable install of the project beside them works by a .pth file,
    # which is not read from here.
    Path(own, "borrowed.pth").write_text(sysconfig.get_path("purelib"))

    folder = tmp_path / "empty"
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command: str) -> str:
        done = subprocess.run(
            [fresh / "bin/unrolled", *command],
            cwd=folder, env=environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout

    where = "import unrolled; print(unrolled.__file__)"
    found = subprocess.run(
        [python, "-c", where], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert found.stdout.startswith(own)
    assert run("init").startswith("Wrote conf, data/01_raw, Makefile")
    assert files_below(folder / "conf") == files_below_tracked("conf", "conf")
    assert files_below(folder / "data") == files_below_tracked("data/01_raw", "data")
    printed = run("run", "--env", "quick", "--pipelines=forecasting", "--params", SMALL)
    assert "airline: 144 rows" in printed
    assert (folder / "data/08_reporting/forecasting/airline/leaderboard.csv").exists()
    assert (folder / "mlflow.db").exists()
