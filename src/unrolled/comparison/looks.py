"""How each row of a leaderboard looks, in every picture of a run and in MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from unrolled.comparison.champion import MEDIAN

Rows = Mapping[str, Sequence[str]]  # names of the leaderboard's rows by kind, in the study's order

# Ten colours that colour-blind readers tell apart, none of them too light for white paper: Petroff
# (2021), "Accessible color sequences for data visualization", arXiv:2107.02270.
COLOURS = [
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
]

Dash = Literal["solid", "dash", "dashdot", "dot"]


class Look(NamedTuple):
    """How a line is drawn."""

    colour: str = "black"
    dash: Dash = "solid"
    marked: bool = False


BLACK = Look()


def look(name: str, rows: Rows) -> Look:
    """The look of a row of the leaderboard, the same in every picture of a run.

    A network's line is solid, a baseline's dashed; an ensemble has the colour of its variant. Where
    there are more rows than colours, the second ten are marked with dots.

    Args:
        name: of the row.
        rows: names by kind, `recurrent` and `baseline`, in the study's order.

    >>> rows = {"recurrent": ["gru", "bi_gru"], "baseline": ["ridge"]}
    >>> [look(name, rows).dash for name in ("gru", "gru_median", "ridge")]
    ['solid', 'dashdot', 'dash']
    >>> look("bi_gru_median", rows).colour == look("bi_gru", rows).colour == COLOURS[1]
    True
    """
    order = [row for names in rows.values() for row in names]
    own = name if name in order else name.removesuffix(MEDIAN)
    dash: Dash = (
        "dashdot" if own != name else "dash" if own in rows.get("baseline", ()) else "solid"
    )
    at = order.index(own)
    return Look(COLOURS[at % len(COLOURS)], dash, marked=at >= len(COLOURS))
