"""A cell's structure, read from the equations in its docstring: a graph, and Mermaid of it.

The docstring is what a learner reads beside the code; drawing from it keeps picture and text one.

>>> from unrolled.recurrent.cells import RNNCell
>>> [str(equation) for equation in equations(RNNCell)]
["h' = tanh(W x + U h + b)"]
>>> edges(equations(RNNCell))
[('x', "h'"), ('h', "h'")]
"""

from __future__ import annotations

import inspect
import re
from typing import NamedTuple

from unrolled.recurrent.cells import Cell

# name = right side, then at least three spaces before the words about it
_LINE = re.compile(r"^(?P<name>[a-z]'?)\s*= (?P<right>.+?)(?:\s{3,}(?P<words>.*))?$", re.MULTILINE)
_NAME = re.compile(r"(?<![A-Za-z_])([a-z]'?)(?![A-Za-z_(])")
INPUTS = ("x", "h", "c")


class Equation(NamedTuple):
    """One line of a cell's docstring."""

    name: str
    right: str
    words: str

    def __str__(self) -> str:
        """The equation alone."""
        return f"{self.name} = {self.right}"


def equations(cell: type[Cell], *, reset_after: bool = True) -> list[Equation]:
    """The equations of a cell, in the docstring's order; of the GRU's two candidates the one used."""
    found = [
        Equation(match["name"], match["right"], match["words"] or "")
        for match in _LINE.finditer(inspect.getdoc(cell) or "")
    ]
    candidates = [equation for equation in found if equation.name == "n"]
    if len(candidates) == 2:
        found.remove(candidates[1 if reset_after else 0])
    return found


def edges(found: list[Equation]) -> list[tuple[str, str]]:
    """What each equation reads: pairs (source, target), inputs first."""
    known = [*INPUTS, *(equation.name for equation in found)]
    return [
        (name, equation.name)
        for equation in found
        for name in known
        if name in _NAME.findall(equation.right)
    ]


def columns(found: list[Equation]) -> list[list[str]]:
    """Names by their distance from the inputs, which are the first column: a layout.

    >>> from unrolled.recurrent.cells import LSTMCell
    >>> columns(equations(LSTMCell))
    [['x', 'h', 'c'], ['i', 'f', 'g', 'o'], ["c'"], ["h'"]]
    """
    depth: dict[str, int] = {}
    for source, target in edges(found):
        depth.setdefault(source, 0)
        depth[target] = max(depth.get(target, 0), depth[source] + 1)
    inputs = [name for name in INPUTS if name in depth]
    rows: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for name in [*inputs, *(equation.name for equation in found)]:
        rows[depth[name]].append(name)
    return rows


def mermaid(found: list[Equation]) -> str:
    """The graph in Mermaid's language, left to right."""
    names = [name for column in columns(found) for name in column]
    ids = {name: f"n{number}" for number, name in enumerate(names)}
    right = {equation.name: str(equation) for equation in found}
    lines = [
        f'    {node}["{right[name]}"]' if name in right else f'    {node}(["{name}"])'
        for name, node in ids.items()
    ]
    arrows = [f"    {ids[source]} --> {ids[target]}" for source, target in edges(found)]
    return "\n".join(["flowchart LR", *lines, *arrows])
