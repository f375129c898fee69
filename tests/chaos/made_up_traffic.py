"""Seed, camera and minute → a bin whose numbers are known without measuring anything.

The same question always has the same answer, so a box that was killed goes on where it was.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from common.geometry import Direction
from common.road_users import ROAD_USERS
from edge.measure.bins import AreaBin, Counts, FlowBin, MinuteBin, Quality, SectionBin
from edge.measure.statistics import SPEED_CLASS_KMH

LINES = ("north", "south")
FLOW = "north to south"
APPROACH, CROSSWALK = "queue", "zebra"
_LATE_SHARE, _LATER_SHARE, _BLIND_SHARE, _HALF_SHARE = 0.05, 0.01, 0.04, 0.06
_MOST_LATE_MINUTES = 9
_LATER_BY = 3


def step(seed: str, camera: str, begin: datetime, number: int) -> Iterator[MinuteBin]:
    """What a camera hands on when its minute ``number`` closes: that minute, and late parts."""
    yield whole_minute(seed, camera, begin + timedelta(minutes=number))
    for back in range(1, _MOST_LATE_MINUTES + _LATER_BY + 1):
        if number - back < 0:
            return
        start = begin + timedelta(minutes=number - back)
        chance = _chance(seed, camera, start, "late")
        first_after, share = chance.randint(1, _MOST_LATE_MINUTES), chance.random()
        if back == first_after and share < _LATE_SHARE:
            yield late_part(seed, camera, start, part=1)
        if back == first_after + _LATER_BY and share < _LATER_SHARE:
            yield late_part(seed, camera, start, part=2)


def whole_minute(seed: str, camera: str, start: datetime) -> MinuteBin:
    """One minute: watched, half watched, or not watched at all."""
    chance = _chance(seed, camera, start)
    kind = chance.random()
    if kind < _BLIND_SHARE:
        return _blind_minute(camera, start)
    is_half = kind < _BLIND_SHARE + _HALF_SHARE
    coverage_s = round(chance.uniform(10, 50), 3) if is_half else 60.0
    return MinuteBin(
        camera_id=camera,
        start=start,
        coverage_s=coverage_s,
        frames_seen=round(coverage_s * 10),
        frames_dropped=chance.choice((0, 0, 0, 7)),
        unassigned_share=round(chance.random() / 10, 4),
        brightness=round(chance.uniform(20, 200), 1),
        quality=Quality.PARTIAL if is_half else chance.choice((Quality.GOOD, Quality.DEGRADED)),
        flags=("offline",) if is_half else (),
        gaps=((coverage_s, 60.0),) if is_half else (),
        sections=tuple(
            _section(chance, line, direction) for line in LINES for direction in Direction
        ),
        flows=(FlowBin(flow=FLOW, counts=_counts(chance, 3)),),
        areas=(
            AreaBin(
                section=APPROACH,
                occupied_share=round(chance.random(), 2),
                queue_most=chance.randint(0, 12),
                queue_most_m=chance.choice((None, round(chance.uniform(0, 80), 2))),
                dwell_mean_s=chance.choice((None, round(chance.uniform(1, 90), 2))),
            ),
            AreaBin(section=CROSSWALK, occupied_share=0.0, walks=chance.randint(0, 20)),
        ),
        incidents=(("wrong_way", 1),) if chance.random() < 0.1 else (),
        conflicts=(),
    )


def late_part(seed: str, camera: str, start: datetime, *, part: int) -> MinuteBin:
    """Road users of a minute that was handed on before they were decided."""
    chance = _chance(seed, camera, start, part)
    return MinuteBin(
        camera_id=camera,
        start=start,
        part=part,
        coverage_s=0.0,
        frames_seen=0,
        frames_dropped=0,
        unassigned_share=None,
        brightness=None,
        quality=Quality.PARTIAL,
        sections=(
            SectionBin(section=LINES[0], direction=Direction.RIGHT, counts=_counts(chance, 2)),
        ),
        flows=(FlowBin(flow=FLOW, counts=_counts(chance, 1)),),
        incidents=(),
        conflicts=(),
    )


def _blind_minute(camera: str, start: datetime) -> MinuteBin:
    return MinuteBin(
        camera_id=camera,
        start=start,
        coverage_s=0.0,
        frames_seen=0,
        frames_dropped=0,
        unassigned_share=None,
        brightness=None,
        quality=Quality.NO_DATA,
        flags=("offline",),
        gaps=((0.0, 60.0),),
        sections=tuple(
            SectionBin(section=line, direction=direction, counts=None)
            for line in LINES
            for direction in Direction
        ),
        flows=(FlowBin(flow=FLOW, counts=None),),
        areas=(AreaBin(section=APPROACH), AreaBin(section=CROSSWALK)),
    )


def _section(chance: random.Random, line: str, direction: Direction) -> SectionBin:
    counts = _counts(chance, 12)
    vehicles = sum(counts)
    speeds: dict[int, int] = {}
    for _ in range(vehicles if chance.random() < 0.7 else 0):
        low = SPEED_CLASS_KMH * chance.randint(3, 12)
        speeds[low] = speeds.get(low, 0) + 1
    measured = sum(speeds.values())
    return SectionBin(
        section=line,
        direction=direction,
        counts=counts,
        speeds=tuple(sorted(speeds.items())),
        speed_sum_kmh=round(measured * chance.uniform(15, 60), 3),
        headways=max(0, vehicles - 1),
        headway_sum_s=round(max(0, vehicles - 1) * chance.uniform(1, 9), 3),
        headway_least_s=round(chance.uniform(0.5, 3), 2) if vehicles > 1 else None,
        time_gaps=max(0, vehicles - 1),
        time_gap_sum_s=round(max(0, vehicles - 1) * chance.uniform(0.5, 8), 3),
        inferred=chance.randint(0, 1) if vehicles else 0,
    )


def _counts(chance: random.Random, most: int) -> Counts:
    # Many classes see nobody in a minute: a measured 0 must not become NULL, nor the reverse.
    return tuple(chance.randint(0, most) if chance.random() < 0.5 else 0 for _ in ROAD_USERS)


def _chance(*names: object) -> random.Random:
    return random.Random(" ".join(map(str, names)))  # noqa: S311 - made-up traffic, no secret
