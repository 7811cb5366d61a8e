"""What a baseline is asked, and what several of them do alike."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from unrolled.errors import InputError
from unrolled.series import formulas
from unrolled.series.formulas import FloatArray, Numbers

IntArray = npt.NDArray[np.int64]


@dataclass
class Limit:
    """The time that a statistical baseline may take for its fits, and what it left out for want of it.

    Every call has an equal part of it. When that is over, the call goes on with its last fit; a call
    that begins after the end has none, and its forecasts are drift's. Where there is time enough,
    nothing here depends on the clock.

    Attributes:
        seconds: for all calls together.
        calls: that share them, one a series and set of cutoffs.
        begun: calls so far.
        skipped: fits left out.
        drifts: calls without a fit.
    """

    seconds: float
    calls: int = 1
    begun: int = 0
    skipped: int = 0
    drifts: int = 0
    _start: float = field(default_factory=time.monotonic)

    def begin(self) -> bool:
        """Begin a call; False where all the time is over."""
        self.begun += 1
        over = time.monotonic() > self._start + self.seconds
        self.drifts += over
        return not over

    def skip(self) -> bool:
        """Whether a fit is to be left out, since the part of this call is over."""
        part = self.seconds * min(1.0, self.begun / self.calls)
        over = time.monotonic() > self._start + part
        self.skipped += over
        return over

    @property
    def note(self) -> str:
        """What was left out, in words; empty where nothing was."""
        left = [f"{self.skipped} fits left out"] * (self.skipped > 0)
        left += [f"{self.drifts} of {self.begun} series and parts by drift"] * (self.drifts > 0)
        return f"limit of {self.seconds:g} s reached: {', '.join(left)}" if left else ""


@dataclass(frozen=True)
class Task:
    """What to forecast, and which rows may be used for fitting; all units are rows.

    Attributes:
        horizon: steps K of each forecast.
        season: rows m of one season; 1 for none.
        lookback: rows L of the window that `ridge` sees, or more where another choice is better.
        train_end: rows [0, train_end) are the train part.
        validation_end: rows [train_end, validation_end) are for validation; the test follows.
        refit_every: cutoffs from one estimation of a statistical model to the next.
        limit: the time for these estimations; None: as long as they take.
    """

    horizon: int
    season: int
    lookback: int
    train_end: int
    validation_end: int
    refit_every: int = 1
    limit: Limit | None = None

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            InputError: if a number is below 1, or the train part does not end before validation.
        """
        for name in ("horizon", "season", "lookback", "train_end", "refit_every"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"task: {name} is {getattr(self, name)}, but 1 is the least; raise {name}"
                )
        if self.validation_end < self.train_end:
            raise InputError(
                f"task: validation_end is {self.validation_end}, but train_end is "
                f"{self.train_end} and comes first; swap or move them"
            )


def read(numbers: Numbers, y: FloatArray, cutoffs: IntArray, task: Task) -> FloatArray:
    """Forecast (C, K) by a reader from the rows up to each cutoff."""
    rows = numbers["rows"]
    return formulas.forecast(
        numbers, sliding_window_view(y, rows)[cutoffs - rows + 1], task.horizon
    )


def roll(
    fit: Callable[[FloatArray], Numbers], y: FloatArray, cutoffs: IntArray, task: Task
) -> FloatArray:
    """Forecast (C, K) by a state fitted at every `refit_every`-th cutoff and moved on between.

    A multiplicative season that meets a row at or below 0 is fitted anew. Where the task's time is
    over, the other fits are left out.
    """
    forecasts = np.empty((len(cutoffs), task.horizon))
    numbers: Numbers = {}
    for i, cutoff in enumerate(cutoffs):
        new = y[cutoffs[i - 1] + 1 : cutoff + 1] if i else y
        needed = i == 0 or (numbers.get("multiplicative") and new.min() <= 0)
        due = i % task.refit_every == 0
        if needed or (due and not (task.limit and task.limit.skip())):
            numbers = fit(y[: cutoff + 1])
        else:
            numbers = formulas.advance(numbers, new)
        forecasts[i] = formulas.ahead(numbers, task.horizon)
    return forecasts


@contextmanager
def many_small_fits() -> Iterator[None]:
    """Hush optimisers and hold the linear algebra to one thread.

    At hundreds of origins a warning that stops nothing buries the others, and threads wait for
    each other longer than they compute: a fit of 80 rows took 0.35 s with them, 0.05 s without, and
    ridge on sunspots twenty times as long on busy cores.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"), threadpool_limits(1, "blas"):
        warnings.simplefilter("ignore")
        yield


def check(y: FloatArray, cutoffs: IntArray, first: int, why: str) -> None:
    """Raise unless the cutoffs rise strictly within [first, N)."""
    if not len(cutoffs):
        raise InputError("cutoffs: 0 positions, but a forecast needs at least 1; check the task")
    if cutoffs[0] < first:
        raise InputError(
            f"cutoffs: the first is {cutoffs[0]}, but {why} needs at least {first}; "
            "start later or shorten what is needed"
        )
    if cutoffs[-1] >= len(y):
        raise InputError(
            f"cutoffs: the last is {cutoffs[-1]}, but the series ends at row {len(y) - 1}; "
            "end earlier"
        )
    # A later cutoff's parameters must never serve an earlier one.
    if np.any(np.diff(cutoffs) <= 0):
        raise InputError("cutoffs: they do not rise, but each must be later; sort them, drop twins")


def check_after_fit(y: FloatArray, cutoffs: IntArray, task: Task, first: int) -> None:
    """Raise unless all cutoffs lie after the rows that a model was fitted or chosen on."""
    end = task.validation_end - 1
    check(y, cutoffs, max(first, end), f"a fit on the rows before {task.validation_end}")
