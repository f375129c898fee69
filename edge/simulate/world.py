"""A scene configuration → where every road user is at any rising moment, without pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from common.geometry import Box
from common.road_users import RoadUser
from edge.simulate.arrivals import Arrival, arrivals_by_leg
from edge.simulate.catalogue import mesh_of
from edge.simulate.config import LayoutKind, SceneConfig, Trip
from edge.simulate.layouts import LEGS, build_layout
from edge.simulate.painter import PlacedMesh, Pose
from edge.simulate.pinhole import PinholeCamera
from edge.simulate.signals import Signal, SignalProgram
from edge.simulate.traffic import STEP_S, Traffic, Vehicle
from edge.simulate.walkers import Walker, Walkers

_AXLE_SHARE = 0.29
_PEDAL_TURN_M = 4.5
_STRIDE_M = 1.45
_COARSE_BEYOND = 0.03
"""Metres for each pixel of focal length: a person is then 58 px high."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserState:
    """One road user at one moment.

    Attributes:
        id: Unique in the scene, from 1.
        road_user: What it counts as; a cycle and its rider are one.
        variant: Which model and colour.
        east_m: Position of its middle on the ground.
        north_m: Position of its middle on the ground.
        heading_rad: Anticlockwise from east.
        speed_mps: Along the ground.
        phase: Turns of legs or pedals.
        braking: Brake lamps are on.
    """

    id: int
    road_user: RoadUser
    variant: int
    east_m: float
    north_m: float
    heading_rad: float
    speed_mps: float
    phase: float = 0.0
    braking: bool = False

    def placed(self, camera: PinholeCamera) -> PlacedMesh:
        """Its mesh in the world and in the picture."""
        away_m = math.hypot(self.east_m - camera.east_m, self.north_m - camera.north_m)
        coarse = away_m > _COARSE_BEYOND * camera.focal_px
        mesh = mesh_of(self.road_user, self.variant, self.phase, coarse=coarse)
        pose = Pose(east_m=self.east_m, north_m=self.north_m, heading_rad=self.heading_rad)
        return PlacedMesh.at(mesh, pose, camera)

    def box(self, camera: PinholeCamera) -> Box | None:
        """Tight box of its pixels before anything hides it, or None out of view."""
        return self.placed(camera).box(camera)


class World:
    """The moving part of a scene; holds only who is present, so it runs for days."""

    def __init__(self, config: SceneConfig) -> None:
        self.config = config
        self.layout = build_layout(config)
        self._nudged = self.layout.camera.nudged(config.nudge_px)
        self.signals = (
            SignalProgram(offset_s=float(config.seed * 7 % 79))
            if config.layout is LayoutKind.JUNCTION and config.traffic_light
            else None
        )
        self.traffic = Traffic(self.signals)
        self.walkers = Walkers(config, self.layout.footpaths)
        self._arrivals: list[Iterator[Arrival]] = arrivals_by_leg(config, self.layout)
        self._pending: list[Arrival | None] = [next(a, None) for a in self._arrivals]
        self._next_id = 1 + len(config.trips)
        self._steps = 0

    @property
    def stepped_s(self) -> float:
        """Scene time up to which everybody has moved."""
        return self._steps * STEP_S

    def at(self, at_s: float) -> tuple[UserState, ...]:
        """Everybody present at ``at_s``, ordered by id.

        Raises:
            ValueError: ``at_s`` lies before a moment that was already asked for.
        """
        if at_s < self.stepped_s - STEP_S - 1e-9:
            raise ValueError(f"scene time {at_s} s is past, the scene is at {self.stepped_s} s")
        while self.stepped_s < at_s - 1e-9:
            self._step()
        share = 1 - (self.stepped_s - at_s) / STEP_S
        moving = [_of_vehicle(v, share) for v in self.traffic.vehicles]
        moving += [_of_walker(w, share) for w in self.walkers.walkers]
        scripted = [_on_trip(i, trip, at_s) for i, trip in enumerate(self.config.trips, start=1)]
        everybody = moving + [s for s in scripted if s is not None]
        return tuple(sorted(everybody, key=lambda s: s.id))

    def camera_at(self, at_s: float) -> PinholeCamera:
        """The camera, knocked out of its aim from ``nudge_at_s`` on."""
        nudge = self.config.nudge_at_s
        return self._nudged if nudge is not None and at_s >= nudge else self.layout.camera

    def signal_heads(self, at_s: float) -> dict[str, Signal]:
        """Leg → what its signal shows; empty without signals."""
        if self.signals is None:
            return {}
        return {leg: self.signals.for_leg(leg, at_s) for leg in LEGS}

    def _step(self) -> None:
        at_s = self.stepped_s
        for i, stream in enumerate(self._arrivals):
            arrival = self._pending[i]
            if arrival is not None and arrival.at_s <= at_s and self.traffic.has_room(arrival):
                self.traffic.add(arrival, self._next_id)
                self._next_id += 1
                self._pending[i] = next(stream, None)
        self.traffic.step(at_s, people_on_road=self.walkers.on_road)
        self._next_id += self.walkers.step(at_s, self._next_id, may_cross=self._may_walk(at_s))
        self._steps += 1

    def _may_walk(self, at_s: float) -> bool:
        if self.signals is not None:
            return self.signals.may_start_walking(at_s) and not self.traffic.box_is_busy
        return not self.traffic.box_is_busy


def _of_vehicle(vehicle: Vehicle, share: float) -> UserState:
    """Both axles stay on the path, as those of a real vehicle nearly do."""
    along_m = vehicle.before_m + (vehicle.along_m - vehicle.before_m) * share
    reach = vehicle.length_m * _AXLE_SHARE
    front, _ = vehicle.route.path.at(along_m + reach)
    rear, _ = vehicle.route.path.at(along_m - reach)
    return UserState(
        id=vehicle.id,
        road_user=vehicle.road_user,
        variant=vehicle.variant,
        east_m=(front.x + rear.x) / 2,
        north_m=(front.y + rear.y) / 2,
        heading_rad=math.atan2(front.y - rear.y, front.x - rear.x),
        speed_mps=vehicle.before_mps + (vehicle.speed_mps - vehicle.before_mps) * share,
        phase=along_m / _PEDAL_TURN_M,
        braking=vehicle.braking,
    )


def _of_walker(walker: Walker, share: float) -> UserState:
    along_m = walker.before_m + (walker.along_m - walker.before_m) * share
    spot, heading = walker.footpath.path.at(along_m)
    return UserState(
        id=walker.id,
        road_user=RoadUser.PERSON,
        variant=walker.variant,
        east_m=spot.x - walker.aside_m * math.sin(heading),
        north_m=spot.y + walker.aside_m * math.cos(heading),
        heading_rad=heading,
        speed_mps=walker.speed_mps,
        phase=along_m / _STRIDE_M if walker.speed_mps > 0 else 0.0,
    )


def _on_trip(user_id: int, trip: Trip, at_s: float) -> UserState | None:
    points = trip.waypoints
    if not points[0].at_s <= at_s <= points[-1].at_s:
        return None
    i = next(k for k in range(len(points) - 1) if at_s <= points[k + 1].at_s)
    a, b = points[i], points[i + 1]
    share = (at_s - a.at_s) / (b.at_s - a.at_s)
    east, north = b.east_m - a.east_m, b.north_m - a.north_m
    moved = math.hypot(east, north)
    gone = sum(
        math.hypot(q.east_m - p.east_m, q.north_m - p.north_m) for p, q in pairwise(points[: i + 1])
    )
    turn_m = _STRIDE_M if trip.road_user is RoadUser.PERSON else _PEDAL_TURN_M
    return UserState(
        id=user_id,
        road_user=trip.road_user,
        variant=trip.variant,
        east_m=a.east_m + east * share,
        north_m=a.north_m + north * share,
        heading_rad=_trip_heading(trip, i),
        speed_mps=moved / (b.at_s - a.at_s),
        phase=(gone + moved * share) / turn_m,
    )


def _trip_heading(trip: Trip, leg: int) -> float:
    """Where the piece leads; while it stands still, where the last moving piece led."""
    if trip.heading_deg is not None:
        return math.radians(trip.heading_deg)
    points = trip.waypoints
    for k in [*range(leg, -1, -1), *range(leg + 1, len(points) - 1)]:
        a, b = points[k], points[k + 1]
        if (a.east_m, a.north_m) != (b.east_m, b.north_m):
            return math.atan2(b.north_m - a.north_m, b.east_m - a.east_m)
    return 0.0
