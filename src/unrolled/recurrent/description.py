"""What a cell says of itself, beside its equations: names, states, gates, options of its own.

Everything that differs from cell to cell and is no equation follows from its `Description`: which
options there are, the shapes of states, where a gate's bias lies, what saturates, which of torch's
layers computes the same. Options are read by the command line, which must not wait seconds for
torch; so `descriptions` reads these lines from the texts in `cells/` instead of importing them.

>>> descriptions()["gru"].options["reset_after"].default
True
>>> list(descriptions()["lstm"].states)
['h', 'c']
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, Literal

Bounds = Literal["sigmoid", "tanh", "log sigmoid", "none"]


@dataclass(frozen=True)
class Own:
    """An option that belongs to some cells alone; every cell that has it shares one definition.

    Attributes:
        kind: type of its values.
        default: what it is elsewhere.
        description: what it is, to be read.
        limits: of a number, as pydantic names them: ge, gt, le, lt.
        divides_hidden: the units are so many equal parts.
        library: torch's layer takes it too; else another value than the default needs ours.
        second: the value for which the second of two equations of a name is computed.
        form: what a diagram of the second form is called.
    """

    kind: Any
    default: Any
    description: str
    limits: Mapping[str, float] = field(default_factory=dict)
    divides_hidden: bool = False
    library: bool = False
    second: Any = None
    form: str = ""


@dataclass(frozen=True)
class Gate:
    """What rows of the weights make of the input, after its activation.

    Attributes:
        bounds: of its values; `none` for what cannot saturate.
        second: those in the cell's second form; None: the same.
        size: number of rows, as in a `Carried`'s shape.
    """

    bounds: Bounds
    second: Bounds | None = None
    size: str = "hidden"


@dataclass(frozen=True)
class Carried:
    """What a cell carries from step to step: flat, (B, product of the shape).

    Attributes:
        shape: sizes, each `hidden`, an option of the cell, or a quotient: `hidden / cell_heads`.
        start: value before a sequence.
        learned: `learned_state` may train it; not where only some values can be.
        scales: it holds the scale of the others and nothing else, so no gradient is followed on it.
    """

    shape: tuple[str, ...] = ("hidden",)
    start: float = 0.0
    learned: bool = True
    scales: bool = False


@dataclass(frozen=True)
class Description:
    """A cell, but for its equations.

    Attributes:
        name: as options have it.
        gates: in the order of their rows in the weights.
        states: by their letters in the equations. A cell puts out h; where h is carried too, it
            comes first. The first one is what gradients are followed on.
        keep: the gate that keeps the old state when it is open.
        write: the gate that writes the new.
        options: its own, by name.
        library: torch's layer that computes the same, as `LSTM`.
        recurrent: its gates read h, through U and the second bias.
        bias: it has biases.
    """

    name: str
    gates: Mapping[str, Gate]
    states: Mapping[str, Carried] = field(default_factory=lambda: {"h": Carried()})
    keep: str | None = None
    write: str | None = None
    options: Mapping[str, Own] = field(default_factory=dict)
    library: str | None = None
    recurrent: bool = True
    bias: bool = True

    @property
    def memories(self) -> list[str]:
        """States that hold more than a scale."""
        return [name for name, state in self.states.items() if not state.scales]

    def own(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values of its own options among others, or their defaults."""
        return {name: given.get(name, own.default) for name, own in self.options.items()}

    def is_second(self, given: Mapping[str, Any]) -> bool:
        """Whether the second equations are computed, by the values of options."""
        own = self.own(given)
        return any(
            option.second is not None and own[name] == option.second
            for name, option in self.options.items()
        )

    def bounds(self, gate: str, given: Mapping[str, Any]) -> Bounds:
        """Bounds of a gate's values, by the values of options."""
        found = self.gates[gate]
        return (found.second or found.bounds) if self.is_second(given) else found.bounds

    def rows(self, hidden: int, given: Mapping[str, Any]) -> dict[str, slice]:
        """Where each gate's rows lie in the weights and biases."""
        sizes, start, found = self.own(given) | {"hidden": hidden}, 0, {}
        for name, gate in self.gates.items():
            found[name] = slice(start, start + _size(gate.size, sizes))
            start = found[name].stop
        return found

    def widths(self, hidden: int, given: Mapping[str, Any]) -> dict[str, int]:
        """Numbers in each state of one sequence."""
        sizes = self.own(given) | {"hidden": hidden}
        return {
            name: prod(_size(one, sizes) for one in state.shape)
            for name, state in self.states.items()
        }


def _size(text: str, sizes: Mapping[str, int]) -> int:
    """A size as a `Carried` has it.

    >>> _size("hidden / cell_heads", {"hidden": 12, "cell_heads": 4})
    3
    """
    first, *divisors = (sizes[name] for name in text.split(" / "))
    return first // prod(divisors)


@cache
def descriptions() -> dict[str, Description]:
    """Of all cells in `cells/`, by name, in the order of the files and of each file."""
    files = sorted(Path(__file__).with_name("cells").glob("*.py"))
    return _read(*(ast.parse(file.read_text(encoding="utf-8"), file) for file in files))


def _read(*modules: ast.Module) -> dict[str, Description]:
    """The descriptions in modules: `described` of their classes, and the options they share."""
    known: dict[str, Any] = {**globals(), "Literal": Literal}
    found: dict[str, Description] = {}

    def value(node: ast.expr, options: Mapping[str, Own]) -> Any:  # noqa: ANN401
        return eval(compile(ast.Expression(node), "cells", "eval"), {**known, **options})

    own = [
        {
            ast.unparse(node.targets[0]): value(node.value, {})
            for node in module.body
            if isinstance(node, ast.Assign) and _calls(node.value) == "Own"
        }
        for module in modules
    ]
    every = {name: option for options in own for name, option in options.items()}  # as imported
    for module, options in zip(modules, own, strict=True):
        for node in module.body:
            for line in node.body if isinstance(node, ast.ClassDef) else []:
                if isinstance(line, ast.Assign) and _calls(line.value) == "Description":
                    described = value(line.value, every | options)
                    found[described.name] = described
    return found


def _calls(node: ast.expr) -> str | None:
    """Name of the function that an expression calls."""
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return node.func.id if is_call else None  # type: ignore[attr-defined]
