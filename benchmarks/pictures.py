"""Make the README's pictures: those of the last runs on airline and tang, and a diagram of every cell.

python benchmarks/pictures.py    # after `make run` and `kedro run --pipelines=text --params corpus=tang`
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from unrolled.pipelines.inside import CELLS, draw_cell
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
}


def main() -> None:
    """Copy what a run drew, and draw the cells anew."""
    (IMAGES / "cells").mkdir(parents=True, exist_ok=True)
    for name, place in PICTURES.items():
        source = REPORT / f"{place}.png"
        if not source.exists():
            sys.exit(f"{source.relative_to(PROJECT)} is not there; run that job first")
        shutil.copyfile(source, IMAGES / f"{name}.png")
    for cell in CELLS:
        draw_cell(LayerOptions(cell=cell)).savefig(IMAGES / "cells" / f"{cell}.png", dpi=100)


if __name__ == "__main__":
    main()
