"""A cell's structure, read from the equations in its docstring.

The docstring is what a learner reads beside the code; drawing from it keeps picture and text one.
The form of an equation: small letters are values (x the input, h and c states, h' and c' the states
after the step, gates), capitals matrices (W_i x is a product), b and b_i biases; + - ⊙ /, ⊗ the
outer product, · the inner one or that of a state that is a matrix; functions (σ, tanh, any word) of
one argument, or of several with commas between. Words about it follow after three spaces.

>>> from unrolled.recurrent.cells.classic import LSTMCell
>>> found = equations(LSTMCell)
>>> str(found[4]), found[1].title
("c' = f ⊙ c + i ⊙ g", 'forget gate')
>>> flow = graph(found)
>>> [(value.symbol, [read.name for read in value.reads]) for value in (flow["f"], flow["c'"])]
[('σ', ['x', 'h']), ('+', ['', ''])]
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from unrolled.errors import InputError
from unrolled.recurrent.cells import Cell

# name = right side, then at least three spaces before the words about it
_LINE = re.compile(r"^(?P<name>[a-z]'?)\s*= (?P<right>.+?)(?:\s{3,}(?P<words>.*))?$", re.MULTILINE)
_TOKEN = re.compile(r"\s*([^\W\d]+(?:_[a-z]+)?'?|\d+|\S)")
_BIAS = re.compile(r"b(_[a-z]+)?")
_RANK = {"+": 1, "-": 1, "⊙": 2, "⊗": 2, "·": 2, "/": 2, " ": 3}  # the blank: a matrix's product


class Equation(NamedTuple):
    """One line of a cell's docstring."""

    name: str
    right: str
    words: str

    def __str__(self) -> str:
        """The equation alone."""
        return f"{self.name} = {self.right}"

    @property
    def title(self) -> str:
        """What the value is called, as `forget gate`."""
        return re.split("[:,]", self.words)[0]


def equations(cell: type[Cell], *, second: bool = False) -> list[Equation]:
    """The equations of a cell, in the docstring's order.

    Where a value has two (the GRU's candidate, the plain cell's nonlinearity), it is the first, or
    the `second`.
    """
    found: dict[str, Equation] = {}
    for match in _LINE.finditer(inspect.getdoc(cell) or ""):
        if second or match["name"] not in found:
            found[match["name"]] = Equation(match["name"], match["right"], match["words"] or "")
    return list(found.values())


class Term(NamedTuple):
    """A part of an equation: an operator or function of other terms, or a name or number alone."""

    symbol: str
    of: tuple[Term, ...] = ()

    def __str__(self) -> str:
        """The term as it is written."""
        if self.symbol not in _RANK:
            return f"{self.symbol}({', '.join(map(str, self.of))})" if self.of else self.symbol
        left, right = (
            f"({term})" if 0 < _RANK.get(term.symbol, 0) < _RANK[self.symbol] + last else str(term)
            for last, term in enumerate(self.of)
        )
        return f"{left} {right}" if self.symbol == " " else f"{left} {self.symbol} {right}"


def parse(right: str) -> Term:
    """The right side of an equation as a tree.

    Raises:
        InputError: it is not of the form that the module describes.
    """
    tokens = _TOKEN.findall(right)

    def take(wanted: str = "") -> str:
        token = tokens.pop(0) if tokens else ""
        if token != wanted if wanted else not (token[:1].isalnum() or token == "("):
            raise InputError(
                f"equation '{right}': found {token or 'its end'}, but expected"
                f" {wanted or 'a value'}; the form is described in unrolled/recurrent/diagrams.py"
            )
        return token

    def chain(rank: int) -> Term:
        if rank == 3:
            return factor()
        found = chain(rank + 1)
        while tokens and _RANK.get(tokens[0]) == rank:
            found = Term(tokens.pop(0), (found, chain(rank + 1)))
        return found

    def factor() -> Term:
        token = take()
        function = (len(token.rstrip("'")) > 1 and token.isalpha()) or ord(token[0]) > 127
        if function or token == "(":
            if function:
                take("(")
            inside = [chain(1)]
            while function and tokens[:1] == [","]:
                tokens.pop(0)
                inside.append(chain(1))
            take(")")
            return Term(token, tuple(inside)) if function else inside[0]
        return Term(" ", (Term(token), factor())) if token[0].isupper() else Term(token)

    found = chain(1)
    if tokens:
        raise InputError(f"equation '{right}': '{' '.join(tokens)}' is left over; expected its end")
    return found


@dataclass(frozen=True, eq=False)
class Value:
    """A value of the step, and what it is computed from.

    Attributes:
        symbol: what is done: ⊙, +, 1-, a function, a matrix, or a formula; the name of an input.
        reads: the values that this needs, none twice.
        weights: matrices stand between what is read and the sum that the symbol is applied to.
        name: as in the equations; empty for parts of an equation.
    """

    symbol: str
    reads: tuple[Value, ...] = ()
    weights: bool = False
    name: str = ""


def graph(found: list[Equation]) -> dict[str, Value]:
    """Every named value of a step, inputs and the states before it among them.

    Raises:
        InputError: an equation reads a state after the step that no equation above it gives.
    """
    values: dict[str, Value] = {}

    def named(name: str) -> Value:
        if name.endswith("'") and name not in values:
            raise InputError(
                f"{name} is read before an equation gives it; write its equation further up"
            )
        return values.setdefault(name, Value(name, name=name))

    def value(term: Term) -> Value:
        symbol, of = term
        if not of:
            return named(symbol)
        if symbol == "-" and of[0] == Term("1"):
            return Value("1-", (value(of[1]),))
        plain = symbol in "⊙⊗·" or (symbol == "+" and not any(map(_affine, of)))
        if plain and not any(one.symbol.isdigit() for one in of):
            return Value(symbol, tuple(dict.fromkeys(map(value, of))))
        function = symbol not in _RANK
        terms = [part for one in (of if function else (term,)) for part in _summands(one)]
        weights = any(map(_affine, terms))
        if weights and (function or symbol in "+- "):
            inside = [one.of[1] if one.symbol == " " else one for one in terms]
            reads = [value(one) for one in inside if not _BIAS.fullmatch(one.symbol)]
            matrices = [one.of[0].symbol for one in terms if one.symbol == " "]
            label = symbol if function else ", ".join(matrices)
            return Value(label, tuple(dict.fromkeys(reads)), weights=True)
        if function:
            return Value(symbol, tuple(dict.fromkeys(map(value, of))))
        names = [leaf for leaf in _leaves(term) if leaf.isidentifier() or leaf.endswith("'")]
        reads = [named(leaf) for leaf in names if leaf[0].islower() and not _BIAS.fullmatch(leaf)]
        weighty = any(leaf[0].isupper() for leaf in names)
        return Value(str(term), tuple(dict.fromkeys(reads)), weights=weighty)

    for equation in found:
        result = value(parse(equation.right))
        values[equation.name] = result if result.name else replace(result, name=equation.name)
    return values


def _affine(term: Term) -> bool:
    """Whether a term is a bias, a matrix's product or a sum with one of them in it."""
    return any(
        one.symbol == " " or _BIAS.fullmatch(one.symbol) is not None for one in _summands(term)
    )


def _summands(term: Term) -> Iterator[Term]:
    if term.symbol in ("+", "-"):
        for one in term.of:
            yield from _summands(one)
    else:
        yield term


def _leaves(term: Term) -> Iterator[str]:
    if not term.of:
        yield term.symbol
    for one in term.of:
        yield from _leaves(one)
