"""Clocks that tests move."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class StandingClock:
    """Shows one moment until it is moved on."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._steady_s = 1000.0

    def now(self) -> datetime:
        return self._at

    def monotonic_s(self) -> float:
        return self._steady_s

    def move(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)
        self._steady_s += seconds

    def step(self, at: datetime) -> None:
        """The wall clock alone jumps, as when a time server answers."""
        self._at = at


class SkippingClock:
    """Runs as the machine's does, from a chosen moment on, and can leave out a time."""

    def __init__(self, at: datetime) -> None:
        self._ahead = at - datetime.now(UTC)
        self._skipped_s = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead + timedelta(seconds=self._skipped_s)

    def monotonic_s(self) -> float:
        return time.monotonic() + self._skipped_s

    def skip(self, seconds: float) -> None:
        """Everything waits for so long and notices only afterwards."""
        self._skipped_s += seconds

    def set_ahead(self, ahead: timedelta) -> None:
        """The wall clock alone jumps to so far ahead of the machine's."""
        self._ahead = ahead
