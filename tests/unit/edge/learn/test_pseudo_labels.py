"""Tracks around a moment → labels of its picture; what is doubtful is ignored, not taught."""

from __future__ import annotations

import pytest

from common.geometry import Box
from common.road_users import RoadUser
from edge.learn.histories import TrackHistories
from edge.learn.marks import Marks
from edge.learn.pseudo_labels import labels_at
from tests.fakes.road import Mover, Road, route

pytestmark = pytest.mark.unit

SIZE = (1000, 500)
TENTHS = [n / 10 for n in range(101)]
CAR, BUS, PERSON, BICYCLE = RoadUser.CAR, RoadUser.BUS, RoadUser.PERSON, RoadUser.BICYCLE


def labels(*movers: Mover, at_s: float, until_s: float = 10.0) -> Marks:
    histories = TrackHistories()
    for frame in Road(movers).frames(t for t in TENTHS if t <= until_s):
        histories.update(frame)
    return labels_at(histories.lives(), at_s, SIZE)


def crossing(
    identity: int = 1, *, y: float = 300, road_user: RoadUser = CAR, hidden: float = 0.0
) -> Mover:
    """Drives 100 px a second from x=100; not seen for so long around second 5."""
    return Mover(
        id=identity,
        foot=route((0, 100, y), (8, 900, y)),
        road_user=road_user,
        seen_s=(0, 8),
        hidden=((5 - hidden / 2, 5 + hidden / 2),) if hidden else (),
        jitter=0.0,
    )


def test_a_road_user_seen_all_the_time_is_labelled_where_it_is() -> None:
    marks = labels(crossing(), at_s=5.0)

    (mark,) = marks.sure
    assert mark.box_px == pytest.approx(Box(555, 240, 645, 300))
    assert (mark.road_user, mark.is_seen, marks.unsure) == (CAR, True, ())


def test_a_road_user_missed_for_a_moment_is_labelled_in_between() -> None:
    marks = labels(crossing(hidden=0.8), at_s=5.0)

    (mark,) = marks.sure
    assert mark.box_px == pytest.approx(Box(555, 240, 645, 300))
    assert not mark.is_seen
    assert marks.has_gap


def test_a_long_gap_is_ignored_instead_of_guessed() -> None:
    marks = labels(crossing(hidden=2.4), at_s=5.0)

    assert marks.sure == ()
    assert [mark.road_user for mark in marks.unsure] == [CAR]


def test_whoever_was_not_seen_behind_a_nearer_one_was_hidden_not_missed() -> None:
    bus = Mover(
        id=2,
        foot=route((0, 100, 320), (8, 900, 320)),
        size=(200, 150),
        road_user=BUS,
        seen_s=(0, 8),
        jitter=0.0,
    )

    marks = labels(crossing(hidden=0.8), bus, at_s=5.0)

    assert [mark.road_user for mark in marks.sure] == [BUS]
    assert [mark.road_user for mark in marks.unsure] == [CAR]


def test_a_track_that_cannot_decide_what_it_is_does_not_teach() -> None:
    torn = Mover(
        id=1,
        foot=route((0, 100, 300), (8, 900, 300)),
        seen_s=(0, 8),
        called=lambda at_s: CAR if int(at_s * 10) % 2 else BUS,
    )

    marks = labels(torn, at_s=5.0)

    assert marks.sure == ()
    assert len(marks.unsure) == 1


def test_a_short_life_does_not_teach() -> None:
    brief = Mover(id=1, foot=route((0, 500, 300), (8, 500, 300)), seen_s=(4.8, 5.4))

    marks = labels(brief, at_s=5.0)

    assert marks.sure == ()
    assert len(marks.unsure) == 1


def test_a_rider_is_left_to_whoever_sees_rider_and_cycle_apart() -> None:
    marks = labels(crossing(road_user=BICYCLE), at_s=5.0)

    assert marks.sure == ()
    assert [mark.road_user for mark in marks.unsure] == [BICYCLE]


def test_just_before_the_first_sighting_the_place_is_ignored() -> None:
    late = Mover(id=1, foot=route((0, 500, 300), (8, 500, 300)), seen_s=(5.2, 8))

    assert [mark.road_user for mark in labels(late, at_s=5.0).unsure] == [CAR]
    assert labels(late, at_s=4.0) == Marks()


def test_what_is_too_small_to_draw_twice_alike_is_ignored() -> None:
    tiny = Mover(id=1, foot=route((0, 500, 300), (8, 500, 300)), size=(9, 6), jitter=0.0)

    marks = labels(tiny, at_s=5.0)

    assert (len(marks.sure), len(marks.unsure)) == (0, 1)


def test_a_box_is_cut_at_the_edge_of_the_picture() -> None:
    leaving = Mover(id=1, foot=route((0, 0, 300), (8, 0, 300)), jitter=0.0)

    (mark,) = labels(leaving, at_s=5.0).sure

    assert mark.box_px == pytest.approx(Box(0, 240, 45, 300))


def test_whoever_stands_for_minutes_is_still_known_with_little_memory() -> None:
    histories = TrackHistories()
    parked = Mover(id=1, foot=route((0, 500, 300), (8, 500, 300)), jitter=0.0)
    for frame in Road([parked]).frames(n / 10 for n in range(3000)):
        histories.update(frame)

    (life,) = histories.lives()
    assert len(life.points) <= 601
    assert life.life_s == pytest.approx(299.9)
    assert len(labels_at(histories.lives(), 295.0, SIZE).sure) == 1


def test_whoever_is_gone_is_forgotten() -> None:
    histories = TrackHistories()
    for frame in Road([crossing()]).frames(n / 10 for n in range(500)):
        histories.update(frame)

    assert histories.lives() == ()
