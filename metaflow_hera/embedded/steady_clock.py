"""Time that goes on evenly: whatever is set on the machine's clock, an hour is an hour long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


def _passed() -> float:
    """Seconds that have passed, also while the machine slept: `time.monotonic` does not count those."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.clock_gettime(time.CLOCK_MONOTONIC)  # on macOS it counts them


class SteadyClock:
    """Seconds since the epoch, as the machine's clock gave them last at `set`, and what has passed since.

    A machine's clock may jump, by hours if it was wrong; what is measured with it would be wrong by as much.
    """

    def __init__(self, wall: Callable[[], float], passed: Callable[[], float] = _passed) -> None:
        self._wall = wall
        self._passed = passed
        self.set()

    def set(self) -> None:
        """Take over the time of the machine's clock: nothing is being measured."""
        self._ahead = self._wall() - self._passed()

    def __call__(self) -> float:
        """The time now."""
        return self._ahead + self._passed()
