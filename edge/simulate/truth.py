"""A scene configuration → every crossing that happens in it, without drawing a pixel."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from common.geometry import Direction, Point, Segment
from common.road_users import RoadUser
from common.site import Camera
from edge.simulate.config import SceneConfig
from edge.simulate.pinhole import PinholeCamera
from edge.simulate.site_camera import scene_camera
from edge.simulate.world import UserState, World

TRUTH_STEP_S = 0.1
_REACH_M = 17.0
"""A foot point lies nearer to the middle of its road user than this."""
_STAY_S = 1.0
"""A step over a line and back within this time is swaying, not crossing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueCrossing:
    """One road user's foot point cut one section.

    Attributes:
        section: Name of the line.
        direction: As ``common.geometry.Direction`` says.
        road_user: What it counts as.
        user_id: Unique in the scene.
        at_s: Scene time, interpolated between two positions 0.1 s apart.
        speed_kmh: Along the ground at that moment.
    """

    section: str
    direction: Direction
    road_user: RoadUser
    user_id: int
    at_s: float
    speed_kmh: float


@dataclass(slots=True)
class _Trail:
    foot: Point
    sides: dict[str, float]


class CrossingWatch:
    """Follows foot points and yields crossings once they have lasted ``_STAY_S``."""

    def __init__(self, camera: Camera) -> None:
        self._segments = {
            section.name: section.segment for section in camera.sections if section.segment
        }
        self._trails: dict[int, _Trail] = {}
        self._fresh: list[TrueCrossing] = []

    def see(
        self, at_s: float, users: Iterable[tuple[int, RoadUser, float, Point]]
    ) -> Iterator[TrueCrossing]:
        """Take everybody's id, class, speed in km/h and foot point at one moment."""
        present = set()
        for user_id, road_user, speed_kmh, foot in users:
            present.add(user_id)
            trail = self._trails.setdefault(user_id, _Trail(foot, {}))
            for name, segment in self._segments.items():
                share = _cut(trail, name, segment, foot)
                if share is not None:
                    crossing = TrueCrossing(
                        section=name,
                        direction=_direction(segment, foot),
                        road_user=road_user,
                        user_id=user_id,
                        at_s=at_s - (1 - share) * TRUTH_STEP_S,
                        speed_kmh=speed_kmh,
                    )
                    self._note(crossing)
            trail.foot = foot
        for gone in self._trails.keys() - present:
            del self._trails[gone]
        yield from self._settled(at_s)

    def finish(self) -> Iterator[TrueCrossing]:
        """What is left when the scene ends."""
        yield from self._settled(float("inf"))

    def _note(self, crossing: TrueCrossing) -> None:
        for earlier in self._fresh:
            same = (earlier.user_id, earlier.section) == (crossing.user_id, crossing.section)
            if same and earlier.direction is not crossing.direction:
                self._fresh.remove(earlier)
                return
        self._fresh.append(crossing)

    def _settled(self, at_s: float) -> list[TrueCrossing]:
        done = [c for c in self._fresh if c.at_s <= at_s - _STAY_S]
        self._fresh = [c for c in self._fresh if c.at_s > at_s - _STAY_S]
        return done


def _cut(trail: _Trail, name: str, segment: Segment, foot: Point) -> float | None:
    """Where between the last foot point (0) and this one (1) the segment is cut, if it is."""
    now = segment.signed_distance(foot)
    before = trail.sides.get(name, 0.0)
    if now == 0.0:
        return None  # on the line: the side it came from still counts
    last = segment.signed_distance(trail.foot)
    trail.sides[name] = now
    if before == 0.0 or (before > 0) == (now > 0):
        return None
    share = last / (last - now) if last != now else 1.0
    spot = Point(
        trail.foot.x + (foot.x - trail.foot.x) * share,
        trail.foot.y + (foot.y - trail.foot.y) * share,
    )
    return share if 0 <= segment.position(spot) <= 1 else None


def _direction(segment: Segment, foot: Point) -> Direction:
    return Direction.RIGHT if segment.signed_distance(foot) > 0 else Direction.LEFT


def watch_crossings(config: SceneConfig) -> Iterator[TrueCrossing]:
    """Crossings of a scene in time order, endless for one without an end.

    The section lines are those of ``scene_camera``; a nudged camera moves the picture
    under them, as it does on the road.
    """
    world = World(config)
    watch = CrossingWatch(scene_camera(config))
    feet = _Feet(world)
    # The last frame is taken one frame before the end.
    end_s = None if config.duration_s is None else config.duration_s - 1 / config.fps
    step = 0
    while end_s is None or step * TRUTH_STEP_S <= end_s + 1e-9:
        at_s = step * TRUTH_STEP_S
        yield from watch.see(at_s, feet.at(at_s))
        step += 1
    yield from watch.finish()


class _Feet:
    """Foot points of those near a line; who stands still is not projected again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[int, tuple[UserState, PinholeCamera, Point | None]] = {}
        ends = [(line.start, line.end) for line in world.layout.lines]
        self._lines = [(Segment(a, b), Point((a.x + b.x) / 2, (a.y + b.y) / 2)) for a, b in ends]

    def at(self, at_s: float) -> list[tuple[int, RoadUser, float, Point]]:
        camera = self._world.camera_at(at_s)
        known = {}
        feet = []
        for user in self._world.at(at_s):
            if not self._is_near(user):
                continue
            last = self._known.get(user.id)
            if last is not None and last[1] is camera and _stands(last[0], user):
                foot = last[2]
            else:
                box = user.box(camera)
                foot = None if box is None else box.foot
            known[user.id] = (user, camera, foot)
            if foot is not None:
                feet.append((user.id, user.road_user, user.speed_mps * 3.6, foot))
        self._known = known
        return feet

    def _is_near(self, user: UserState) -> bool:
        return any(
            math.hypot(user.east_m - middle.x, user.north_m - middle.y)
            < _REACH_M + segment.length / 2
            and abs(segment.signed_distance(Point(user.east_m, user.north_m))) < _REACH_M
            for segment, middle in self._lines
        )


def _stands(before: UserState, now: UserState) -> bool:
    return (before.east_m, before.north_m, before.phase) == (now.east_m, now.north_m, now.phase)


def scene_truth(config: SceneConfig) -> dict[str, Any]:
    """The truth of a scene that ends, in the JSON shape of hand-counted truth files.

    Raises:
        ValueError: The scene has no duration.
    """
    frames = config.frames
    if frames is None:
        raise ValueError("a scene without duration has no complete truth, expected duration_s")
    camera = scene_camera(config)
    crossings = sorted(watch_crossings(config), key=lambda c: (c.at_s, c.user_id))
    return {
        "width": config.width_px,
        "height": config.height_px,
        "fps": config.fps,
        "frames": frames,
        "duration_s": config.duration_s,
        "counted_point": "bottom-centre of the box",
        "lines": [_line_truth(s.name, s.line, crossings) for s in camera.sections if s.line],
        "flows": _flow_truth(camera, crossings),
    }


def _line_truth(
    name: str,
    line: tuple[tuple[float, float], tuple[float, float]],
    crossings: list[TrueCrossing],
) -> dict[str, Any]:
    events = [
        {
            "time_s": round(c.at_s, 3),
            "class": str(c.road_user),
            "direction": str(c.direction),
            "sure": True,
            "user": c.user_id,
            "speed_kmh": round(c.speed_kmh, 2),
        }
        for c in crossings
        if c.section == name
    ]
    return {
        "name": name,
        "p1": list(line[0]),
        "p2": list(line[1]),
        "total": len(events),
        "events": events,
    }


def _flow_truth(camera: Camera, crossings: list[TrueCrossing]) -> list[dict[str, Any]]:
    """First passage of the start section followed by the end section, for each road user."""
    passages = []
    for flow in camera.flows:
        entered: dict[int, float] = {}
        for crossing in crossings:
            if crossing.section == flow.start:
                entered.setdefault(crossing.user_id, crossing.at_s)
            elif crossing.section == flow.end and crossing.user_id in entered:
                passages.append(
                    {
                        "name": flow.name,
                        "movement": str(flow.movement),
                        "class": str(crossing.road_user),
                        "user": crossing.user_id,
                        "entered_s": round(entered.pop(crossing.user_id), 3),
                        "left_s": round(crossing.at_s, 3),
                    }
                )
    return sorted(passages, key=lambda p: (p["left_s"], p["user"]))
