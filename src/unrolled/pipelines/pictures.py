"""What the pictures of all jobs share: PNG for reports, Plotly for kedro-viz.

Each bears the `protocol` of the run: the data, split and seeds that its numbers come from. Chinese,
Japanese and Korean show in all of them, by a font that comes with a package: where matplotlib's own
font has no glyph, it is taken from there.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from kedro_datasets.matplotlib import MatplotlibDataset
from matplotlib import font_manager, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from noto_cjk_sans_otc import FONT_PATH
from plotly.subplots import make_subplots

# Figures are made without pyplot: no global state, safe in threads.
SIZE = (9.0, 4.5)
Pictures = tuple[Figure, go.Figure]

# Not per text: tick labels and legends hold names of variants and data sets as well.
font_manager.fontManager.addfont(FONT_PATH)
rcParams["font.family"] = [*rcParams["font.family"], "Noto Sans CJK SC"]

# Cells of a row of coloured text: a quatrain of seven characters a line, marks and end, is 33.
WIDE_COLUMNS, NARROW_COLUMNS = 33, 72
_VISIBLE = {"\n": "↵", "\t": "→", "": ""}
_MISSING = "〓"  # what printers put where a character is not in the case


def blank(title: str, protocol: str, x: str, y: str) -> tuple[Figure, Axes, go.Figure]:
    """An empty picture of each kind, with title, protocol and labels."""
    figure = Figure(figsize=SIZE, layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots()
    axes.set_title(protocol, fontsize="x-small", color="dimgrey")
    axes.set(xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    interactive = go.Figure()
    interactive.update_layout(
        title=f"{title}<br><sub>{protocol}</sub>", xaxis_title=x, yaxis_title=y
    )
    return figure, axes, interactive


def learning_curves(curves: pd.DataFrame, protocol: str, x: str, y: str) -> Pictures:
    """Validation (line) and training loss (dashed) of every variant, mean over seeds."""
    figure, axes, interactive = blank("Learning curves (mean over seeds)", protocol, x, y)
    for index, (variant, frame) in enumerate(curves.groupby("variant", sort=False)):
        for column, style, dash in (
            ("validation_loss", "-", "solid"),
            ("train_loss", "--", "dash"),
        ):
            name = f"{variant} {column.removesuffix('_loss')}"
            # Only as far as all seeds went: the mean of those that are left would jump.
            by_seed = frame.pivot_table(index="epoch", columns="seed", values=column)
            mean = by_seed.dropna().mean(axis=1)
            axes.plot(mean.index, mean, style, color=f"C{index}", label=name)
            interactive.add_scatter(
                x=mean.index, y=mean, name=name, line={"dash": dash}, mode="lines"
            )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:.3g}")
    axes.yaxis.set_minor_formatter("{x:.3g}")
    interactive.update_yaxes(type="log")
    figure.legend(loc="outside right upper")
    return figure, interactive


def leaderboard_bars(leaderboard: pd.DataFrame, protocol: str, metric: str, label: str) -> Pictures:
    """A metric of every row, best on top, with the spread over seeds."""
    figure, axes, interactive = blank(
        "Leaderboard (bars: mean over seeds, whiskers: their standard deviation)",
        protocol,
        f"{label} (lower is better)",
        "",
    )
    board = leaderboard.iloc[::-1]
    colours = np.where(board["kind"] == "recurrent", "tab:blue", "lightgrey")
    spread = board[f"{metric}_std"].fillna(0.0)
    axes.barh(board["variant"], board[metric], xerr=spread, color=colours)
    interactive.add_bar(
        x=board[metric],
        y=board["variant"],
        orientation="h",
        error_x={"array": spread},
        marker={"color": np.where(board["kind"] == "recurrent", "#1f77b4", "#cccccc")},
    )
    return figure, interactive


class Picture(NamedTuple):
    """A drawn picture: the name of its file, without ending, and its bytes."""

    name: str
    png: bytes


class PictureFile(MatplotlibDataset):
    """A picture that is saved as a figure and loaded as it lies in its PNG file."""

    def load(self) -> Picture:
        """Read the file whole."""
        path = self._get_load_path()
        with self._fs.open(str(path), "rb") as file:
            return Picture(path.stem, file.read())


class Panel(NamedTuple):
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
    panels: Sequence[Panel], title: str, protocol: str, label: str, *, signed: bool, rows: int = 30
) -> Pictures:
    """Texts under one another, each character on the colour of its value.

    Args:
        panels: one or more texts.
        title: of the picture.
        protocol: what the run was on.
        label: what the colours mean.
        signed: whether 0 is in the middle of the colours.
        rows: rows of each text at most; what follows is left out.
    """
    text = "".join(symbol for panel in panels for symbol in panel.symbols)
    wide = any(unicodedata.east_asian_width(character) in "WF" for character in text)
    columns = WIDE_COLUMNS if wide else NARROW_COLUMNS
    grids = [_grid(panel, columns, rows) for panel in panels]
    highest = max((np.nanmax(np.abs(values), initial=0.0) for _, values in grids), default=0.0)
    lowest = -highest if signed else 0.0
    colours = ("RdBu_r", "RdBu_r") if signed else ("YlOrRd", "YlOrRd")
    cell = SIZE[0] / columns  # inches
    height = cell * (1.1 if wide else 2.1)
    sizes = [len(letters) * height for letters, _ in grids]
    figure = Figure(figsize=(SIZE[0], sum(sizes) + 0.4 * len(grids) + 1.4), layout="constrained")
    figure.suptitle(f"{title}\n{protocol}", fontsize="small")
    interactive = make_subplots(
        len(grids), 1, subplot_titles=[panel.title for panel in panels], row_heights=sizes
    )
    interactive.update_layout(
        title=f"{title}<br><sub>{protocol}</sub>", height=80 * figure.get_figheight() + 100
    )
    all_axes = figure.subplots(len(grids), 1, squeeze=False, height_ratios=sizes)[:, 0]
    for row, (panel, (letters, values), axes) in enumerate(
        zip(panels, grids, all_axes, strict=True), start=1
    ):
        axes.set_title(panel.title, fontsize="small", loc="left")
        axes.set_axis_off()
        picture = axes.imshow(
            values, cmap=colours[0], vmin=lowest, vmax=highest or 1.0, aspect="auto"
        )
        for (y, x), letter in np.ndenumerate(letters):
            if letter:
                red, green, blue, _ = picture.to_rgba(values[y, x])
                dark = np.isfinite(values[y, x]) and 0.3 * red + 0.6 * green + 0.1 * blue < 0.5
                axes.text(
                    x, y, letter, ha="center", va="center_baseline", fontsize=72 * height * 0.6,
                    color="white" if dark else "black", parse_math=False,
                )  # fmt: skip
        interactive.add_heatmap(
            z=values, text=letters, texttemplate="%{text}", colorscale=colours[1],
            zmin=lowest, zmax=highest or 1.0, hovertemplate="%{text} %{z:.3g}<extra></extra>",
            showscale=row == 1, colorbar={"title": label}, row=row, col=1,
        )  # fmt: skip
        interactive.update_yaxes(autorange="reversed", visible=False, row=row, col=1)
        interactive.update_xaxes(visible=False, row=row, col=1)
    figure.colorbar(picture, ax=list(all_axes), location="bottom", label=label, aspect=60)
    return figure, interactive


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
    panel: Panel, columns: int, rows: int
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.float64]]:
    """Lay a text out in rows: letters as they are shown, and their values, NaN for none."""
    places = []
    row = column = 0
    for symbol in panel.symbols:
        if column == columns:
            row, column = row + 1, 0
        places.append((row, column))
        row, column = (row + 1, 0) if symbol == "\n" else (row, column + bool(symbol))
    used = [place for place, symbol in zip(places, panel.symbols, strict=True) if symbol]
    size = min(rows, 1 + max((row for row, _ in used), default=0))
    letters = np.full((size, columns), "", dtype="<U1")
    values = np.full((size, columns), np.nan)
    for place, symbol, value in zip(places, panel.symbols, panel.values, strict=True):
        if symbol and place[0] < size:
            letters[place], values[place] = visible(symbol), value
    return letters, values
