"""A cell of one's own: a module in `cells/` and an entry of `variants.yml`, and all else follows."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import unrolled

pytestmark = pytest.mark.slow

CELL = '''
import torch
from torch import Tensor

from unrolled.recurrent.cells.base import RecurrentCell, State
from unrolled.recurrent.description import Carried, Description, Gate, Own


class LeakyCell(RecurrentCell):
    """A leaky unit with a memory beside it.

    g  = tanh(W_g x + U_g h + b_g)      candidate
    k  = σ(W_k x + U_k h + b_k)         keeping gate
    c' = k ⊙ c + (1 - k) ⊙ g            memory
    h' = tanh(c')                       hidden state
    h' = c'                             hidden state, `squashed` false
    """

    described = Description(
        name="leaky",
        gates={"g": Gate("tanh"), "k": Gate("sigmoid")},
        states={"h": Carried(), "c": Carried()},
        keep="k",
        options={"squashed": Own(bool, True, "of the leaky cell", second=False)},
    )

    def gates(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        h, c = state
        g, k = torch.addmm(projected, h, self.weight_hh.t()).chunk(2, dim=1)
        g, k = g.tanh(), torch.special.expit(k)  # a function that nobody has written in numpy
        c = torch.lerp(g, c, k)
        return {"g": g, "k": k, "c": c, "h": c.tanh() if self.own["squashed"] else c}
'''
# What a user does with it besides a run; and what is refused in words.
USED = """
import json, torch
from unrolled.gradients.flow import saturation, spectrum, state_gradients
from unrolled.pipelines.inside import draw_cell
from unrolled.recurrent.language_model import LanguageModel
from unrolled.recurrent.layer import Recurrent
from unrolled.recurrent.options import LanguageOptions, LayerOptions
from unrolled.training.cards import LanguageSpec
from unrolled.training.options import TextTrainOptions
from unrolled.training.text import stepper

layer = Recurrent(LayerOptions(cell="leaky", hidden=6, layers=2, bidirectional=True,
                               forget_bias="chrono", longest_lag=9, init="orthogonal"), 3)
x = torch.randn(7, 4, 3)
layer(x, None, torch.tensor([7, 3, 0, 1]))
own = LanguageOptions(cell="leaky", alternate="gru", layers=2, hidden=6, embedding=4)
net = LanguageModel(own, 9).eval()
step = stepper(net.state_dict(), LanguageSpec(model=own, training=TextTrainOptions(threads=1), seed=0))
ids = torch.tensor([3, 5])
try:
    LayerOptions(squashed=False)
except ValueError as error:
    refused = error.errors()[0]["msg"]
print(json.dumps({
    "followed": list(state_gradients(layer, x, lambda outputs: outputs[-1].sum())),
    "saturated": sorted(set(saturation(layer, x).gate)),
    "eigenvalues": sorted(set(spectrum(layer).gate)),
    "drawn": [text.get_text() for text in draw_cell(LayerOptions(cell="leaky")).axes[0].texts][-1],
    "written": step(ids, None)[0].equal(net.step(ids)[0]),
    "refused": refused,
}))
"""


def test_a_cell_of_ones_own_is_a_module_and_an_entry(project: Path) -> None:
    shutil.copytree(Path(unrolled.__file__).parent, project / "src/unrolled")
    for file, added in (
        ("src/unrolled/recurrent/cells/leaky.py", CELL),
        ("conf/base/parameters/variants.yml", "  leaky: {cell: leaky, squashed: false}\n"),
    ):
        with (project / file).open("a", encoding="utf-8") as opened:
            opened.write(added)

    def call(*command: str) -> str:
        environment = dict(os.environ, PYTHONPATH=str(project / "src"))
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, env=environment, cwd=project
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert json.loads(call("-c", USED)) == {
        "followed": ["h", "c"],
        "saturated": ["g", "k"],
        "eigenvalues": ["g", "k"],
        "drawn": "One step of leaky",
        "written": True,
        "refused": "Value error, squashed false is of cell leaky, but cell is gru; set squashed to"
        " true",
    }
    tiny = "variants=[leaky],seeds=[0],baselines=[ridge],training.epochs=1"
    run = ("-m", "kedro", "run", "--env", "quick")
    call(*run, "--pipelines=forecasting", "--params", tiny)
    board = (project / "data/08_reporting/forecasting/airline/leaderboard.csv").read_text()
    assert "leaky," in board
    call(
        *run, "--pipelines=deploy", "--params", "model=leaky"
    )  # as a graph that forecasts the same
