"""Crossings that went wrong on real footage, as scenes with exact counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.road_users import RoadUser
from common.site import Section
from edge.measure.crossings import CountCrossings
from edge.track.tracks import TrackedFrame
from tests.fakes.road import Mover, Road, route, ticks

pytestmark = pytest.mark.unit

LINE = Section(name="line", line=((50, 300), (600, 300)))
FRAME = (640, 480)
SEEDS = range(5)


def count(frames: list[TrackedFrame], section: Section = LINE) -> int:
    counter = CountCrossings([section], frame_size=FRAME)
    crossings = [c for frame in frames for c in counter.update(frame)] + counter.finish()
    return len(crossings)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lorry_seen_as_cab_and_bed_is_one(seed: int) -> None:
    # 60 px/s; the bed's foot point follows 36 px behind, 0.6 s.
    cab = Mover(id=1, foot=route((0, 300, 230), (4, 300, 470)), size=(60, 40))
    bed = Mover(id=2, foot=route((0, 300, 194), (4, 300, 434)), size=(64, 40))

    assert count(Road([cab, bed], seed=seed).frames(ticks(4))) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lorry_whose_boxes_feed_two_ids_in_turn_is_one(seed: int) -> None:
    # 60 px/s. Boxes of the whole lorry and of its bed alone take turns every 0.28 s, never
    # together; the second id carries on the first, and its foot point passes 0.47 s later.
    def turns(which: int) -> tuple[tuple[float, float], ...]:
        return tuple((0.28 * n - 0.01, 0.28 * n + 0.27) for n in range(15) if n % 2 == which)

    whole = Mover(id=1, foot=route((0, 300, 200), (4, 300, 440)), size=(100, 100), hidden=turns(1))
    bed = Mover(id=2, foot=route((0, 300, 172), (4, 300, 412)), size=(100, 100), hidden=turns(0))

    assert count(Road([whole, bed], seed=seed).frames(ticks(4))) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_two_cars_that_touch_most_of_the_time_are_two(seed: int) -> None:
    # 60 px/s, 42 px apart, 0.7 s; boxes of 46 px touch, and come apart every third moment.
    def shape(at_s: float) -> tuple[float, float]:
        return 60, 46 if round(at_s * 25) % 3 else 34

    pair = [
        Mover(id=i, foot=route((0, 300, y), (4, 300, y + 240)), shape=shape)
        for i, y in ((1, 230.0), (2, 188.0))
    ]

    assert count(Road(pair, seed=seed).frames(ticks(4))) == 2


@pytest.mark.parametrize("seed", SEEDS)
def test_two_cars_half_a_second_apart_with_road_between_them_are_two(seed: int) -> None:
    # 200 px/s; 120 px apart, 0.6 s, boxes 40 px high: 80 px of road between them.
    first = Mover(id=1, foot=route((0, 300, 200), (1.3, 300, 460)), size=(60, 40))
    second = Mover(id=2, foot=route((0, 300, 80), (1.9, 300, 460)), size=(60, 40))

    assert count(Road([first, second], seed=seed).frames(ticks(2.5))) == 2


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("road_user", [RoadUser.CAR, RoadUser.MOTORCYCLE])
def test_two_side_by_side_are_two(seed: int, road_user: RoadUser) -> None:
    width = 60.0 if road_user is RoadUser.CAR else 24.0
    pair = [
        Mover(id=i, foot=route((0, x, 200), (2, x, 400)), size=(width, 40), road_user=road_user)
        for i, x in ((1, 250.0), (2, 250.0 + 1.1 * width))
    ]

    assert count(Road(pair, seed=seed).frames(ticks(2))) == 2


@pytest.mark.parametrize("seed", SEEDS)
def test_a_van_that_leaves_the_picture_on_the_line_counts(seed: int) -> None:
    # The edge of the picture cuts the box while its foot point crosses an upright line.
    upright = Section(name="edge", line=((60, 480), (60, 100)))

    def width(at_s: float) -> float:
        return max(200 - 140 * max(at_s - 1, 0), 30)

    van = Mover(
        id=1,
        foot=lambda at_s: (width(at_s) / 2 if at_s > 1 else 200 - 100 * at_s, 300),
        shape=lambda at_s: (width(at_s), 130),
        seen_s=(0, 2.2),
    )

    assert count(Road([van], seed=seed).frames(ticks(3)), upright) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_somebody_who_drifts_over_the_line_they_walk_along_does_not_count(seed: int) -> None:
    # 34 px tall, six pixels (0.3 m) beyond the line at the end of 300 px along it.
    walker = Mover(
        id=1,
        foot=route((0, 100, 294), (10, 400, 306)),
        size=(14, 34),
        road_user=RoadUser.PERSON,
    )

    assert count(Road([walker], seed=seed).frames(ticks(10))) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_who_was_over_the_line_before_the_first_frame_does_not_count(seed: int) -> None:
    # Half a car beyond the line when the camera starts, and driving away from it.
    car = Mover(id=1, foot=route((0, 300, 315), (1, 300, 465)), size=(60, 40))

    assert count(Road([car], seed=seed).frames(ticks(1))) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flicker_beyond_the_line_is_not_followed_back_over_it(seed: int) -> None:
    flicker = Mover(
        id=1, foot=route((2, 300, 330), (3, 300, 450)), size=(60, 40), seen_s=(2.0, 3.0)
    )
    frames = [
        replace(f, points=tuple(replace(p, score=0.15) for p in f.points))
        for f in Road([flicker], seed=seed).frames(ticks(4))
    ]

    assert count(frames) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_car_that_comes_out_beyond_the_line_in_plain_sight_counts(seed: int) -> None:
    car = Mover(id=1, foot=route((2, 300, 330), (3, 300, 450)), size=(60, 40), seen_s=(2.0, 3.0))

    assert count(Road([car], seed=seed).frames(ticks(4))) == 1
