"""Where the parts of a cell's diagram lie, in points from the lower left corner.

The form is that of Olah (2015), "Understanding LSTM networks": a state that is carried on by
products and sums is a straight line on top with these as nodes on it; what is read lies in lanes at
the bottom, that state among it which the step makes anew; the layers stand between, each over its
taps and its equation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from unrolled.pipelines.cell_plan import Plan, Spot, plan
from unrolled.recurrent.diagrams import Equation, Value

Measure = Callable[[str, float, bool], float]
Point = tuple[float, float]

TEXT, SMALL = 10.0, 9.0  # sizes of letters
LEADING = 12.0
NODE = 22.0  # height of a node, width of a round one
PORT = 10.0  # between two wires that enter one side of a node
ROW = 42.0
LANE = 20.0
GAP = 12.0
MARGIN = 8.0
CAPTION = ("round: element by element, × is ⊙", "boxes: layers with weights")  # from the bottom
TITLE = 11.0
WRAP = 18  # letters of an equation in one line beside its layer


class Box(NamedTuple):
    """A node: its centre, its size and what stands in it."""

    value: Value
    x: float
    y: float
    width: float
    height: float


class Wire(NamedTuple):
    """A line from what makes a value to what reads it (None: what follows, beyond the rim).

    `state` is that (or the input) which flows here; `through`: it goes on behind its reader.
    """

    value: Value
    reader: Value | None
    points: tuple[Point, ...]
    state: str = ""
    through: bool = False


class Piece(NamedTuple):
    """A straight part of one or more wires of a value, from the left or from below."""

    value: Value
    state: str
    begin: Point
    end: Point


class Label(NamedTuple):
    """A line of text, and where it begins on its base line."""

    text: str
    x: float
    y: float
    size: float = TEXT
    formula: bool = True


class Diagram(NamedTuple):
    """All parts.

    `pieces` are what of `wires` is to be drawn, `dots` where one branches; then names.
    """

    width: float
    height: float
    boxes: list[Box]
    wires: list[Wire]
    pieces: list[Piece]
    dots: list[Point]
    labels: list[Label]
    states: list[str]
    inputs: list[str]


def layout(found: list[Equation], title: str, measure: Measure) -> Diagram:
    """Lay out the diagram of a cell.

    Args:
        found: the cell's equations.
        title: stands above.
        measure: width of a label's letters in points, given text, size, and whether it is a formula.
    """
    return _Drawing(plan(found), found, title, measure).diagram()


class _Drawing:
    """Where everything is, in points, once columns and rows are known."""

    def __init__(self, plan: Plan, found: list[Equation], title: str, measure: Measure) -> None:
        self.plan, self.title, self.measure = plan, title, measure
        self.found = {equation.name: equation for equation in found}
        self.spots = [spot for column in plan.columns for spot in column]
        self.taps = Counter(value for spot in self.spots for value in spot.taps)
        values = plan.values.values()
        # What is read once comes straight from below; the rest, from the left, by lanes.
        inputs = [v for v in values if self.taps[v] and v.name not in plan.states]
        self.single = [value for value in inputs if self.taps[value] == 1]
        states = [plan.values[name] for name in plan.states]
        self.branches = [v for v in states if v.name in plan.lines and self.taps[v]]
        shared = [value for value in inputs if value not in self.single]
        self.lanes = [*shared, *(v for v in states if v in self.branches or not self._line_of(v))]
        self.notes = {
            spot: _note(self.found[spot.value.name], WRAP)
            for spot in self.spots
            if spot.node and spot.taps and spot.value.weights and spot.value.name in self.found
            if spot.value.name not in plan.exits
        }
        self._find_columns([*self.branches, *shared])
        self._find_heights()

    def _line_of(self, value: Value) -> bool:
        return value.name in self.plan.lines

    def _wide(self, label: Label) -> float:
        return self.measure(label.text, label.size, label.formula)

    def _width(self, spot: Spot) -> float:
        """Of a node."""
        if not spot.node:
            return 0.0
        ports = PORT * max(len(spot.taps), len(spot.ends)) + 12
        letters = self.measure(spot.value.symbol, TEXT, True) + 12
        return max(NODE, ports, letters if len(spot.value.symbol) > 2 else 0.0)

    def _aside(self, spot: Spot) -> float:
        """From a column's middle to the note beside its taps."""
        return (len(spot.taps) - 1) / 2 * PORT + 5

    def _find_columns(self, turning: list[Value]) -> None:
        """Middles of all columns; where what comes from outside turns to its lane."""
        self.begin = MARGIN + GAP
        self.turns = {value: self.begin + GAP * n for n, value in enumerate(turning, 1)}
        self.x: list[float] = []
        x = self.begin + GAP * (len(turning) + 1)
        for column in self.plan.columns:
            before = max(self._width(spot) for spot in column) / 2
            after = [before]
            for spot in column:
                note = self.notes.get(spot, [])
                after += [self._aside(spot) + self._wide(label) for label in note]
                after.append(4 + self._wide(Label(spot.value.name, 0, 0)))
            self.x.append(x + before)
            x += before + max(after) + GAP
        plan = self.plan
        new = {name: plan.outlets[name] for name in plan.level}
        ports = [port for spot in self.spots for _, port in self._ports(spot.taps, spot)]
        if len(new) > 1:
            ports += [self.x[spot.column] for spot in new.values()]
        aside = [self._wide(label) for name in new for label in _note(self.found[name])]
        words = [self._wide(label) for e in self.found.values() for label in _note(e)]
        self.end = max(x, max(ports, default=0.0) + GAP + max(aside, default=0.0), max(words))

    def _find_heights(self) -> None:
        plan = self.plan
        self.enter = MARGIN + LEADING * len(CAPTION) + 18  # where inputs come in
        self.lane = {v: self.enter + 10 + LANE * n for n, v in enumerate(self.lanes)}
        below = max([self.enter, *self.lane.values()]) + 6
        self.note = below + LEADING * max(map(len, self.notes.values()), default=0)
        first = self.note + 4 + NODE / 2
        rows = [spot.row + 1 for spot in self.spots if not spot.line]
        top = first + ROW * max(rows, default=0)
        self.line = {name: top + ROW * n for n, name in enumerate(reversed(plan.lines))}
        self.y = {spot: first + ROW * spot.row for spot in self.spots}
        for name, path in plan.lines.items():
            self.y |= {plan.spots[value]: self.line[name] for value in path}
        self.top = max([*self.y.values(), *self.line.values()]) + NODE / 2 + LEADING + 4
        self.boxes = {
            spot: Box(
                spot.value,
                self.x[spot.column],
                self.y[spot],
                self._width(spot),
                NODE + PORT * max(0, len(spot.left) - 2),
            )
            for spot in self.spots
            if spot.node
        }

    def diagram(self) -> Diagram:
        """All parts in their places."""
        plan, wires, labels = self.plan, list(self._wires()), list(self._labels())
        pieces = _pieces(wires)
        width = max(label.x + self._wide(label) for label in labels) + MARGIN
        height = max(label.y for label in labels) + TITLE + MARGIN
        inputs = [value.name for value in [*self.single, *self.lanes]]
        return Diagram(
            width,
            height,
            list(self.boxes.values()),
            wires,
            pieces,
            _dots(pieces),
            labels,
            plan.states,
            [name for name in inputs if name not in plan.states],
        )

    def _wires(self) -> Iterator[Wire]:
        plan = self.plan
        for name, path in plan.lines.items():
            value, x, y = plan.values[name], self.begin, self.line[name]
            for one in path:
                box = self.boxes[plan.spots[one]]
                yield Wire(value, one, ((x, y), (box.x - box.width / 2, y)), name, through=True)
                value, x = one, box.x + box.width / 2
            yield Wire(value, None, ((x, y), (self.end, y)), name)
        for spot in self.boxes:
            for value, points in self._entries(spot):
                state = plan.roots.get(value, "" if value.reads else value.name)
                yield Wire(value, spot.value, _bent(points), state)
        for name, spot in plan.outlets.items():
            y = self._level(name)
            state = name[:-1] if name[:-1] in plan.states else ""
            x = self.x[spot.column]
            start = [(x, self.y[spot] - NODE / 2)] if spot.node else self._trunk(spot)
            yield Wire(plan.values[name], None, _bent([*start, (x, y), (self.end, y)]), state)

    def _entries(self, spot: Spot) -> Iterator[tuple[Value, list[Point]]]:
        """The wires that enter a spot: their values and ways."""
        x, y = self.x[spot.column], self.y[spot]
        box = self.boxes.get(spot, Box(spot.value, x, y, 0, 0))
        up, aside = box.height / 2, box.width / 2
        for value, port in self._ports(spot.taps, spot):
            yield value, [*self._way(value, port), (port, y - up)]
        for value, port in self._ports(spot.ends, spot):
            line = self.line[self.plan.roots[value]]
            yield value, [(port, line), (port, y + up if line > y else y - up)]
        for number, source in enumerate(spot.left):
            port = y + PORT * ((len(spot.left) - 1) / 2 - number)
            if source.node and source.row == spot.row and not spot.line:  # beside one another
                start = self.boxes[source]
                yield source.value, [(start.x + start.width / 2, port), (x - aside, port)]
            else:
                corner = (self.x[source.column], port)
                yield source.value, [*self._trunk(source), corner, (x - aside, port)]
        if spot.under:
            yield spot.under.value, [*self._trunk(spot.under), (x, y - up)]
        if spot.over:
            yield spot.over.value, [(x, self.y[spot.over] - NODE / 2), (x, y + up)]

    def _trunk(self, spot: Spot) -> list[Point]:
        """The way of a value's wire from where it is made to where it turns up (or down)."""
        if spot.node:
            return [(self.x[spot.column], self.y[spot] + self.boxes[spot].height / 2)]
        if spot.left and spot.left[0].turn is spot:
            box = self.boxes[spot.left[0]]
            return [(box.x + box.width / 2, box.y), (self.x[spot.column], box.y)]
        ((_, points),) = self._entries(spot)
        return points

    def _way(self, value: Value, x: float) -> list[Point]:
        """The way of a state or an input from outside to below x."""
        if value in self.single:
            return [(x, self.enter)]
        lane, turn = self.lane[value], self.turns.get(value, self.begin)
        if value in self.branches:
            line = self.line[value.name]
            return [(self.begin, line), (turn, line), (turn, lane), (x, lane)]
        start = [] if value.name in self.plan.states else [(turn, self.enter)]
        return [*start, (turn, lane), (x, lane)]

    def _level(self, name: str) -> float:
        """The height at which a value leaves."""
        if name[:-1] in self.line:
            return self.line[name[:-1]]
        if name in self.plan.level:
            return self.lane[self.plan.values[name[:-1]]]
        return self.y[self.plan.outlets[name]]

    def _ports(self, read: list[Value], spot: Spot) -> list[tuple[Value, float]]:
        """Where the wires enter, about the column's middle."""
        first = self.x[spot.column] - PORT * (len(read) - 1) / 2
        return [(value, first + PORT * number) for number, value in enumerate(read)]

    def _labels(self) -> Iterator[Label]:
        plan = self.plan
        for spot, note in self.notes.items():
            yield from _under(note, self.x[spot.column] + self._aside(spot), self.note)
        for spot, box in self.boxes.items():
            if not spot.line and spot.value.name not in plan.exits:
                above = NODE / 2 + 4 if spot.taps or not spot.hangs else -NODE / 2 - 10
                aside = 4 + PORT / 2 * max(0, len(spot.ends) - 1)
                yield Label(spot.value.name, box.x + aside, box.y + above)
        for name in plan.states:
            y = self.line.get(name, self.lane.get(plan.values[name], self.enter))
            yield Label(name, MARGIN, y - 3)
        for name in plan.exits:
            yield Label(name, self.end + 4, self._level(name) - 3)
        inputs = [(self.turns[v], v) for v in self.turns if v.name not in plan.states]
        for spot in self.spots:
            inputs += [(x, v) for v, x in self._ports(spot.taps, spot) if v in self.single]
        for x, value in inputs:
            aside = self._wide(Label(value.name, 0, 0)) / 2
            yield Label(value.name, x - aside, self.enter - 10)
        beside, y = {spot.value.name for spot in self.notes}, self.top
        lowest = min(plan.level, key=self._level, default="")  # below the others lies a lane
        for name, equation in reversed(self.found.items()):
            note = _note(equation)
            if name == lowest:
                x = self.end - max(map(self._wide, note))
                yield from _under(note, x, self._level(name) - 2)
            elif name not in beside:
                y += LEADING * len(note)
                yield from _under(note, MARGIN, y)
        for number, line in enumerate(CAPTION):
            yield Label(line, MARGIN, MARGIN + LEADING * number, SMALL, formula=False)
        yield Label(self.title, MARGIN, y + 12, TITLE, formula=False)


def _note(equation: Equation, wrap: int | None = None) -> list[Label]:
    """What a value is called, and its equation, broken before a plus where it is long."""
    lines, depth = [""], 0
    for part in re.split(r"(?= \+ )", str(equation)):
        if wrap and depth < 2 and len(lines[-1] + part) > wrap:
            lines.append("")
        lines[-1] += part
        depth += part.count("(") - part.count(")")
    words = [Label(equation.title, 0, 0, SMALL, formula=False)] if equation.title else []
    return words + [Label(line, 0, 0) for line in lines]


def _under(note: list[Label], x: float, y: float) -> Iterator[Label]:
    """A note's lines, from y downwards."""
    for number, label in enumerate(note, 1):
        yield label._replace(x=x, y=y - LEADING * number + 3)


def _bent(points: list[Point]) -> tuple[Point, ...]:
    """A wire's corners alone: no point twice, none between two others on one line."""
    found: list[Point] = []
    for point in points:
        if len(found) > 1 and any(a == b == c for a, b, c in zip(*found[-2:], point, strict=True)):
            found.pop()
        if not found or point != found[-1]:
            found.append(point)
    return tuple(found)


def _pieces(wires: list[Wire]) -> list[Piece]:
    """All wires in straight pieces between their corners and branches, none of them twice."""
    corners: dict[Value, set[Point]] = {}
    for wire in wires:
        corners.setdefault(wire.value, set()).update(wire.points)
    found = {}
    for wire in wires:
        for (x, y), (x2, y2) in pairwise(wire.points):
            on = [
                point
                for point in sorted(corners[wire.value])
                if min(x, x2) <= point[0] <= max(x, x2) and min(y, y2) <= point[1] <= max(y, y2)
            ]
            found.update({(wire.value, ends): wire.state for ends in pairwise(on)})
    return [Piece(value, state, *ends) for (value, ends), state in found.items()]


def _dots(pieces: list[Piece]) -> list[Point]:
    """Where a wire branches: three pieces of it meet."""
    ends = Counter((piece.value, end) for piece in pieces for end in (piece.begin, piece.end))
    return sorted(point for (_, point), count in ends.items() if count > 2)
