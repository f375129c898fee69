"""A class and a variant number → the mesh that is drawn for it."""

from __future__ import annotations

from functools import lru_cache

from common.road_users import RoadUser
from edge.simulate.buses import build_bus
from edge.simulate.mesh import Colour, Mesh
from edge.simulate.people import Clothes, build_cyclist, build_motorcyclist, build_walker
from edge.simulate.trucks import build_truck
from edge.simulate.vehicles import ESTATE, HATCHBACK, SEDAN, SUV, build_car

GAIT_STEPS = 16
VARIANTS = 1680
"""Variant numbers repeat after this many."""

_PAINTS: tuple[Colour, ...] = (
    (225, 225, 225),
    (168, 168, 170),
    (110, 108, 106),
    (44, 44, 46),
    (36, 36, 165),
    (120, 62, 34),
    (205, 200, 190),
    (66, 88, 52),
    (70, 130, 190),
    (60, 30, 96),
)
_CARGO: tuple[Colour, ...] = ((228, 228, 228), (205, 208, 210), (190, 200, 215), (170, 120, 80))
_CABS: tuple[Colour, ...] = (
    (60, 60, 180),
    (225, 225, 225),
    (150, 85, 45),
    (70, 120, 60),
    (50, 150, 220),
)
_LIVERIES: tuple[tuple[Colour, Colour], ...] = (
    ((45, 55, 185), (235, 235, 235)),
    ((225, 225, 225), (60, 140, 60)),
    ((165, 95, 40), (230, 230, 230)),
    ((70, 195, 235), (60, 60, 60)),
    ((95, 140, 70), (240, 240, 240)),
)
_TOPS: tuple[Colour, ...] = (
    (60, 60, 150),
    (150, 100, 60),
    (215, 215, 215),
    (45, 45, 48),
    (70, 130, 70),
    (60, 170, 215),
    (110, 80, 120),
)
_TROUSERS: tuple[Colour, ...] = ((95, 65, 45), (45, 45, 48), (120, 130, 140), (70, 85, 100))
_HAIR: tuple[Colour, ...] = ((35, 40, 50), (60, 85, 120), (25, 25, 25), (110, 115, 120))


def mesh_of(road_user: RoadUser, variant: int, phase: float = 0.0, *, coarse: bool = False) -> Mesh:
    """The mesh of one road user; ``phase`` in turns moves legs and pedals.

    ``coarse`` saves faces on people far away.
    """
    step = 0
    if road_user in (RoadUser.PERSON, RoadUser.BICYCLE):
        step = int(phase * GAIT_STEPS) % GAIT_STEPS
    if road_user is RoadUser.CAR:
        # As many bodies as there are shapes and paints: an hour of cars must not fill memory.
        return _mesh(road_user, variant % (4 * len(_PAINTS)), step, False)
    return _mesh(road_user, variant % VARIANTS, step, coarse)


def length_of(road_user: RoadUser, variant: int) -> float:
    """Extent along the driving direction in metres."""
    return mesh_of(road_user, variant).length_m


@lru_cache(maxsize=512)
def _mesh(road_user: RoadUser, variant: int, step: int, coarse: bool) -> Mesh:
    phase = step / GAIT_STEPS
    if road_user is RoadUser.CAR:
        shape = (SEDAN, HATCHBACK, SUV, ESTATE)[variant % 4]
        return build_car(shape, _PAINTS[variant // 4 % len(_PAINTS)])
    if road_user is RoadUser.TRUCK:
        length_m = (8.2, 7.2, 9.4)[variant % 3]
        return build_truck(_CABS[variant % 5], _CARGO[variant // 5 % 4], length_m)
    if road_user is RoadUser.BUS:
        paint, trim = _LIVERIES[variant % 5]
        return build_bus(paint, trim)
    helmet = _PAINTS[variant // 3 % len(_PAINTS)]
    clothes = Clothes(
        top=_TOPS[variant % 7],
        trousers=_TROUSERS[variant // 7 % 4],
        hair=_HAIR[variant // 5 % 4],
        helmet=helmet if road_user is RoadUser.MOTORCYCLE or variant % 4 == 3 else None,
    )
    if road_user is RoadUser.BICYCLE:
        return build_cyclist(clothes, _PAINTS[variant // 2 % len(_PAINTS)], phase, coarse=coarse)
    if road_user is RoadUser.MOTORCYCLE:
        return build_motorcyclist(clothes, _PAINTS[variant // 2 % len(_PAINTS)], coarse=coarse)
    return build_walker(
        Clothes(top=clothes.top, trousers=clothes.trousers, hair=clothes.hair),
        phase,
        (1.64, 1.74, 1.84)[variant % 3],
        coarse=coarse,
    )
