"""Diagrams of cells: wires stay clear of what is not theirs, for every cell and any other."""

from __future__ import annotations

import base64
from itertools import combinations, pairwise
from textwrap import dedent

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from unrolled.pipelines.cell_drawing import cell_equations, draw_equations, text_width
from unrolled.pipelines.cell_layout import MARGIN, Diagram, layout
from unrolled.pipelines.inside import draw_cell, plot_inside, preview_cell
from unrolled.recurrent.description import descriptions
from unrolled.recurrent.diagrams import Equation, equations
from unrolled.recurrent.options import LayerOptions, ModelOptions

OPTIONS = {
    **{name: LayerOptions(cell=name) for name in descriptions()},
    "relu": LayerOptions(cell="rnn", nonlinearity="relu"),
    "gru_before": LayerOptions(cell="gru", manual=True, reset_after=False),
}
every_cell = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)

# What a reader may bring: peepholes, coupled gates, two lines, a memory that feeds the state, ...
OTHERS = {
    "peephole": """
        i = σ(W_i x + U_i h + V_i c + b_i)   input gate
        f = σ(W_f x + U_f h + V_f c + b_f)   forget gate
        g = tanh(W_g x + U_g h + b_g)
        c' = f ⊙ c + i ⊙ g                   cell state
        o = σ(W_o x + U_o h + V_o c' + b_o)   output gate
        h' = o ⊙ tanh(c')                    hidden state""",
    "coupled": """
        f = σ(W_f x + U_f h + b_f)   forget gate
        c' = f ⊙ c + (1 - f) ⊙ tanh(W x + U h + b)
        h' = tanh(c')""",
    "residual": "h' = h + tanh(W x + U h + b)   hidden state",
    "leaky": """
        a = σ(b_a)
        h' = (1 - a) ⊙ h + a ⊙ tanh(W x + U h + b)""",
    "two lines": """
        z = σ(W_z x + U_z s + b_z)   update gate
        m' = z ⊙ m + (1 - z) ⊙ tanh(W_m x + b_m)
        s' = s + z ⊙ m'
        y = W_y s' + b_y             output""",
    "output": """
        h' = tanh(W x + U h + b)     hidden state
        y = softmax(V h' + d)        output""",
    "multiplicative": """
        m = (W_m x) ⊙ (U_m h)        intermediate state
        h' = tanh(W x + V m + b)     hidden state""",
    "swapped": "h' = c\nc' = h + x",
    "exchanged": "h' = c\nc' = h",
    "passed on": "h' = x\nc' = h",
    # Both gates are read twice, and not both can have a reader straight above them.
    "clash": """
        y = σ(W x + b)
        z = σ(U h + b)
        h' = h + (y ⊙ z + (1 - y) ⊙ z)""",
}


def equations_of(text: str) -> list[Equation]:
    return equations(type("Anything", (), {"__doc__": "A cell.\n\n" + dedent(text).strip()}))


def touches(segment, box, inset=0.5) -> bool:
    """Whether a segment along an axis has a part inside a rectangle."""
    (x, y), (x2, y2) = segment
    left, right, low, high = box
    return (
        max(x, x2) > left + inset
        and min(x, x2) < right - inset
        and max(y, y2) > low + inset
        and min(y, y2) < high - inset
    )


def rectangle(box) -> tuple[float, float, float, float]:
    return (
        box.x - box.width / 2,
        box.x + box.width / 2,
        box.y - box.height / 2,
        box.y + box.height / 2,
    )


def on_rim(point, box) -> bool:
    (x, y), (left, right, low, high) = point, rectangle(box)
    inside = left - 1e-6 <= x <= right + 1e-6 and low - 1e-6 <= y <= high + 1e-6
    return inside and (min(abs(x - left), abs(x - right), abs(y - low), abs(y - high)) < 1e-6)


def segments_of(diagram: Diagram):
    return [(wire, ends) for wire in diagram.wires for ends in pairwise(wire.points)]


def check(diagram: Diagram, found: list[Equation]) -> None:
    """All laws that hold without looking at letters."""
    boxes = {box.value: box for box in diagram.boxes}
    assert len(boxes) == len(diagram.boxes)
    for one, other in combinations(diagram.boxes, 2):
        a, b = rectangle(one), rectangle(other)
        assert a[1] < b[0] or b[1] < a[0] or a[3] < b[2] or b[3] < a[2], (one, other)
    for wire, ends in segments_of(diagram):
        assert ends[0][0] == ends[1][0] or ends[0][1] == ends[1][1], f"{wire} is not along an axis"
        for box in diagram.boxes:
            assert not touches(ends, rectangle(box), 0), f"{wire} runs through {box}"
    # Wires of two values may cross, but not lie on one another.
    for (one, (a, b)), (other, (c, d)) in combinations(segments_of(diagram), 2):
        for axis in (0, 1):
            flat = {point[1 - axis] for point in (a, b, c, d)}
            low = max(min(a[axis], b[axis]), min(c[axis], d[axis]))
            high = min(max(a[axis], b[axis]), max(c[axis], d[axis]))
            assert one.value is other.value or len(flat) > 1 or high <= low, (one, other)
    # Every wire ends at what reads it, and every value arrives wherever it is read.
    for wire in diagram.wires:
        assert wire.reader is None or on_rim(wire.points[-1], boxes[wire.reader]), wire
    drawn = {(wire.value.name or wire.value, wire.reader) for wire in diagram.wires}
    for value in boxes:
        for read in value.reads:
            assert (read.name or read, value) in drawn, f"{read} does not arrive at {value}"
    assert {wire.state for wire in diagram.wires if not wire.reader} >= set(diagram.states)
    assert {f"{state}'" for state in diagram.states} <= {equation.name for equation in found}
    assert all(0 <= x <= diagram.width and 0 <= y <= diagram.height
               for wire in diagram.wires for x, y in wire.points)  # fmt: skip


def check_letters(figure, diagram: Diagram) -> None:
    """No text lies on a line or box that is not its own, on another text, or beyond the rim."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    (axes,) = figure.axes
    back = axes.transData.inverted()
    extents = [
        (text.get_text(), text.get_window_extent(renderer).transformed(back)) for text in axes.texts
    ]
    in_boxes, labels = extents[: len(diagram.boxes)], extents[len(diagram.boxes) :]
    for (text, e), box in zip(in_boxes, diagram.boxes, strict=True):
        left, right, low, high = rectangle(box)
        assert left < e.x0, text
        assert e.x1 < right, text
        assert low < e.y0, text
        assert e.y1 < high, text
    for text, e in labels:
        where = (e.x0, e.x1, e.y0, e.y1)
        assert e.x0 >= MARGIN / 2, text
        assert e.x1 <= diagram.width, text
        assert e.y1 <= diagram.height, text
        assert e.y0 >= 0, text
        for wire, ends in segments_of(diagram):
            assert not touches(ends, where, 0), f"{wire} runs through '{text}'"
        for box in diagram.boxes:
            left, right, low, high = rectangle(box)
            assert e.x1 < left or right < e.x0 or e.y1 < low or high < e.y0, (text, box)
    for (one, a), (other, b) in combinations(labels, 2):
        if one and other:
            assert a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1, (
                one,
                other,
            )


@every_cell
def test_no_wire_of_a_cell_runs_through_a_box_or_a_text(options):
    found = cell_equations(options)
    diagram = layout(found, "title", text_width)
    check(diagram, found)
    check_letters(draw_equations(found, "title"), diagram)


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_no_wire_of_a_cell_that_somebody_brings_runs_through_a_box_or_a_text(text):
    found = equations_of(text)
    diagram = layout(found, "title", text_width)
    check(diagram, found)
    check_letters(draw_equations(found, "title"), diagram)


@every_cell
def test_a_state_is_one_height_from_left_to_right(options):
    diagram = layout(cell_equations(options), "title", text_width)
    for state in diagram.states:
        own = [wire for wire in diagram.wires if wire.state == state]
        starts = {wire.points[0] for wire in own if wire.value.name == state}
        ends = {wire.points[-1] for wire in own if wire.reader is None}
        ((x, y),), ((x2, y2),) = starts, ends
        assert y == y2
        assert x < x2
    if diagram.states == ["h", "c"]:  # c on top, h at the bottom
        heights = {wire.state: wire.points[-1][1] for wire in diagram.wires if not wire.reader}
        inner = [box.y for box in diagram.boxes if box.y != heights["c"]]
        assert heights["h"] < min(inner) < max(inner) < heights["c"]


def test_the_candidate_of_the_lstm_reads_x_and_h_alone():
    diagram = layout(cell_equations(OPTIONS["lstm"]), "title", text_width)
    candidate = next(box.value for box in diagram.boxes if box.value.name == "g")
    assert {wire.value.name for wire in diagram.wires if wire.reader is candidate} == {"x", "h"}
    on_line = [box.value.symbol for box in sorted(diagram.boxes, key=lambda box: box.x)
               if box.y == max(box.y for box in diagram.boxes)]  # fmt: skip
    assert on_line == ["⊙", "+"]


@st.composite
def cells(draw) -> list[Equation]:
    """Any cell: some gates, each of inputs and of what came before it, then one or two states."""
    states = draw(st.sampled_from([["h"], ["h", "c"]]))
    known = ["x", *states]
    found = []
    for name in [*"fgijk"[: draw(st.integers(0, 5))], *(f"{state}'" for state in states)]:
        value = st.sampled_from(known)
        affine = value.map(lambda v: f"W {v} + b")
        leaf = st.one_of(
            value, affine.map(lambda v: f"σ({v})"), st.just(f"σ(W x + U {states[0]} + b)")
        )
        term = st.recursive(
            leaf,
            lambda inner: st.one_of(
                st.tuples(inner, st.sampled_from("+⊙+⊙-/"), inner).map(lambda t: f"({' '.join(t)})"),
                inner.map(lambda t: f"(1 - {t})"),
                st.tuples(st.sampled_from(["σ", "tanh"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
                inner.map(lambda t: f"tanh(W x + V {t} + b)"),
            ),
            max_leaves=4,
        )  # fmt: skip
        found.append(Equation(name, draw(term), ""))
        known.append(name)
    return found


@settings(max_examples=50)
@given(cells())
def test_no_wire_of_any_cell_runs_through_a_box(found):
    check(layout(found, "title", lambda text, size, formula: 0.6 * size * len(text)), found)


def test_the_diagram_is_the_same_svg_every_time_and_named_in_its_title():
    options = OPTIONS["gru_before"]
    once, again = preview_cell(options), preview_cell(options)
    assert once == again
    kind, content = once.content.split(",", 1)
    assert kind == "data:image/svg+xml;base64"
    assert b"<svg" in base64.b64decode(content)
    texts = [text.get_text() for text in draw_cell(options).axes[0].texts]
    assert "One step of gru, reset before the product" in texts


@pytest.mark.parametrize("cell", descriptions())
def test_gates_and_states_in_the_picture_of_a_window_carry_their_names(cell):
    options = ModelOptions(cell=cell)
    names = [equation.name.rstrip("'") for equation in cell_equations(options)]
    inside = pd.DataFrame(
        [(name, unit, step, 0.5) for name in ["input", *names, "attention"]
         for unit in range(2) for step in (-1, 0)],
        columns=["name", "unit", "step", "value"],
    )  # fmt: skip
    figure, interactive = plot_inside(inside, "mine", options, "protocol")
    drawn = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
    assert drawn == [title.text for title in interactive.layout.annotations]
    assert len(drawn) == len(names) + 2
    assert "h, hidden state" in drawn
    assert ("f, forget gate" in drawn) == (cell in ("lstm", "min_lstm"))
