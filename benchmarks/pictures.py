"""Make the README's pictures: a diagram of every cell, and those of the last runs on airline and tang.

python benchmarks/pictures.py    # after `make run` and `kedro run --pipelines=text --params corpus=tang`
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from unrolled.pipelines.inside import draw_cell
from unrolled.recurrent.options import LayerOptions

PROJECT = Path(__file__).resolve().parents[1]
REPORT = PROJECT / "data/08_reporting"
IMAGES = PROJECT / "docs/images"
PICTURES = {
    "forecast": "forecasting/airline/forecast",
    "leaderboard": "forecasting/airline/leaderboard",
    "error_by_step": "forecasting/airline/error_by_step",
    "inside": "forecasting/airline/lstm/seed_0.inside",
    "text_units": "text/tang/gru/seed_0.units",
    "flow": "gradients/flow",
}


CELLS = {
    "rnn": LayerOptions(cell="rnn"),
    "lstm": LayerOptions(cell="lstm"),
    "gru": LayerOptions(cell="gru"),
    "gru_reset_before": LayerOptions(cell="gru", manual=True, reset_after=False),
    "min_gru": LayerOptions(cell="min_gru"),
    "min_lstm": LayerOptions(cell="min_lstm"),
}


def main() -> None:
    """Draw the cells, which needs no run, and copy what the runs drew."""
    (IMAGES / "cells").mkdir(parents=True, exist_ok=True)
    for name, options in CELLS.items():
        figure = draw_cell(options)
        figure.savefig(IMAGES / "cells" / f"{name}.png", dpi=150)
        figure.savefig(IMAGES / "cells" / f"{name}.svg", metadata={"Date": None})
    for name, place in PICTURES.items():
        source = REPORT / f"{place}.png"
        if not source.exists():
            sys.exit(f"{source.relative_to(PROJECT)} is not there; run that job first")
        shutil.copyfile(source, IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
