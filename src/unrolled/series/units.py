"""A unit in which numbers are of order one: what is squared must neither vanish nor become infinite."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def unit(values: Array) -> float:
    """The power of two just above the largest size among values; dividing by it changes no digit.

    Where a value is no finite number it is 1.

    >>> unit(np.array([-5.0, 3.0])), unit(np.array([0.0]))
    (8.0, 1.0)
    """
    largest = np.abs(values).max()
    if not np.isfinite(largest):
        return 1.0
    return float(np.ldexp(1.0, min(int(np.frexp(largest)[1]), 1023)))


def spread(values: Array) -> float:
    """Standard deviation, of values of any size.

    >>> spread(np.array([1e-200, 3e-200]))
    1e-200
    """
    one = unit(values)
    return float((values / one).std()) * one


def mean(values: Array) -> float:
    """Mean, of values whose sum may be infinite."""
    one = unit(values)
    return float((values / one).mean()) * one
