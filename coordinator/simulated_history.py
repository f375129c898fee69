"""A seed → days of invented minutes that look like a four-armed junction's.

Counts are Poisson around a daily curve with two peaks, fewer at weekends; some minutes are
missing and some were not watched, as in life. Drawing every minute of every series would take
longer than storing it, so a pool of days is drawn once and dealt out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from common.geometry import Direction
from common.messages import CameraLayout, FlowLayout, SectionLayout
from common.road_users import ROAD_USERS
from common.site import Movement, Use
from coordinator.traffic.intake_rows import FLOW, LINE, SeriesName

MINUTES = 1440
LEGS = ("north", "east", "south", "west")

_SHARES = (0.12, 0.1, 0.62, 0.03, 0.03, 0.1)
"""Of the road users of ``ROAD_USERS``, in their order."""

_POOL = 24
_MISSING, _UNWATCHED = 0.002, 0.003
_FRAME = (1280, 720)
_MOVEMENTS = {1: Movement.LEFT, 2: Movement.THRU, 3: Movement.RIGHT}


@dataclass(frozen=True, slots=True)
class PooledDay:
    """One series over one day.

    Attributes:
        counts: Shape (1440, 6), classes in the order of ``ROAD_USERS``.
        speed_sums_kmh: Shape (1440,).
    """

    counts: NDArray[np.int64]
    speed_sums_kmh: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SimulatedHistory:
    """A pool of days, by how busy a series is and whether it is a weekend."""

    weekdays: tuple[PooledDay, ...]
    weekends: tuple[PooledDay, ...]
    seed: int

    def day(self, series_id: int, day: datetime) -> PooledDay:
        """What a series counted on a day."""
        pool = self.weekends if day.weekday() >= 5 else self.weekdays
        return pool[(series_id * 7 + day.toordinal()) % len(pool)]

    def watched(self, camera_id: int, day: datetime) -> NDArray[np.int8]:
        """Shape (1440,): 1 watched, 0 told but not watched, -1 never arrived."""
        chance = np.random.default_rng((self.seed, camera_id, day.toordinal()))
        drawn = chance.random(MINUTES)
        watched = np.ones(MINUTES, dtype=np.int8)
        watched[drawn < _UNWATCHED] = 0
        watched[drawn > 1 - _MISSING] = -1
        return watched


def draw_history(seed: int) -> SimulatedHistory:
    """Draw the pool; the same seed draws the same."""
    chance = np.random.default_rng(seed)
    return SimulatedHistory(
        weekdays=tuple(_pooled(chance, 1.0) for _ in range(_POOL)),
        weekends=tuple(_pooled(chance, 0.6) for _ in range(_POOL)),
        seed=seed,
    )


def junction_series() -> list[SeriesName]:
    """Both directions of four legs, and the twelve flows between them."""
    lines = [SeriesName(LINE, leg, direction.value) for leg in LEGS for direction in Direction]
    return lines + [SeriesName(FLOW, flow.name) for flow in _flows()]


def junction_layout(camera: str) -> CameraLayout:
    """What the box of such a junction would tell of its sections."""
    corners = ((40.0, 40.0), (1240.0, 40.0), (1240.0, 680.0), (40.0, 680.0))
    sections = tuple(
        SectionLayout(
            name=leg, use=Use.TRAFFIC, points_px=(corners[n], corners[(n + 1) % len(corners)])
        )
        for n, leg in enumerate(LEGS)
    )
    return CameraLayout(
        camera=camera, frame_size=_FRAME, is_calibrated=True, sections=sections, flows=_flows()
    )


def minutes_of(day: datetime) -> list[datetime]:
    """Starts of the minutes of one UTC day."""
    first = day.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return [first + timedelta(minutes=n) for n in range(MINUTES)]


def _flows() -> tuple[FlowLayout, ...]:
    return tuple(
        FlowLayout(
            name=f"{start}-{LEGS[(n + turn) % 4]}",
            start=start,
            end=LEGS[(n + turn) % 4],
            movement=movement,
        )
        for n, start in enumerate(LEGS)
        for turn, movement in _MOVEMENTS.items()
    )


def _pooled(chance: np.random.Generator, busy: float) -> PooledDay:
    hours = np.arange(MINUTES) / 60
    peaks = np.exp(-(((hours - 8) / 1.5) ** 2)) + 1.2 * np.exp(-(((hours - 17) / 2) ** 2))
    per_minute = (
        busy * chance.uniform(0.4, 1.6) * (0.3 + 5 * peaks + 2 * np.sin(np.pi * hours / 24))
    )
    means = per_minute[:, None] * np.array(_SHARES[: len(ROAD_USERS)])
    counts = chance.poisson(means)
    speeds = counts[:, 2:].sum(axis=1) * chance.uniform(30, 50)
    return PooledDay(counts=counts, speed_sums_kmh=np.round(speeds, 1))
