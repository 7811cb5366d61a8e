"""Pictures that several jobs draw, and the file in which the PNG of each lies.

Each bears the `protocol` of the run: the data, split and seeds that its numbers come from. Chinese,
Japanese and Korean show in all of them, by a font that comes with a package: where matplotlib's own
font has no glyph, it is taken from there.
"""

from __future__ import annotations

import base64
import io
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import fsspec
import numpy as np
import numpy.typing as npt
import pandas as pd
from kedro.io import AbstractDataset
from kedro_datasets._typing import ImagePreview

from unrolled.comparison.looks import Rows, look
from unrolled.pipelines.charts import Bars, Chart, Line, Map

# Kedro looks up the annotations of nodes before any is run; no picture is drawn until one is.
if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.figure import Figure

    Pictures = tuple[Figure, go.Figure]
else:
    Figure, Pictures = Any, tuple[Any, Any]

SIZE = (9.0, 4.5)  # inches
# Cells of a row of coloured text: a quatrain of seven characters a line, marks and end, is 33.
WIDE_COLUMNS, NARROW_COLUMNS = 33, 72
_VISIBLE = {"\n": "↵", "\t": "→", "": ""}
_MISSING = "〓"  # what printers put where a character is not in the case


def draw(
    title: str,
    protocol: str,
    *rows: Sequence[Chart],
    size: tuple[float, float] = SIZE,
    heights: Sequence[float] | None = None,
) -> Pictures:
    """Draw a grid of charts.

    In the PNG they stand in rows, the charts of a single row on one scale from bottom to top; in the
    interactive picture under one another, column after column, so that narrow screens hold them.

    Args:
        title: what is to be seen.
        protocol: the data, split and seeds that the numbers come from.
        rows: as many charts in each.
        size: of the PNG, inches.
        heights: of the rows, relative to each other.
    """
    from unrolled.pipelines import drawing  # here, since matplotlib and Plotly take a second

    return drawing.draw(title, protocol, rows, size, heights)


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


class PictureFile(AbstractDataset[Figure, bytes]):
    """A picture that is saved as a figure and loaded as the bytes of its PNG file.

    Kedro's own dataset would import pyplot for every graph that is only looked at.
    """

    def __init__(
        self,
        *,
        filepath: str,
        save_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember the local path `filepath`.

        Args:
            filepath: of the PNG.
            save_args: of matplotlib's `savefig`.
            metadata: free for plugins.
        """
        self._filepath, self._save_args = filepath, save_args or {}
        self.metadata = metadata

    def load(self) -> bytes:
        """Read the file whole."""
        return Path(self._filepath).read_bytes()

    def save(self, data: Figure) -> None:
        """Write the picture whole, or leave the old file."""
        data.savefig(drawn := io.BytesIO(), **self._save_args)
        with fsspec.open(self._filepath, "wb") as file:
            file.write(drawn.getvalue())

    def preview(self) -> ImagePreview:
        """The picture as kedro-viz shows it."""
        return ImagePreview(base64.b64encode(self.load()).decode())

    def _exists(self) -> bool:
        return Path(self._filepath).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "save_args": self._save_args}


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
    from unrolled.pipelines.drawing import glyphs  # here, as in `draw`

    return _VISIBLE.get(symbol, symbol if symbol in glyphs() else _MISSING)


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
