"""The drawing of a junction."""

from __future__ import annotations

import re

import pytest

from coordinator.dashboard.movement_diagram import SIZE, Turn, draw_movements, leg_angles

pytestmark = pytest.mark.unit


def turn(leg: str, to_leg: str, movement: str, count: int | None = 10) -> Turn:
    return Turn(leg=leg, to_leg=to_leg, movement=movement, count=count)


def test_legs_named_after_points_of_the_compass_stand_there() -> None:
    angles = leg_angles([turn("north-leg", "south-leg", "thru"), turn("west", "north-leg", "left")])

    assert angles == {"north-leg": 0, "south-leg": 180, "west": 270}


def test_other_legs_stand_as_their_turns_say() -> None:
    turns = [
        turn("Elm St", "Main St", "left"),
        turn("Elm St", "Oak St", "right"),
        turn("Elm St", "Elm St N", "thru"),
    ]

    angles = leg_angles(turns)

    # Who comes from below finds left on the left, straight on at the top, right on the right.
    assert angles == {"Elm St": 180, "Main St": 270, "Elm St N": 0, "Oak St": 90}


def test_every_leg_has_a_place_of_its_own_even_when_turns_contradict() -> None:
    turns = [turn("a", "b", "left"), turn("a", "c", "left"), turn("b", "c", "u_turn")]

    angles = leg_angles(turns)

    assert sorted(angles) == ["a", "b", "c"]
    assert len(set(angles.values())) == 3


@pytest.mark.parametrize("legs", [5, 8, 12])
def test_many_legs_are_dealt_around_the_circle(legs: int) -> None:
    names = [f"leg-{n}" for n in range(legs)]
    turns = [turn(name, names[(n + 1) % legs], "thru") for n, name in enumerate(names)]

    assert len(set(leg_angles(turns).values())) == legs


def test_the_strongest_flow_is_the_widest_and_unknown_ones_are_thin() -> None:
    drawn = draw_movements(
        [
            turn("north", "south", "thru", 400),
            turn("south", "north", "thru", 100),
            turn("north", "west", "right", None),
        ]
    )

    widths = {(one.turn.leg, one.turn.to_leg): one.width for one in drawn.ribbons}
    assert widths["north", "south"] == 15.0
    assert 1.5 < widths["south", "north"] < 15.0
    assert widths["north", "west"] == 1.5
    entering = {arm.name: (arm.entering, arm.leaving) for arm in drawn.arms}
    assert entering == {"north": (400, 100), "south": (100, 400), "west": (None, None)}


def test_traffic_keeps_to_the_right_and_stays_inside_the_drawing() -> None:
    (ribbon,) = draw_movements([turn("south", "north", "thru")]).ribbons

    numbers = [float(one) for one in re.findall(r"-?\d+\.\d+", ribbon.path)]
    assert all(0 <= one <= SIZE for one in numbers)
    x_from, y_from = numbers[:2]
    # Northbound vehicles are east of the middle line, which lies at half the width.
    assert x_from > SIZE / 2
    assert y_from > SIZE / 2
