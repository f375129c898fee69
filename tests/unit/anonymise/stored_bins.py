"""Short ways to say what a camera measured in a minute."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from common.geometry import Direction
from common.road_users import ROAD_USER_INDEX, ROAD_USERS, RoadUser
from common.site import Camera
from edge.keeping.stored import StoredBin
from edge.measure.bins import AreaBin, FlowBin, MinuteBin, Quality, SectionBin

EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

STREET = Camera.model_validate(
    {
        "id": "cam",
        "frame_size": [640, 360],
        "sections": [
            {"name": "north", "line": [[0, 100], [640, 100]]},
            {"name": "south", "line": [[0, 300], [640, 300]]},
            {"name": "east", "line": [[600, 0], [600, 360]]},
        ],
        "flows": [
            {"name": "N-S", "from": "north", "to": "south"},
            {"name": "N-E", "from": "north", "to": "east", "movement": "left"},
        ],
    }
)


def cars(number: int, **others: int) -> tuple[int, ...]:
    """Counts with so many cars, and others by class name."""
    counts = [0] * len(ROAD_USERS)
    counts[ROAD_USER_INDEX[RoadUser.CAR]] = number
    for name, each in others.items():
        counts[ROAD_USER_INDEX[RoadUser(name)]] = each
    return tuple(counts)


def line(name: str, counts: tuple[int, ...] | None, **details: object) -> SectionBin:
    return SectionBin(section=name, direction=Direction.RIGHT, counts=counts, **details)


def stored(
    *,
    minute: int = 0,
    part: int = 0,
    lines: tuple[SectionBin, ...] = (),
    flows: Mapping[str, tuple[int, ...] | None] | None = None,
    areas: tuple[AreaBin, ...] = (),
    camera: str = "cam",
    **changes: object,
) -> StoredBin:
    """A minute as the store gives it back."""
    start = EIGHT + timedelta(minutes=minute)
    plain: dict[str, object] = {
        "coverage_s": 60.0,
        "frames_seen": 1200,
        "frames_dropped": 0,
        "unassigned_share": 0.1,
        "brightness": 120.0,
        "quality": Quality.GOOD,
        "incidents": (("stopped_vehicle", 0),),
        "conflicts": (("time_to_collision", 0),),
    }
    bin_ = MinuteBin(
        camera_id=camera,
        start=start,
        part=part,
        sections=lines,
        flows=tuple(FlowBin(flow=name, counts=each) for name, each in (flows or {}).items()),
        areas=areas,
        **{**plain, **changes},
    )
    return StoredBin(
        row_id=1 + minute, camera_id=camera, start=start, part=part, content=bin_.to_dict()
    )
