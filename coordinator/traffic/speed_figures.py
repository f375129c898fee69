"""Speed histograms → mean, percentiles and the mean that density needs."""

from __future__ import annotations

from collections.abc import Mapping

SPEED_CLASS_KMH = 5
"""Width of a class of the histogram that the boxes send."""


def percentile_kmh(classes: Mapping[int, int], percent: float) -> float | None:
    """Speed that ``percent`` of the vehicles do not exceed, linear inside a class.

    Args:
        classes: Lower bound in km/h → vehicles.
        percent: 85 gives V85.

    Raises:
        ValueError: ``percent`` is outside 0 to 100.
    """
    if not 0 <= percent <= 100:
        raise ValueError(f"percentile {percent}, expected 0 to 100")
    filled = sorted((low, number) for low, number in classes.items() if number > 0)
    wanted = sum(number for _, number in filled) * percent / 100
    passed = 0
    for low, number in filled:
        if passed + number >= wanted:
            return low + SPEED_CLASS_KMH * (wanted - passed) / number
        passed += number
    return None


def mean_kmh(speeds: int, speed_sum_kmh: float) -> float | None:
    """Time-mean speed, or None without any."""
    return speed_sum_kmh / speeds if speeds else None


def space_mean_kmh(classes: Mapping[int, int]) -> float | None:
    """Harmonic mean of the class middles, which flow = density × speed needs (Wardrop 1952)."""
    vehicles = sum(classes.values())
    hours_per_km = sum(
        number / (low + SPEED_CLASS_KMH / 2) for low, number in classes.items() if number
    )
    return vehicles / hours_per_km if hours_per_km else None
