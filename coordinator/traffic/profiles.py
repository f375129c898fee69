"""Hourly counts of past weeks → what is usual in each hour of the week."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from statistics import fmean, median
from zoneinfo import ZoneInfo

FEWEST_WEEKS = 3
_MAD_TO_SIGMA = 1.4826

Hourly = Mapping[datetime, float]
"""Start of an hour that was watched throughout → road users; other hours are absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The usual, by hour of the local week.

    Attributes:
        medians: Hour of the week, 0 is Monday 00:00 → median of the past weeks.
        means: The same, mean.
        scale: Spread of the past around the median in units of sqrt(median + 1), 1 or more:
            counts scatter at least as a Poisson process does.
    """

    zone: ZoneInfo
    medians: Mapping[int, float]
    means: Mapping[int, float]
    scale: float

    def expected(self, start: datetime) -> float | None:
        """Median of this hour of the week, None when too few weeks are known."""
        return self.medians.get(hour_of_week(start, self.zone))

    def mean(self, start: datetime) -> float | None:
        """Mean of this hour of the week, None when too few weeks are known."""
        return self.means.get(hour_of_week(start, self.zone))

    def surprise(self, start: datetime, value: float) -> float | None:
        """Standardised deviation of ``value``; None when nothing is known of the hour."""
        usual = self.expected(start)
        return None if usual is None else (value - usual) / (self.scale * sqrt(usual + 1))


def learn_profile(history: Hourly, zone: ZoneInfo) -> Profile:
    """Medians and means of at least three weeks, and the pooled spread (MAD) around them."""
    cells: dict[int, list[float]] = {}
    for start, value in history.items():
        cells.setdefault(hour_of_week(start, zone), []).append(value)
    known = {hour: values for hour, values in cells.items() if len(values) >= FEWEST_WEEKS}
    medians = {hour: median(values) for hour, values in known.items()}
    residuals = [
        abs(value - medians[hour]) / sqrt(medians[hour] + 1)
        for hour, values in known.items()
        for value in values
    ]
    return Profile(
        zone=zone,
        medians=medians,
        means={hour: fmean(values) for hour, values in known.items()},
        scale=max(1.0, _MAD_TO_SIGMA * median(residuals)) if residuals else 1.0,
    )


def hour_of_week(start: datetime, zone: ZoneInfo) -> int:
    """Local weekday and hour as one number, 0 to 167."""
    local = start.astimezone(zone)
    return local.weekday() * 24 + local.hour
