"""The kind of place → lanes, footpaths, counting sections and the camera that sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.geometry import Point
from common.site import Movement, Use
from edge.simulate.config import LayoutKind, SceneConfig
from edge.simulate.paths import Path, corner
from edge.simulate.pinhole import PinholeCamera

LANE_M = 3.5
BOX_M = 9.0
STOP_LINE_M = 14.0
CROSSWALK_M = (10.4, 12.9)
SECTION_M = 9.4
_FULL_WIDTH_PX = 1280


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """One way through the scene for vehicles.

    Attributes:
        name: Unique, such as ``south-left``.
        leg: Where it comes from; vehicles of one leg share a lane up to ``box_from_m``.
        exit: Where it goes; vehicles of one exit share a lane from ``box_to_m`` on.
        path: The way.
        movement: What it does at the junction.
        stop_m: Distance of the stop line from the start, or None on a road.
        box_from_m: Where ways of one leg begin to part.
        box_to_m: Where ways to one exit have joined.
        limit_kmh: Speed limit.
        turn_kmh: Speed inside the box.
        for_bicycles: A cycle lane; other vehicles keep off it.
    """

    name: str
    leg: str
    exit: str
    path: Path
    movement: Movement = Movement.THRU
    stop_m: float | None = None
    box_from_m: float
    box_to_m: float
    limit_kmh: float
    turn_kmh: float
    for_bicycles: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Footpath:
    """A way for people on foot; they wait at ``kerb_m`` and are across at ``over_m``."""

    name: str
    path: Path
    kerb_m: float | None = None
    over_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundLine:
    """A counting line on the road, in metres, and what it is for."""

    name: str
    start: Point
    end: Point
    use: Use = Use.TRAFFIC


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """A place: what can move where, and what is counted.

    Attributes:
        kind: Road or junction.
        routes: Ways of vehicles.
        footpaths: Ways of people.
        lines: Counting lines on the ground.
        flows: Name, start line, end line and movement.
        camera: The camera at its undisturbed aim.
    """

    kind: LayoutKind
    routes: tuple[Route, ...]
    footpaths: tuple[Footpath, ...]
    lines: tuple[GroundLine, ...]
    flows: tuple[tuple[str, str, str, Movement], ...]
    camera: PinholeCamera


def build_layout(config: SceneConfig) -> Layout:
    """The place a configuration asks for, seen in its frame size."""
    return _road(config) if config.layout is LayoutKind.ROAD else _junction(config)


def _camera(
    config: SceneConfig,
    *,
    spot: tuple[float, float, float],
    yaw_deg: float,
    pitch_deg: float,
    focal_px: float,
) -> PinholeCamera:
    scale = min(config.width_px / _FULL_WIDTH_PX, config.height_px / 720)
    return PinholeCamera(
        east_m=spot[0],
        north_m=spot[1],
        height_m=spot[2],
        yaw_rad=float(np.radians(yaw_deg)),
        pitch_rad=float(np.radians(pitch_deg)),
        focal_px=focal_px * scale,
        width_px=config.width_px,
        height_px=config.height_px,
    )


def _straight_route(name: str, points: list[Point]) -> Route:
    is_cycle_lane = name.startswith("cycle")
    return Route(
        name=name,
        leg=name,
        exit=name,
        path=Path.through(points),
        box_from_m=1e9,
        box_to_m=0.0,
        limit_kmh=20.0 if is_cycle_lane else 50.0,
        turn_kmh=50.0,
        for_bicycles=is_cycle_lane,
    )


def _road(config: SceneConfig) -> Layout:
    near, far = -14.0, 170.0
    half = LANE_M / 2
    ways = {
        "northbound": [Point(half, near), Point(half, far)],
        "southbound": [Point(-half, far), Point(-half, near)],
        "cycle-north": [Point(LANE_M + 1.1, near), Point(LANE_M + 1.1, far)],
        "cycle-south": [Point(-LANE_M - 1.1, far), Point(-LANE_M - 1.1, near)],
    }
    routes = tuple(_straight_route(name, points) for name, points in ways.items())
    walk = [Point(8.4, 8.0), Point(8.4, 60.0)]
    footpaths = (
        Footpath(name="footpath-up", path=Path.through(walk)),
        Footpath(
            name="footpath-down", path=Path.through([p._replace(x=p.x + 1.0) for p in walk[::-1]])
        ),
    )
    lines = (
        GroundLine(name="near", start=Point(-6.3, 19.0), end=Point(6.6, 19.0)),
        GroundLine(name="far", start=Point(-6.6, 31.0), end=Point(6.8, 31.0)),
        GroundLine(
            name="footpath", start=Point(7.2, 25.0), end=Point(11.0, 25.0), use=Use.CROSSWALK
        ),
    )
    flows = (
        ("northbound", "near", "far", Movement.THRU),
        ("southbound", "far", "near", Movement.THRU),
    )
    camera = _camera(config, spot=(-7.0, 0.0, 6.5), yaw_deg=74.0, pitch_deg=16.0, focal_px=1000.0)
    return Layout(
        kind=config.layout,
        routes=routes,
        footpaths=footpaths,
        lines=lines,
        flows=flows,
        camera=camera,
    )


LEGS = {"south": -90.0, "east": 0.0, "north": 90.0, "west": 180.0}
"""Leg → its direction seen from the middle of the junction, degrees anticlockwise from east."""

_TURNS = {Movement.THRU: 180.0, Movement.RIGHT: 90.0, Movement.LEFT: -90.0}
"""Movement → angle from the entry leg to the exit leg, for traffic that keeps right."""


def _turned(point: Point, degrees: float) -> Point:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return Point(float(point.x * cos - point.y * sin), float(point.x * sin + point.y * cos))


def _leg_at(degrees: float) -> str:
    for name, angle in LEGS.items():
        if abs((angle - degrees + 180) % 360 - 180) < 1:
            return name
    raise ValueError(f"no leg at {degrees} degrees")


def _turning_route(leg: str, movement: Movement) -> Route:
    """Built for a leg along +x (east), then turned into place."""
    reach, half = 95.0, LANE_M / 2
    out = _TURNS[movement]
    entry = [Point(reach, half), Point(BOX_M, half)]
    leave = [_turned(Point(BOX_M, -half), out), _turned(Point(reach, -half), out)]
    if movement is Movement.THRU:
        points = [entry[0], entry[1], leave[0], leave[1]]
    else:
        control = Point(leave[0].x, half)
        points = [entry[0], *corner(entry[1], control, leave[0]), leave[1]]
    path = Path.through([_turned(p, LEGS[leg]) for p in points])
    return Route(
        name=f"{leg}-{movement}",
        leg=leg,
        exit=_leg_at(LEGS[leg] + out),
        path=path,
        movement=movement,
        stop_m=reach - STOP_LINE_M,
        box_from_m=reach - BOX_M,
        box_to_m=path.length_m - (reach - BOX_M),
        limit_kmh=45.0,
        turn_kmh={Movement.THRU: 45.0, Movement.LEFT: 24.0}.get(movement, 18.0),
    )


def _junction(config: SceneConfig) -> Layout:
    routes = tuple(_turning_route(leg, movement) for leg in LEGS for movement in _TURNS)
    footpaths = []
    middle = sum(CROSSWALK_M) / 2
    for name, degrees, reach in (("south", -90.0, 24.0), ("east", 0.0, 24.0)):
        for way in (1, -1):
            ends = [Point(middle + 0.45 * way, y * way) for y in (-reach, reach)]
            path = Path.through([_turned(p, degrees) for p in ends])
            footpaths.append(
                Footpath(
                    name=f"{name}-{'out' if way > 0 else 'back'}",
                    path=path,
                    kerb_m=reach - LANE_M - 0.9,
                    over_m=reach + LANE_M + 0.6,
                )
            )
    lines = [
        GroundLine(
            name=f"{leg}-leg",
            start=_turned(Point(SECTION_M, -LANE_M - 1.6), angle),
            end=_turned(Point(SECTION_M, LANE_M + 1.6), angle),
        )
        for leg, angle in LEGS.items()
    ]
    for leg in ("south", "east"):
        # At the far kerb of the way in: the foot points of vehicles never get there.
        start, end = (_turned(Point(x, LANE_M - 0.4), LEGS[leg]) for x in CROSSWALK_M)
        lines.append(GroundLine(name=f"{leg}-crosswalk", start=start, end=end, use=Use.CROSSWALK))
    flows = tuple((r.name, f"{r.leg}-leg", f"{r.exit}-leg", r.movement) for r in routes)
    camera = _camera(config, spot=(-14.0, -21.0, 8.5), yaw_deg=56.0, pitch_deg=18.5, focal_px=960.0)
    return Layout(
        kind=config.layout,
        routes=routes,
        footpaths=tuple(footpaths),
        lines=tuple(lines),
        flows=flows,
        camera=camera,
    )
