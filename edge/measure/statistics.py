"""Samples → the figures traffic engineers ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SPEED_CLASS_KMH = 5
"""Width of a class of the speed histogram."""


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Smallest interpolated value that ``percent`` of the samples do not exceed.

    Linear between ranks (Hyndman & Fan 1996, type 7).

    Raises:
        ValueError: ``percent`` is outside 0 to 100.
    """
    if not 0 <= percent <= 100:
        raise ValueError(f"percentile {percent}, expected 0 to 100")
    if not values:
        return None
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100
    low = int(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (rank - low) * (ordered[high] - ordered[low])


def v85(speeds_kmh: Sequence[float]) -> float | None:
    """Speed that 85 % of free traffic does not exceed; None without samples."""
    return percentile(speeds_kmh, 85)


def histogram(speeds_kmh: Sequence[float]) -> dict[int, int]:
    """Samples per class, keyed by the lower bound in km/h, in rising order."""
    classes: dict[int, int] = {}
    for speed in speeds_kmh:
        low = int(speed // SPEED_CLASS_KMH) * SPEED_CLASS_KMH
        classes[low] = classes.get(low, 0) + 1
    return dict(sorted(classes.items()))


def percentile_of_histogram(classes: Mapping[int, int], percent: float) -> float | None:
    """Percentile of grouped samples, linear inside a class; None without samples."""
    total = sum(classes.values())
    if not total:
        return None
    wanted = total * percent / 100
    passed = 0
    for low, number in sorted(classes.items()):
        if passed + number >= wanted and number:
            return low + SPEED_CLASS_KMH * (wanted - passed) / number
        passed += number
    return float(max(classes) + SPEED_CLASS_KMH)
