"""Flows between the legs of a junction → a drawing: arms around a centre, ribbons between them.

A box knows its own picture, not the points of the compass. Legs that are named after one stand
there; others stand as their left, straight and right turns say, and what is left is dealt
around the circle. The drawing is a scheme, not a plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import cos, hypot, radians, sin

SIZE = 420
_CENTRE = SIZE / 2
_ARM_FROM, _ARM_TO, _LANE = 92.0, 165.0, 13.0
_THINNEST, _THICKEST = 1.5, 15.0

# Degrees clockwise from the top of the drawing.
_COMPASS = {
    "north": 0, "n": 0, "northeast": 45, "ne": 45, "east": 90, "e": 90, "southeast": 135, "se": 135,
    "south": 180, "s": 180, "southwest": 225, "sw": 225, "west": 270, "w": 270, "northwest": 315,
    "nw": 315, "nord": 0, "ost": 90, "süd": 180, "sud": 180,
}  # fmt: skip
_TURNS = {"left": 90, "thru": 180, "right": 270}
"""Movement → where its exit lies, clockwise from its entry, seen from above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One flow with its number; None where nothing was counted."""

    leg: str
    to_leg: str
    movement: str
    count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One leg as it is drawn; ``x`` and ``y`` are where its name stands."""

    name: str
    road: str
    x: float
    y: float
    anchor: str
    entering: int | None
    leaving: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ribbon:
    """One flow as it is drawn, as wide as it is strong."""

    turn: Turn
    path: str
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    """What a template draws in a square of ``SIZE``."""

    arms: Sequence[Arm]
    ribbons: Sequence[Ribbon]


def draw_movements(turns: Sequence[Turn]) -> Diagram:
    """Arms and ribbons; the strongest flow has the widest one."""
    angles = leg_angles(turns)
    strongest = max((turn.count or 0 for turn in turns), default=0)
    ribbons = [
        Ribbon(turn=turn, path=_path(turn, angles), width=_width(turn.count, strongest))
        for turn in turns
    ]
    return Diagram(
        arms=[_arm(leg, angle, turns) for leg, angle in angles.items()],
        # The weak ones on top, so that none is hidden.
        ribbons=sorted(ribbons, key=lambda ribbon: -ribbon.width),
    )


def leg_angles(turns: Sequence[Turn]) -> dict[str, float]:
    """Leg → degrees clockwise from the top."""
    legs = list(dict.fromkeys(name for turn in turns for name in (turn.leg, turn.to_leg)))
    named = {leg: angle for leg in legs if (angle := _compass(leg)) is not None}
    if len(named) == len(legs) and len(set(named.values())) == len(legs):
        return {leg: float(angle) for leg, angle in named.items()}
    placed: dict[str, float] = {}
    for leg in legs:
        if leg not in placed and not placed:
            placed[leg] = 180.0  # whoever comes first comes from below
        _place_exits(leg, turns, placed)
    free = [leg for leg in legs if leg not in placed]
    taken = set(placed.values())
    places = [angle for angle in _around(len(legs)) if angle not in taken]
    return placed | dict(zip(free, places, strict=False))


def _place_exits(leg: str, turns: Iterable[Turn], placed: dict[str, float]) -> None:
    if leg not in placed:
        return
    for turn in turns:
        angle = (placed[leg] + _TURNS.get(turn.movement, 0)) % 360
        is_turn = turn.leg == leg and turn.movement in _TURNS
        if is_turn and turn.to_leg not in placed and angle not in placed.values():
            placed[turn.to_leg] = angle


def _around(legs: int) -> list[float]:
    """Right angles first, then as many directions as there are legs, and those in between."""
    even = [n * 360 / legs for n in range(legs)]
    between = [n * 360 / (2 * legs) for n in range(2 * legs)]
    return list(dict.fromkeys((180.0, 270.0, 0.0, 90.0, *even, *between)))


def _compass(leg: str) -> int | None:
    words = leg.lower().replace("_", "-").replace(" ", "-").split("-")
    found = {_COMPASS[word] for word in words if word in _COMPASS}
    return found.pop() if len(found) == 1 else None


def _arm(leg: str, angle: float, turns: Sequence[Turn]) -> Arm:
    ux, uy = _outward(angle)
    from_x, from_y = _at(ux, uy, _ARM_FROM - 30, 0.0)
    to_x, to_y = _at(ux, uy, _ARM_TO, 0.0)
    x, y, anchor = _label(ux, uy)
    return Arm(
        name=leg,
        road=f"M{from_x:.1f} {from_y:.1f}L{to_x:.1f} {to_y:.1f}",
        x=round(x, 1),
        y=round(y, 1),
        anchor=anchor,
        entering=_sum(turn.count for turn in turns if turn.leg == leg),
        leaving=_sum(turn.count for turn in turns if turn.to_leg == leg),
    )


def _label(ux: float, uy: float) -> tuple[float, float, str]:
    """Where two lines of text stand clear of the road: beyond its end, or above its side."""
    if abs(ux) < 0.4:
        y = _CENTRE + uy * (_ARM_TO + 14)
        return _CENTRE + ux * _ARM_TO, y - 18 if uy < 0 else y + 12, "middle"
    edge = 2.0 if ux < 0 else SIZE - 2.0
    return edge, _CENTRE + uy * _ARM_TO - 60, "start" if ux < 0 else "end"


def _path(turn: Turn, angles: Mapping[str, float]) -> str:
    """A cubic curve from the lane that enters to the lane that leaves."""
    ux, uy = _outward(angles[turn.leg])
    vx, vy = _outward(angles[turn.to_leg])
    x0, y0 = _at(ux, uy, _ARM_TO - 8, -_LANE)
    x3, y3 = _at(vx, vy, _ARM_TO - 8, _LANE)
    pull = 110.0 if turn.leg != turn.to_leg else 95.0
    # Opposite legs need no bend, neighbours a strong one.
    pull = min(pull, 40.0 + hypot(x3 - x0, y3 - y0) / 2)
    return (
        f"M{x0:.1f} {y0:.1f}"
        f"C{x0 - ux * pull:.1f} {y0 - uy * pull:.1f} "
        f"{x3 - vx * pull:.1f} {y3 - vy * pull:.1f} "
        f"{x3:.1f} {y3:.1f}"
    )


def _outward(angle: float) -> tuple[float, float]:
    return sin(radians(angle)), -cos(radians(angle))


def _at(ux: float, uy: float, radius: float, aside: float) -> tuple[float, float]:
    """A point on an arm, ``aside`` to the right of somebody who drives out of the junction."""
    return _CENTRE + ux * radius - uy * aside, _CENTRE + uy * radius + ux * aside


def _width(count: int | None, strongest: int) -> float:
    if not count or not strongest:
        return _THINNEST
    return round(_THINNEST + (_THICKEST - _THINNEST) * count / strongest, 1)


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
