"""Properties that every count must have, whatever the path."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.geometry import Box, Direction
from common.road_users import RoadUser
from common.site import Section
from edge.measure.counting_lines import CountingLine
from edge.measure.crossings import CountCrossings
from edge.measure.events import Crossing
from edge.track.tracks import TrackedFrame
from tests.fakes.road import Mover, Road, route, ticks

pytestmark = pytest.mark.unit

LINE = Section(name="line", line=((100, 300), (500, 300)))
MIRRORED = Section(name="line", line=((500, 300), (100, 300)))
DOWN = Mover(id=1, foot=route((0, 300, 200), (4, 300, 400)))
quick = settings(max_examples=25, deadline=None)


def counted(frames: list[TrackedFrame], section: Section = LINE) -> list[Crossing]:
    counter = CountCrossings([section])
    return [c for frame in frames for c in counter.update(frame)] + counter.finish()


def scaled(frames: list[TrackedFrame], scale: float, dx: float, dy: float) -> list[TrackedFrame]:
    def moved(box: Box) -> Box:
        return Box(
            box.x1 * scale + dx, box.y1 * scale + dy, box.x2 * scale + dx, box.y2 * scale + dy
        )

    return [
        replace(f, points=tuple(replace(p, box_px=moved(p.box_px)) for p in f.points))
        for f in frames
    ]


@quick
@given(
    fps=st.floats(5, 50),
    seed=st.integers(0, 999),
    x=st.floats(130, 470),
    drift=st.floats(-40, 40),
    speed=st.floats(40, 300),
)
def test_a_steady_path_over_the_line_counts_once(
    fps: float, seed: int, x: float, drift: float, speed: float
) -> None:
    until_s = 200 / speed
    car = Mover(id=1, foot=route((0, x, 200), (until_s, x + drift / 2, 400)))

    crossings = counted(Road([car], seed=seed).frames(ticks(until_s, fps=fps)))

    assert [c.direction for c in crossings] == [Direction.RIGHT]
    assert abs(crossings[0].at_s - until_s / 2) < 0.25


@quick
@given(depth=st.floats(-6.5, 6.5), seed=st.integers(0, 999), fps=st.floats(5, 50))
def test_noise_around_one_place_never_counts(depth: float, seed: int, fps: float) -> None:
    parked = Mover(id=1, foot=route((0, 300, 300 + depth)))

    assert counted(Road([parked], seed=seed).frames(ticks(8, fps=fps))) == []


@quick
@given(turns=st.lists(st.floats(215, 385), min_size=1, max_size=6), seed=st.integers(0, 999))
def test_right_minus_left_is_the_net_change_of_side(turns: list[float], seed: int) -> None:
    # Every turning point lies deep on one side: noise reaches neither.
    deep = [y for y in turns if abs(y - 300) > 25]
    stations = [200.0, *deep]
    path = route(*((1.5 * i, 300, y) for i, y in enumerate(stations)))

    crossings = counted(
        Road([Mover(id=1, foot=path)], seed=seed).frames(ticks(1.5 * len(stations)))
    )

    sides = [y > 300 for y in stations]
    steps = Counter(c.direction for c in crossings)
    assert steps[Direction.RIGHT] - steps[Direction.LEFT] == sides[-1] - sides[0]
    assert len(crossings) == sum(a != b for a, b in pairwise(sides))


@quick
@given(seed=st.integers(0, 999))
def test_reversing_the_line_mirrors_the_direction(seed: int) -> None:
    frames = Road([DOWN], seed=seed).frames(ticks(4))

    (there,), (back,) = counted(frames), counted(frames, MIRRORED)

    assert (there.direction, back.direction) == (Direction.RIGHT, Direction.LEFT)
    assert back.at_s == pytest.approx(there.at_s)


@quick
@given(scale=st.floats(0.5, 4), dx=st.floats(-50, 50), dy=st.floats(-50, 50))
def test_size_and_place_of_the_picture_do_not_matter(scale: float, dx: float, dy: float) -> None:
    frames = Road([DOWN, Mover(id=2, foot=route((0, 200, 297)))]).frames(ticks(4))
    line = tuple((x * scale + dx, y * scale + dy) for x, y in LINE.line or ())

    (crossing,) = counted(scaled(frames, scale, dx, dy), Section(name="line", line=line))

    assert crossing.at_s == pytest.approx(counted(frames)[0].at_s, abs=1e-6)


@quick
@given(repeated=st.sets(st.integers(0, 99), max_size=20), late=st.integers(1, 40))
def test_frames_that_come_twice_or_late_change_nothing(repeated: set[int], late: int) -> None:
    frames = Road([DOWN]).frames(ticks(4))
    disturbed = []
    for i, frame in enumerate(frames):
        disturbed.append(frame)
        if i in repeated:
            disturbed += [frame, frames[max(0, i - late)]]

    assert counted(disturbed) == counted(frames)


def test_a_crossing_is_handed_on_a_second_after_it_happened() -> None:
    counter = CountCrossings([LINE])
    handed_on_s = [
        (frame.captured_s, crossing.at_s)
        for frame in Road([DOWN]).frames(ticks(4))
        for crossing in counter.update(frame)
    ]

    ((now_s, at_s),) = handed_on_s

    assert 1.0 <= now_s - at_s <= 1.05


def test_memory_does_not_grow_with_time_or_tracks() -> None:
    counter = CountCrossings([LINE])
    passing = [
        Mover(id=i, foot=route((i, 300, 200), (i + 2, 300, 400)), seen_s=(i, i + 2))
        for i in range(1, 60)
    ]
    standing = Mover(id=1000, foot=route((0, 200, 302)))

    for frame in Road([*passing, standing]).frames(ticks(70, fps=10)):
        counter.update(frame)

    assert counter.followed == 1
    path = counter.path(1000)
    assert path is not None
    assert len(path.points) <= 160


def test_a_track_that_nobody_ends_is_forgotten() -> None:
    counter = CountCrossings([LINE])
    frames = Road([Mover(id=1, foot=route((0, 200, 250)), hidden=((1, 1e9),))]).frames(
        ticks(90, fps=5)
    )

    for frame in frames:
        counter.update(frame)

    assert counter.followed == 0


def test_an_area_is_no_counting_line() -> None:
    area = Section(name="box", polygon=((0, 0), (10, 0), (10, 10)))

    with pytest.raises(ValueError, match="'box' is an area, expected a line"):
        CountingLine(area)


def test_both_ids_of_one_road_user_are_reported_as_the_first() -> None:
    before, after = replace(DOWN, seen_s=(0, 1.92)), replace(DOWN, id=2, seen_s=(2.2, 4))

    (crossing,) = counted(Road([before, after]).frames(ticks(4)))

    assert crossing.track_id == 1


def test_a_person_and_a_car_at_one_place_are_not_one_road_user() -> None:
    person = replace(DOWN, id=2, size=(24, 60), road_user=RoadUser.PERSON)

    crossings = counted(Road([DOWN, person]).frames(ticks(4)))

    assert len(crossings) == 2
