"""How far a training is: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import logging
import math
import multiprocessing
import sys
import time
from dataclasses import dataclass
from typing import Protocol

from tqdm import tqdm

logger = logging.getLogger(__name__)

EVERY = 10.0  # seconds


class Clock(Protocol):
    """When something was said last, in seconds of the monotonic clock."""

    value: float


@dataclass
class OwnClock:
    """That of a process alone."""

    value: float = 0.0


_clock: Clock = OwnClock()


def share(clock: Clock) -> None:
    """Speak in turn with other processes: one line every `EVERY` seconds, from whichever trains."""
    global _clock
    _clock = clock


class Progress:
    """Count steps; nothing is said of a training that ends in less than `EVERY` seconds.

    Trainings side by side would draw their bars over one another, so workers log lines too.
    """

    def __init__(self, label: str, total: int, unit: str) -> None:
        """Begin.

        Args:
            label: names what is trained.
            total: steps in all.
            unit: a step, in singular.
        """
        self._label, self._total, self._unit = label, total, unit
        self._done, self._numbers, self._began = 0, "", time.monotonic()
        alone = multiprocessing.parent_process() is None and sys.stderr.isatty()
        self._bar = tqdm(total=total, desc=label, unit=unit, disable=not alone, leave=False)
        self._alone = alone

    def update(self, **numbers: float) -> None:
        """One step is done; `numbers`, where given, are what is to be shown from now on."""
        self._done += 1
        if numbers:
            known = {name: value for name, value in numbers.items() if not math.isnan(value)}
            self._numbers = "".join(f", {name} {value:.4f}" for name, value in known.items())
            self._bar.set_postfix_str(self._numbers.removeprefix(", "), refresh=False)
        self._bar.update()
        now = time.monotonic()
        if not self._alone and now - max(self._began, _clock.value) >= EVERY:
            _clock.value = now
            logger.info(
                "%s: %s %d of %d%s", self._label, self._unit, self._done, self._total, self._numbers
            )

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()
