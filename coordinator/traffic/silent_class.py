"""Recent hours of one class against its profile → a class that vanished.

A count that turns to 0 and stays there looks like a quiet road. If the past says that λ road
users were to be expected in the silent hours, seeing none has the probability e^-λ (Poisson);
counts cluster more than that, so λ must be well above what the bare formula asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from coordinator.traffic.profiles import Hourly, Profile

LEAST_EXPECTED = 20.0
"""Road users missed; e^-20 is one in five hundred million."""

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentClass:
    """A class that is not seen any more.

    Attributes:
        start: First silent hour.
        end: First moment after the last one.
        expected: Road users that past weeks led to expect in between.
    """

    start: datetime
    end: datetime
    expected: float


def find_silence(recent: Hourly, profile: Profile) -> SilentClass | None:
    """The silence that lasts at the end of ``recent``, when it cannot be chance."""
    expected = 0.0
    silent: list[datetime] = []
    for start, value in sorted(recent.items(), reverse=True):
        if value > 0:
            break
        silent.append(start)
        expected += profile.mean(start) or 0.0
    if expected < LEAST_EXPECTED:
        return None
    return SilentClass(start=silent[-1], end=silent[0] + _HOUR, expected=expected)
