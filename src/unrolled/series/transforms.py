"""Transforms of values before all scaling, each a pair of functions that numpy and torch share.

The module that computes, `numpy` or `torch`, is the first argument; what both call by the same name is
all that is used. So a forecast in service is brought back as it was in training.

>>> import numpy
>>> there, back, *_ = TRANSFORMS["boxcox"]
>>> back(numpy, there(numpy, numpy.array([0.0, 1.0, 4.0]), 0.5), 0.5).tolist()
[0.0, 1.0, 4.0]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

# Module, values, Box-Cox's lambda (of the transforms that have one) -> values.
Function = Callable[[Any, Any, Any], Any]


class Transform(NamedTuple):
    """There and back.

    Attributes:
        forward: of values that `lowest` allows.
        inverse: of anything; what lies below the transform of 0 has no inverse, and becomes 0.
        power: Box-Cox's lambda of it, 0 for a logarithm; None: fitted on train, NaN: it has none.
        lowest: which values it takes, in words: `above 0`, `from 0`, or nothing for all.
    """

    forward: Function
    inverse: Function
    power: float | None
    lowest: str = ""


def _none(xp: Any, y: Any, power: Any) -> Any:  # noqa: ANN401
    return y


def _log(xp: Any, y: Any, power: Any) -> Any:  # noqa: ANN401
    return xp.log(y)


def _exp(xp: Any, z: Any, power: Any) -> Any:  # noqa: ANN401
    return xp.exp(z)


def _log1p(xp: Any, y: Any, power: Any) -> Any:  # noqa: ANN401
    return xp.log1p(y)


def _expm1(xp: Any, z: Any, power: Any) -> Any:  # noqa: ANN401
    return xp.expm1(xp.clip(z, 0, None))


def _boxcox(xp: Any, y: Any, power: Any) -> Any:  # noqa: ANN401
    """(y ^ lambda - 1) / lambda (Box & Cox 1964), without the loss of digits of a small lambda."""
    return xp.expm1(power * xp.log(y)) / power


def _inverse_boxcox(xp: Any, z: Any, power: Any) -> Any:  # noqa: ANN401
    return xp.exp(xp.log1p(xp.clip(z * power, -1, None)) / power)


TRANSFORMS = {
    "none": Transform(_none, _none, float("nan")),
    "log": Transform(_log, _exp, 0.0, "above 0"),
    "log1p": Transform(_log1p, _expm1, 0.0, "from 0"),
    "sqrt": Transform(_boxcox, _inverse_boxcox, 0.5, "from 0"),
    "boxcox": Transform(_boxcox, _inverse_boxcox, None, "above 0"),
}
