"""The recipes of CONTRIBUTING.md do what they say: their diffs are applied to a copy, and it runs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import unrolled

CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"
# A text whose train part is three symbols, the first of them twice.
TEXT = """
import numpy as np
from unrolled.text.baselines import BASELINES, Task
from unrolled.text.options import CorpusOptions
from unrolled.text.vocabulary import build, encode

known = build(["aab"], boundaries=False)
ids = encode(["aab"], known)
print(*np.exp(-BASELINES["add_one"](Task(ids, ids, ids, {}, known, CorpusOptions()))))
"""


def diffs() -> list[str]:
    return re.findall(r"```diff\n(.*?)```", CONTRIBUTING.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
def test_each_recipe_is_all_that_it_takes(project: Path) -> None:
    shutil.copytree(Path(unrolled.__file__).parent, project / "src/unrolled")
    for diff in diffs():
        subprocess.run(
            ["git", "apply", "--unidiff-zero", "-"], input=diff, text=True, check=True, cwd=project
        )

    def call(*command: str) -> str:
        environment = dict(os.environ, PYTHONPATH=str(project / "src"))
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, env=environment, cwd=project
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    asked = "variants=[wide_gru],seeds=[0],baselines=[two_seasons],transform=arcsinh"
    run = ("-m", "kedro", "run", "--env", "quick", "--pipelines=forecasting", "--params")
    call(*run, f"{asked},training.epochs=1")
    folder = project / "data"
    board = pd.read_csv(folder / "08_reporting/forecasting/airline/leaderboard.csv")
    assert set(board["variant"]) == {"wide_gru", "two_seasons"}
    backtest = pd.read_parquet(folder / "07_model_output/forecasting/airline/backtest.parquet")
    errors = (backtest["y_hat"] - backtest["y"]).groupby(backtest["variant"]).mean()
    np.testing.assert_allclose(board.set_index("variant")["bias"].loc[errors.index], errors)
    scaler = pd.read_csv(folder / "04_feature/forecasting/airline/scaler.csv")
    train = pd.read_parquet(folder / "03_primary/forecasting/airline/panel.parquet")["y"][:84]
    assert abs(scaler["mean"][0] - np.arcsinh(train).mean()) < 0.3  # a logarithm is 0.7 away
    share = [float(one) for one in call("-c", TEXT).split()]
    # Of a, a, b and once more each of <unk>, a and b; nothing is asked of the first.
    np.testing.assert_allclose(share[1:], [3 / 6, 2 / 6])
