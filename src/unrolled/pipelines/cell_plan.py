"""Which column and row each part of a cell's diagram stands in.

No wire meets a node that is not its own, whatever the equations, since each node has a column and
what enters it from the left a row of its own:

- a wire leaves its node upwards, in the node's column, turns in the row of the node that reads it,
  and enters that from the left;
- a node that has nothing to read from the lanes stands in the column of what it reads last, above
  it (so the wire between them is straight); if others read that value too, they lie below;
- what reads a line's end hangs below it, and so does the one that reads the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from unrolled.recurrent.diagrams import Equation, Value, graph


def plan(found: list[Equation]) -> Plan:
    """Plan the diagram of a cell."""
    try:
        return Plan(found, stack_shared=True)
    except CycleError:
        return Plan(found, stack_shared=False)


@dataclass(eq=False)
class Spot:
    """The place of a node, or of a bend of a value's wire."""

    value: Value
    node: bool = True
    column: int = 0
    row: int = 0
    line: bool = False  # on the line of a state
    taps: list[Value] = field(default_factory=list)  # read from the lanes below
    ends: list[Value] = field(default_factory=list)  # read from the lines above
    left: list[Spot] = field(default_factory=list)
    under: Spot | None = None  # read straight from below
    over: Spot | None = None  # read straight from above
    turn: Spot | None = None  # to its right, where its wire turns upwards

    @property
    def hangs(self) -> bool:
        """Its top is taken, so that its wire leaves elsewhere."""
        return self.node and (bool(self.ends) or self.over is not None)


class Plan:
    """Which column and row everything stands in.

    Attributes:
        values: all of the step, by name.
        states: names of those that the cell carries on.
        exits: names of what leaves the cell, in the equations' order.
        lines: of each state that products and sums carry on, the nodes on its line.
        roots: the last node of each line, with the state's name.
        columns: from the left; of each what stands in it, from the bottom.
        spots: the place of each node.
        outlets: where the wires of all other exits turn to their height.
        level: those of them that leave at the height of the old state.
    """

    def __init__(self, found: list[Equation], *, stack_shared: bool) -> None:
        """Place everything; `stack_shared` lets a reader stand above a value with several.

        Raises:
            CycleError: not all that would stand above what others read too can do so.
        """
        self.values = graph(found)
        self.stack_shared = stack_shared
        self.columns: list[list[Spot]] = []  # of each: from the bottom to the top
        self.spots: dict[Value, Spot] = {}
        after = [equation.name for equation in found]
        self.states = [name for name in self.values if f"{name}'" in after]
        read = {one for value in self.values.values() for one in _needed(value) if one is not value}
        self.exits = [name for name in after if name.endswith("'") or self.values[name] not in read]
        self.used = {one for name in self.exits for one in _needed(self.values[name])}
        self.uses = Counter(one for value in self.used for one in value.reads)
        self.uses.update(self.values[name] for name in self.exits)
        paths = {name: self._path(name) for name in self.states}
        self.lines = {name: path for name, path in paths.items() if path is not None}
        self.roots = {path[-1]: name for name, path in self.lines.items() if path}
        for name in self.exits:
            if name.removesuffix("'") in self.lines:
                self._place_line(name.removesuffix("'"))
            elif self.values[name].reads:
                self._place(self.values[name])
        # Those that only pass an input on come first: they prolong its lane.
        leave = [name for name in self.exits if name[:-1] not in self.lines]
        leave.sort(key=lambda name: bool(self.values[name].reads))
        self.outlets: dict[str, Spot] = {}
        for name in leave:
            self.outlets[name] = self._outlet(name)
        # The new state leaves on the lane of the old one, where that has ended.
        self.level = {
            name
            for name, spot in self.outlets.items()
            if name[:-1] in self.states and self._lane_end(name[:-1]) < spot.column
        }
        self._find_rows()

    def _path(self, name: str) -> list[Value] | None:
        """The products and sums that carry a state on, from the old one to the new."""
        state, root = self.values[name], self.values[f"{name}'"]

        def carried(value: Value) -> list[Value] | None:
            if value is state:
                return []
            for read in value.reads if value.symbol in "⊙+" else ():
                path = carried(read)
                if path is not None and (read is state or self.uses[read] == 1):
                    return [*path, value]
            return None

        if root.weights and state in root.reads and not any(read.reads for read in root.reads):
            return [root]
        return carried(root)

    def _spot(self, value: Value, *, line: Value | None = None) -> tuple[Spot, list[Spot]]:
        """A spot that knows what it reads from lanes and lines, and the places of the rest."""
        spot, sources = Spot(value, line=line is not None), []
        for read in value.reads:
            if read is line:
                continue
            if not read.reads:
                spot.taps.append(read)
            elif read in self.roots:
                spot.ends.append(read)
            else:
                sources.append(self._place(read))
        return spot, sources

    def _place(self, value: Value) -> Spot:
        if value in self.spots or value in self.roots:
            return self.spots[value]
        spot, sources = self._spot(value)
        hooks = [one for one in sources if one.hangs and not one.turn and not spot.ends]
        columns = [(one.turn or one).column for one in sources if one not in hooks]
        lone = len(hooks) == 1 and self.uses[hooks[0].value] == 1
        if lone and max(columns, default=-1) < hooks[0].column:
            spot.over = hooks[0]
            spot.column = spot.over.column
            self.columns[spot.column].insert(0, spot)
        sources = [self._upward(one) for one in sources if one is not spot.over]
        last = max(sources, key=lambda one: one.column, default=None)
        if spot.over or spot.taps or spot.ends or last is None or not self._bears(last, value):
            self._new_column(spot)
        else:
            self._stack(spot, last)
        spot.left = [one for one in sources if one is not spot.under]
        self.spots[value] = spot
        if spot.hangs and spot.taps:  # nothing can hang below it
            self._upward(spot)
        return spot

    def _bears(self, below: Spot, value: Value) -> bool:
        """Whether a value can stand above one that it reads."""
        if self.columns[below.column][-1] is not below or below.line:
            return False
        others = [one for one in self.used if below.value in one.reads and one is not value]
        alone = self.uses[below.value] == 1
        return alone or (self.stack_shared and not any(value in _needed(one) for one in others))

    def _place_line(self, name: str) -> None:
        before, column = self.values[name], -1
        for value in self.lines[name]:
            spot, sources = self._spot(value, line=before)
            if not sources:
                self._new_column(spot)
            else:
                below = self._upward(sources[0])
                top = self.columns[below.column][-1]
                if spot.taps or spot.ends or below.column <= column or top is not below or top.line:
                    below = self._bend(below)
                self._stack(spot, below)
            self.spots[value] = spot
            before, column = value, spot.column

    def _outlet(self, name: str) -> Spot:
        """Where the wire of a value that leaves the cell turns to its lane."""
        value = self.values[name]
        if value not in self.spots or value in self.roots:
            bend = Spot(value, node=False)
            (bend.ends if value in self.roots else bend.taps).append(value)
            self._new_column(bend)
            return bend
        spot = self.spots[value]
        lonely = spot.hangs and not spot.taps and self.uses[value] == 1
        if lonely and name[:-1] in self.states and self._lane_end(name[:-1]) < spot.column:
            return spot
        return self._bend(self._upward(spot))

    def _lane_end(self, state: str) -> int:
        """The last column that reads the old state from below."""
        value = self.values[state]
        spots = [spot for column in self.columns for spot in column]
        return max((spot.column for spot in spots if value in spot.taps), default=-1)

    def _upward(self, spot: Spot) -> Spot:
        """The spot from which a value's wire goes up."""
        if spot.hangs and spot.turn is None:
            spot.turn = self._bend(spot)
        return spot.turn or spot

    def _bend(self, source: Spot) -> Spot:
        bend = Spot(source.value, node=False, left=[source])
        self._new_column(bend)
        return bend

    def _new_column(self, spot: Spot) -> None:
        if spot.over is None:
            spot.column = len(self.columns)
            self.columns.append([spot])

    def _stack(self, spot: Spot, below: Spot) -> None:
        spot.under, spot.column = below, below.column
        self.columns[below.column].append(spot)

    def _find_rows(self) -> None:
        """Give each spot below the lines the lowest row that is above what it reads and free."""
        spots = [spot for column in self.columns for spot in column if not spot.line]
        hung = {spot.over: spot for spot in spots if spot.over}
        lower: dict[Spot, list[Spot]] = {}  # what must be in a lower row
        for spot in spots:
            aside = [one for one in spots if spot.under in one.left] if spot.under else []
            lower[spot] = [*filter(None, (spot.under, hung.get(spot))), *aside]
        order = TopologicalSorter({spot: [*lower[spot], *spot.left] for spot in spots})
        settled: list[Spot] = []
        for spot in order.static_order():
            if spot.left and spot.left[0].turn is spot:
                spot.row = spot.left[0].row
                continue
            several = len(spot.left) > 1  # then no wire enters at its middle
            rows = [one.row + 1 for one in lower[spot]] + [one.row + several for one in spot.left]
            spot.row = max(rows, default=0)
            while any(self._meet(one, spot) for one in settled):
                spot.row += 1
            settled.append(spot)

    def _meet(self, one: Spot, other: Spot) -> bool:
        """Whether two spots in one row, or the wires that enter them, would touch."""
        (begin, end), (start, stop) = self._reach(one), self._reach(other)
        feeds = end == start and (one in other.left or one.turn in other.left)
        return one.row == other.row and begin <= stop and start <= end and not feeds

    def _reach(self, spot: Spot) -> tuple[int, int]:
        """First and last column of a spot with the wires that enter it, or leave for the rim."""
        last = spot.turn.column if spot.turn else spot.column
        if any(one is spot and name not in self.level for name, one in self.outlets.items()):
            last = len(self.columns)
        return min([spot.column, *(one.column for one in spot.left)]), last


def _needed(value: Value) -> Iterator[Value]:
    """A value and all that it is computed from."""
    yield value
    for read in value.reads:
        yield from _needed(read)
