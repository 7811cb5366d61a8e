"""Make the README's pictures: those of the last run on airline, and a diagram of every cell.

python benchmarks/pictures.py    # after `make run`
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from unrolled.pipelines.inside import CELLS, draw_cell
from unrolled.recurrent.options import LayerOptions

PROJECT = Path(__file__).resolve().parents[1]
REPORT = PROJECT / "data/08_reporting/forecasting/airline"
IMAGES = PROJECT / "docs/images"


def main() -> None:
    """Copy what a run drew, and draw the cells anew."""
    (IMAGES / "cells").mkdir(parents=True, exist_ok=True)
    for name in ("forecast", "leaderboard", "error_by_step", "lstm/seed_0.inside"):
        source = REPORT / f"{name}.png"
        if not source.exists():
            sys.exit(f"{source.relative_to(PROJECT)} is not there; run `make run` first")
        shutil.copyfile(source, IMAGES / f"{Path(name).name.removeprefix('seed_0.')}.png")
    for cell in CELLS:
        draw_cell(LayerOptions(cell=cell)).savefig(IMAGES / "cells" / f"{cell}.png", dpi=100)


if __name__ == "__main__":
    main()
