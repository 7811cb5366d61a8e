"""Pictures that several jobs draw, and the file in which the PNG of each lies.

Each bears the `protocol` of the run: the data, split and seeds that its numbers come from.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from kedro_datasets.matplotlib import MatplotlibDataset
from matplotlib import font_manager, rcParams

from unrolled.pipelines.charts import SIZE, Bars, Chart, Line, Map, Pictures, Rows, draw, look

# Cells of a row of coloured text: a quatrain of seven characters a line, marks and end, is 33.
WIDE_COLUMNS, NARROW_COLUMNS = 33, 72
_VISIBLE = {"\n": "↵", "\t": "→", "": ""}
_MISSING = "〓"  # what printers put where a character is not in the case


def learning_curves(curves: pd.DataFrame, protocol: str, rows: Rows, x: str, y: str) -> Pictures:
    """Validation loss of every variant, and its training loss dotted, mean over seeds."""
    lines = []
    for variant, frame in curves.groupby("variant", sort=False):
        own = look(str(variant), rows)
        for part, drawn, width in (
            ("validation", own, 1.8),
            ("train", own._replace(dash="dot"), 1.2),
        ):
            # Only as far as all seeds went: the mean of those that are left would jump.
            by_seed = frame.pivot_table(index="epoch", columns="seed", values=f"{part}_loss")
            mean = by_seed.dropna().mean(axis=1)
            lines.append(Line(mean.index, mean, f"{variant} {part}", drawn, width))
    return draw("Learning curves (mean over seeds)", protocol, [Chart(x, y, lines, log="y")])


def leaderboard_bars(
    leaderboard: pd.DataFrame, protocol: str, rows: Rows, metric: str, label: str
) -> Pictures:
    """A metric of every row, best on top, with the spread over seeds."""
    board = leaderboard.iloc[::-1]
    bars = Bars(
        board["variant"].tolist(),
        board[metric],
        board[f"{metric}_std"],
        [look(variant, rows) for variant in board["variant"]],
    )
    return draw(
        "Leaderboard (bars: mean over seeds, whiskers: their standard deviation)",
        protocol,
        [Chart(f"{label} (lower is better)", "", [bars])],
        size=(SIZE[0], 1.5 + 0.3 * len(board)),
    )


class PictureFile(MatplotlibDataset):
    """A picture that is saved as a figure and loaded as the bytes of its PNG file."""

    def load(self) -> bytes:
        """Read the file whole."""
        with self._fs.open(str(self._get_load_path()), "rb") as file:
            return bytes(file.read())


class Passage(NamedTuple):
    """A text whose characters are coloured by a number each.

    Attributes:
        title: what the numbers are.
        symbols: N characters; after a newline the next one begins a row.
        values: (N,), NaN for none.
    """

    title: str
    symbols: Sequence[str]
    values: npt.NDArray[np.floating]


def coloured_text(
    passages: Sequence[Passage],
    title: str,
    protocol: str,
    label: str,
    *,
    signed: bool,
    rows: int = 30,
) -> Pictures:
    """Texts under one another, each character on the colour of its value.

    Args:
        passages: one or more texts.
        title: of the picture.
        protocol: what the run was on.
        label: what the colours mean.
        signed: whether 0 is in the middle of the colours.
        rows: rows of each text at most; what follows is left out.
    """
    text = "".join(symbol for passage in passages for symbol in passage.symbols)
    wide = any(unicodedata.east_asian_width(character) in "WF" for character in text)
    columns = WIDE_COLUMNS if wide else NARROW_COLUMNS
    grids = [_grid(passage, columns, rows) for passage in passages]
    highest = max((np.nanmax(np.abs(values), initial=0.0) for _, values in grids), default=0.0)
    height = (SIZE[0] - 1) / columns * (1.1 if wide else 2.1)  # of a row, inches
    charts = [
        Chart(
            "", "", title=passage.title, bare=True,
            items=[
                Map(
                    values, "RdBu_r" if signed else "YlOrRd", -highest if signed else 0.0,
                    highest or 1.0, label, letters, font=72 * height * 0.6,
                )
            ],
        )
        for passage, (letters, values) in zip(passages, grids, strict=True)
    ]  # fmt: skip
    heights = [len(letters) * height + 0.3 for letters, _ in grids]
    return draw(
        title,
        protocol,
        *([chart] for chart in charts),
        size=(SIZE[0], sum(heights) + 1.0),
        heights=heights,
    )


def visible(symbol: str) -> str:
    r"""A character as a picture can show it: a newline as ↵, one that no font has as 〓.

    >>> visible("床"), visible("\n"), visible("\U00020734")
    ('床', '↵', '〓')
    """
    return _VISIBLE.get(symbol, symbol if symbol in _glyphs() else _MISSING)


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[str]:
    """Every character of the fonts in use."""
    paths = [
        font_manager.findfont(font_manager.FontProperties(family=[family]))
        for family in rcParams["font.family"]
    ]
    return frozenset(
        chr(code) for path in paths for code in font_manager.get_font(path).get_charmap()
    )


def _grid(
    passage: Passage, columns: int, rows: int
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.float64]]:
    """Lay a text out in rows: letters as they are shown, and their values, NaN for none."""
    places = []
    row = column = 0
    for symbol in passage.symbols:
        if column == columns:
            row, column = row + 1, 0
        places.append((row, column))
        row, column = (row + 1, 0) if symbol == "\n" else (row, column + bool(symbol))
    used = [place for place, symbol in zip(places, passage.symbols, strict=True) if symbol]
    size = min(rows, 1 + max((row for row, _ in used), default=0))
    letters = np.full((size, columns), "", dtype="<U1")
    values = np.full((size, columns), np.nan)
    for place, symbol, value in zip(places, passage.symbols, passage.values, strict=True):
        if symbol and place[0] < size:
            letters[place], values[place] = visible(symbol), value
    return letters, values
