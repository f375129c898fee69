"""Clocks → aware UTC datetimes and steady seconds that tests can replace."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where a process asks what time it is."""

    def now(self) -> datetime:
        """Wall clock as an aware UTC datetime; may jump."""
        ...

    def monotonic_s(self) -> float:
        """Steady seconds since an arbitrary start; never jumps."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Wall clock as an aware UTC datetime; may jump."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Steady seconds since an arbitrary start; never jumps."""
        return time.monotonic()


def bin_start(at: datetime, width: timedelta) -> datetime:
    """Start of the bin that holds ``at``, aligned to the Unix epoch in UTC.

    Raises:
        ValueError: ``at`` is naive or ``width`` is not above zero.
    """
    if at.tzinfo is None:
        raise ValueError(f"naive datetime {at}, expected an aware one")
    if width <= timedelta(0):
        raise ValueError(f"bin width {width}, expected above zero")
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (at - epoch) // width * width
