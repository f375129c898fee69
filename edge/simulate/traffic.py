"""Routes and arrivals → vehicles that follow each other, stop at red and turn.

Car-following is the Intelligent Driver Model (Treiber, Hennecke and Helbing,
Phys. Rev. E 62, 2000); arrivals are Poisson with a least gap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from common.road_users import RoadUser
from edge.simulate.arrivals import Arrival
from edge.simulate.layouts import Route
from edge.simulate.signals import Signal, SignalProgram

STEP_S = 0.05
_GAP_M, _HEADWAY_S, _COMFORT = 2.0, 1.4, 2.2
_HARDEST_BRAKING = 8.0
_POWER = {RoadUser.BUS: 1.1, RoadUser.TRUCK: 1.0, RoadUser.BICYCLE: 0.9}
_SIDE_BY_SIDE_M = 5.0
_TURN_TAKING_M = 14.0


@dataclass(slots=True, kw_only=True)
class Vehicle:
    """One vehicle on its route; ``along_m`` is its middle, ``before_m`` one step earlier."""

    id: int
    road_user: RoadUser
    variant: int
    route: Route
    length_m: float
    desired_mps: float
    along_m: float
    speed_mps: float
    before_m: float = 0.0
    before_mps: float = 0.0
    braking: bool = False
    waiting_since_s: float = field(default=float("inf"))

    @property
    def front_m(self) -> float:
        """Distance of the front bumper from the start of the route."""
        return self.along_m + self.length_m / 2

    @property
    def rear_m(self) -> float:
        """Distance of the rear bumper from the start of the route."""
        return self.along_m - self.length_m / 2

    @property
    def remaining_m(self) -> float:
        """Distance of the middle from the end of the route."""
        return self.route.path.length_m - self.along_m

    @property
    def in_box(self) -> bool:
        """True between the stop line and the moment the rear has left the junction."""
        stop = self.route.stop_m
        return stop is not None and self.front_m > stop + 0.5 and self.rear_m < self.route.box_to_m


class Traffic:
    """All vehicles of a scene, moved in steps of ``STEP_S``."""

    def __init__(self, signals: SignalProgram | None) -> None:
        self.vehicles: list[Vehicle] = []
        self._signals = signals
        self._owner: str | None = None

    def has_room(self, arrival: Arrival) -> bool:
        """True when nobody stands where the arrival would appear."""
        needed = arrival.length_m / 2 + _GAP_M + arrival.desired_mps * 0.8
        return all(v.rear_m > needed for v in self.vehicles if v.route.leg == arrival.route.leg)

    def add(self, arrival: Arrival, vehicle_id: int) -> None:
        """Let an arrival appear at the start of its route."""
        leader = min(
            (
                v.speed_mps
                for v in self.vehicles
                if v.route.leg == arrival.route.leg and v.rear_m < 3 * arrival.desired_mps
            ),
            default=arrival.desired_mps,
        )
        self.vehicles.append(
            Vehicle(
                id=vehicle_id,
                road_user=arrival.road_user,
                variant=arrival.variant,
                route=arrival.route,
                length_m=arrival.length_m,
                desired_mps=arrival.desired_mps,
                along_m=0.0,
                speed_mps=min(arrival.desired_mps, leader),
            )
        )

    def step(self, at_s: float, *, people_on_road: bool) -> None:
        """Move everybody by one step and forget those who left."""
        legs_in_box = {v.route.leg for v in self.vehicles if v.in_box}
        if self._signals is None:
            self._take_turns(at_s, legs_in_box, people_on_road=people_on_road)
        pulls = [
            self._acceleration(v, at_s, legs_in_box, people_on_road=people_on_road)
            for v in self.vehicles
        ]
        for vehicle, pull in zip(self.vehicles, pulls, strict=True):
            before = vehicle.speed_mps
            vehicle.before_m, vehicle.before_mps = vehicle.along_m, before
            vehicle.speed_mps = max(0.0, before + pull * STEP_S)
            vehicle.along_m += (before + vehicle.speed_mps) / 2 * STEP_S
            vehicle.braking = pull < -0.6 or vehicle.speed_mps < 0.1
        self.vehicles = [v for v in self.vehicles if v.along_m < v.route.path.length_m]

    @property
    def box_is_busy(self) -> bool:
        """True while any vehicle is between the stop lines."""
        return any(v.in_box for v in self.vehicles)

    def _acceleration(
        self, vehicle: Vehicle, at_s: float, legs_in_box: set[str], *, people_on_road: bool
    ) -> float:
        power = _POWER.get(vehicle.road_user, 1.7)
        wanted = self._wanted_speed(vehicle)
        free = power * (1 - (vehicle.speed_mps / wanted) ** 4)
        gap, closing = self._leader(vehicle)
        pull = min(free, free - power * (_wished_gap(vehicle, closing, power) / gap) ** 2)
        stop = self._distance_to_stop(vehicle, at_s, legs_in_box, people_on_road=people_on_road)
        if stop is not None:
            wished = _wished_gap(vehicle, vehicle.speed_mps, power) - _GAP_M + 0.6
            pull = min(pull, free - power * (wished / max(stop, 0.1)) ** 2)
        return max(pull, -_HARDEST_BRAKING)

    def _wanted_speed(self, vehicle: Vehicle) -> float:
        route = vehicle.route
        turn = min(vehicle.desired_mps, route.turn_kmh / 3.6)
        if vehicle.front_m >= route.box_from_m:
            return turn if vehicle.rear_m < route.box_to_m else vehicle.desired_mps
        ahead = route.box_from_m - vehicle.front_m
        return min(vehicle.desired_mps, float(np.sqrt(turn**2 + 2 * 1.3 * ahead)))

    def _leader(self, vehicle: Vehicle) -> tuple[float, float]:
        """Gap in metres and closing speed to the nearest vehicle ahead on the same lane."""
        gap, closing = 1e6, 0.0
        mine = vehicle.route
        for other in self.vehicles:
            route = other.route
            found = 1e6
            if route.leg == mine.leg:
                if other.along_m <= vehicle.along_m:
                    continue
                rear_m = other.along_m - other.length_m / 2
                if route is mine or rear_m <= route.box_from_m + _SIDE_BY_SIDE_M:
                    found = rear_m - vehicle.along_m - vehicle.length_m / 2
            elif route.exit == mine.exit and other.front_m > route.box_to_m - 4.0:
                lead = vehicle.remaining_m - other.remaining_m
                found = lead - (vehicle.length_m + other.length_m) / 2 if lead > 0 else 1e6
            if found < gap:
                gap, closing = found, vehicle.speed_mps - other.speed_mps
        return max(gap, 0.1), closing

    def _distance_to_stop(
        self, vehicle: Vehicle, at_s: float, legs_in_box: set[str], *, people_on_road: bool
    ) -> float | None:
        """Distance to a stop line that must not be passed, or None when the way is free."""
        if vehicle.route.stop_m is None:
            return None
        ahead = vehicle.route.stop_m - vehicle.front_m
        if ahead < -0.5:
            return None
        if people_on_road or legs_in_box - {vehicle.route.leg}:
            return ahead
        if self._signals is None:
            return None if self._owner == vehicle.route.leg else ahead
        signal = self._signals.for_leg(vehicle.route.leg, at_s)
        if signal is Signal.GREEN:
            return None
        can_stop = vehicle.speed_mps**2 / 2 / 3.0 < max(ahead, 0.1)
        return ahead if signal is Signal.RED or can_stop else None

    def _take_turns(self, at_s: float, legs_in_box: set[str], *, people_on_road: bool) -> None:
        """Without signals the leg that has waited longest goes when the box is empty."""
        for vehicle in self.vehicles:
            stop = vehicle.route.stop_m
            if stop is not None and -0.5 <= stop - vehicle.front_m < _TURN_TAKING_M:
                vehicle.waiting_since_s = min(vehicle.waiting_since_s, at_s)
            else:
                vehicle.waiting_since_s = float("inf")
        if legs_in_box or people_on_road:
            return
        waiting = [v for v in self.vehicles if np.isfinite(v.waiting_since_s)]
        self._owner = (
            min(waiting, key=lambda v: (v.waiting_since_s, v.id)).route.leg if waiting else None
        )


def _wished_gap(vehicle: Vehicle, closing_mps: float, power: float) -> float:
    dynamic = vehicle.speed_mps * _HEADWAY_S
    dynamic += vehicle.speed_mps * closing_mps / (2 * float(np.sqrt(power * _COMFORT)))
    return _GAP_M + max(0.0, dynamic)


def queue_length(vehicles: Iterable[Vehicle], leg: str) -> int:
    """How many vehicles of a leg stand before its stop line."""
    return sum(
        v.route.leg == leg
        and v.route.stop_m is not None
        and v.front_m < v.route.stop_m + 0.5
        and v.speed_mps < 0.5
        for v in vehicles
    )
