"""Mean rates and a seed → who appears when, on which route and how fast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from common.road_users import RoadUser
from edge.simulate.catalogue import VARIANTS, length_of
from edge.simulate.config import SceneConfig
from edge.simulate.layouts import Layout, Route

_LEAST_GAP_S = 1.6
_AREA_M = (5.0, 62.0)
"""Part of the road, in metres north, where only one vehicle may be in a separated scene."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrival:
    """A vehicle about to appear."""

    at_s: float
    road_user: RoadUser
    variant: int
    route: Route
    length_m: float
    desired_mps: float


def arrivals_by_leg(config: SceneConfig, layout: Layout) -> list[Iterator[Arrival]]:
    """One endless stream of arrivals for each lane that enters the scene, in time order."""
    if config.trips or config.vehicles_per_min == 0:
        return []
    if config.separated:
        return [_one_at_a_time(config, layout)]
    legs = sorted({route.leg for route in layout.routes})
    return [_poisson(config, layout, leg, stream) for stream, leg in enumerate(legs)]


def _poisson(config: SceneConfig, layout: Layout, leg: str, stream: int) -> Iterator[Arrival]:
    rng = np.random.default_rng([config.seed, 11, stream])
    routes = [route for route in layout.routes if route.leg == leg]
    lane = routes[0].for_bicycles
    has_lane = any(route.for_bicycles for route in layout.routes)
    kinds = {k: s for k, s in config.mix if (k is RoadUser.BICYCLE) is lane or not has_lane}
    total = sum(kinds.values())
    if total == 0:
        return
    everyone = sum(share for _, share in config.mix)
    # A cycle lane carries the cyclists' share of the traffic; a lane without cyclists the rest.
    rate_per_s = config.vehicles_per_min / 60 * (total / everyone if has_lane else 1.0)
    at_s = 0.0
    weights = np.array(list(kinds.values())) / total
    while True:
        at_s += _LEAST_GAP_S + rng.exponential(max(1 / rate_per_s - _LEAST_GAP_S, 0.2))
        kind = list(kinds)[int(rng.choice(len(weights), p=weights))]
        route = routes[_pick_movement(rng, len(routes))]
        yield _arrival(rng, kind, route, at_s)


def _pick_movement(rng: np.random.Generator, routes: int) -> int:
    """Half of the traffic goes straight on; the first route of a leg does."""
    return 0 if routes == 1 else int(rng.choice(3, p=(0.5, 0.27, 0.23)))


def _arrival(rng: np.random.Generator, kind: RoadUser, route: Route, at_s: float) -> Arrival:
    variant = int(rng.integers(VARIANTS))
    pace = float(rng.normal(1.0, 0.07))
    slow = {RoadUser.BICYCLE: 19.0, RoadUser.TRUCK: 44.0, RoadUser.BUS: 42.0}
    limit = min(route.limit_kmh, slow.get(kind, 200.0)) / 3.6
    return Arrival(
        at_s=at_s,
        road_user=kind,
        variant=variant,
        route=route,
        length_m=length_of(kind, variant),
        desired_mps=limit * min(max(pace, 0.8), 1.2),
    )


def _one_at_a_time(config: SceneConfig, layout: Layout) -> Iterator[Arrival]:
    """The next vehicle enters the counting area only when the one before has left it."""
    rng = np.random.default_rng([config.seed, 12])
    weights = np.array([share for _, share in config.mix])
    weights = weights / weights.sum()
    free_from_s = 1.0
    planned: list[Arrival] = []
    while True:
        kind = config.mix[int(rng.choice(len(weights), p=weights))][0]
        fitting = [r for r in layout.routes if r.for_bicycles is (kind is RoadUser.BICYCLE)]
        route = fitting[int(rng.integers(len(fitting)))]
        arrival = _arrival(rng, kind, route, 0.0)
        norths = sorted(abs(north - route.path.at(0.0)[0].y) for north in _AREA_M)
        lead_s = (norths[0] - arrival.length_m) / arrival.desired_mps
        stay_s = (norths[1] - norths[0] + 2 * arrival.length_m) / arrival.desired_mps
        mean_s = 60 / (2 * config.vehicles_per_min)
        pause_s = float(rng.exponential(max(mean_s - stay_s, 0.5)))
        enter_s = max(free_from_s + pause_s, lead_s)
        free_from_s = enter_s + stay_s
        planned.append(_at(arrival, enter_s - lead_s))
        # Later ones can need an earlier start; nobody needs more than 60 s of lead.
        planned.sort(key=lambda a: a.at_s)
        while planned and planned[0].at_s < free_from_s - 60.0:
            yield planned.pop(0)


def _at(arrival: Arrival, at_s: float) -> Arrival:
    return Arrival(
        at_s=at_s,
        road_user=arrival.road_user,
        variant=arrival.variant,
        route=arrival.route,
        length_m=arrival.length_m,
        desired_mps=arrival.desired_mps,
    )
