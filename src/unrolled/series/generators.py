"""Series made by a formula, so that nothing has to be downloaded to try the project.

Every generator returns a long frame: `unique_id` (str), `ds` (int64, 0..N-1), `y` (float64),
one row per series and time, sorted by both.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.errors import InputError

FloatArray = npt.NDArray[np.float64]

# The protocol of Voelker et al. (2019), section 3.3; see `mackey_glass`.
_TAU = 17
_SUBSTEPS = 10
_PROTOCOL_SERIES = 128
_WASHOUT = 100


def sine(points: int = 500, end: float = 50.0) -> pd.DataFrame:
    """Return one sine wave, `sin(t)` on `points` equal steps from 0 to `end`.

    Args:
        points: number of rows N, at least 2.
        end: last time, in radians; 50 is almost 8 periods.

    Returns:
        Long frame of N rows with `unique_id` 'sine'; `y` has no unit and lies in [-1, 1].

    Raises:
        InputError: if `points` is below 2.
    """
    if points < 2:
        raise InputError(f"sine: points is {points}, but a wave needs at least 2; raise points")
    return _long(["sine"], np.sin(np.linspace(0.0, end, points))[:, None])


def mackey_glass(series: int = 1, points: int = 5015, seed: int = 0) -> pd.DataFrame:
    """Return the first `series` of 128 chaotic Mackey-Glass series with delay 17.

    x'(t) = 0.2 x(t-17) / (1 + x(t-17)^10) - 0.1 x(t), by Euler with 10 steps per time unit, from
    x = 1.2 and a random history 1.2 + 0.2 (U - 0.5); y = tanh(x - 1). The first 100 units are
    dropped and the mean over all 128 series is subtracted, so all 128 are always computed:
    series k is the same however many are asked for.

    Args:
        series: number of series S to return, 1 to 128.
        points: rows per series N, in time units, at least 1.
        seed: seed of `numpy.random.RandomState`, the protocol's generator.

    Returns:
        Long frame of S * N rows, `unique_id` 'mackey_glass_000' and on; `y` has no unit.

    Raises:
        InputError: if `series` or `points` is out of range.

    Source:
        Mackey & Glass (1977), Science 197:287; protocol of Voelker, Kajic & Eliasmith (2019),
        Legendre Memory Units, NeurIPS.
    """
    if not 1 <= series <= _PROTOCOL_SERIES:
        raise InputError(
            f"mackey_glass: series is {series}, but the protocol has 1 to {_PROTOCOL_SERIES}; "
            "choose a number in this range, and another seed for more"
        )
    if points < 1:
        raise InputError(f"mackey_glass: points is {points}, but 1 is the least; raise points")
    x = _integrate(points + _WASHOUT, seed)
    y = np.tanh(x[_WASHOUT:] - 1.0)  # (N, 128)
    names = [f"mackey_glass_{k:03d}" for k in range(series)]
    return _long(names, (y - y.mean())[:, :series])


def _integrate(units: int, seed: int) -> FloatArray:
    """Integrate all series of the protocol and return x at times 1..units, (units, 128)."""
    delay = _TAU * _SUBSTEPS
    noise = np.random.RandomState(seed).rand(_PROTOCOL_SERIES, delay)
    steps = units * _SUBSTEPS
    x = np.empty((delay + steps + 1, _PROTOCOL_SERIES))
    x[:delay] = (1.2 + 0.2 * (noise - 0.5)).T
    x[delay] = 1.2
    for i in range(steps):
        # x[i] lies delay rows before the current state x[delay + i]
        square = x[i] * x[i]
        fourth = square * square
        # Not `** 10`: its last bit differs between processors, and chaos makes it the first.
        drive = 0.2 * x[i] / (1.0 + fourth * fourth * square)
        x[delay + i + 1] = x[delay + i] + (drive - 0.1 * x[delay + i]) / _SUBSTEPS
    return x[delay + _SUBSTEPS :: _SUBSTEPS]


def _long(names: list[str], y: FloatArray) -> pd.DataFrame:
    """Turn an array (N, S) with one name per column into a long frame of S * N rows."""
    points, series = y.shape
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.array(names, dtype=object), points),
            "ds": np.tile(np.arange(points, dtype=np.int64), series),
            "y": y.T.ravel(),
        }
    ).astype({"unique_id": "str"})


GENERATORS: dict[str, Callable[[], pd.DataFrame]] = {"sine": sine, "mackey_glass": mackey_glass}
