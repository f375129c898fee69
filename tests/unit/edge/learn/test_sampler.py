"""Frames of a camera → few pictures, the most telling ones, copied only when chosen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from common.road_users import RoadUser
from edge.capture.quality import QualityIssue, QualityVerdict
from edge.learn.sampler import Chosen, Sampler
from edge.learn.selection import FrameWatch, Quotas, Reason, worth
from edge.learn.settings import SamplingSettings
from edge.track.tracks import TrackedFrame
from tests.fakes.frames import make_frame
from tests.fakes.road import START, Mover, Road, route

pytestmark = pytest.mark.unit

SIZE = (640, 384)
GOOD = QualityVerdict(issues=frozenset(), brightness=0.5)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def watched(
    movers: Iterable[Mover],
    *,
    seconds: int = 60,
    settings: SamplingSettings | None = None,
    quality: QualityVerdict = GOOD,
) -> list[Chosen]:
    chosen: list[Chosen] = []
    settings = settings or SamplingSettings(window_s=20, spacing_s=0)
    sampler = Sampler(
        frame_size=SIZE,
        settings=settings,
        quotas=Quotas(settings),
        zone=UTC,
        take=chosen.append,
    )
    for tracked in Road(list(movers), camera_id="north").frames(
        n / 10 for n in range(seconds * 10)
    ):
        frame = make_frame("north", captured_s=tracked.captured_s, red=int(tracked.captured_s))
        sampler.offer(replace(frame, captured_at=tracked.captured_at), tracked, quality)
    sampler.end_run()
    return chosen


def car(identity: int = 1, *, hidden: tuple[tuple[float, float], ...] = ()) -> Mover:
    return Mover(id=identity, foot=route((0, 60, 200), (60, 600, 200)), hidden=hidden, jitter=0.0)


def taken_s(chosen: Chosen) -> float:
    return (chosen.taken_at - START).total_seconds()


def test_of_each_window_one_picture_is_kept() -> None:
    chosen = watched([car()])

    assert [int(taken_s(each) // 20) for each in chosen] == [0, 1, 2]


def test_the_picture_in_which_somebody_was_missed_is_chosen_and_labelled() -> None:
    chosen = watched([car(hidden=((7.0, 7.6),))], seconds=20)

    (picture,) = chosen
    assert 7.0 < taken_s(picture) < 7.6
    assert Reason.TRACK_GAP in picture.reasons
    assert [mark.is_seen for mark in picture.marks.sure] == [False]


def test_whoever_does_not_come_back_proves_no_mistake() -> None:
    leaving = Mover(id=1, foot=route((0, 60, 200), (60, 600, 200)), hidden=((7.0, 999.0),))

    (picture,) = watched([leaving], seconds=20)

    assert Reason.TRACK_GAP not in picture.reasons


def test_the_picture_is_our_own_copy_and_of_that_very_moment() -> None:
    (picture,) = watched([car(hidden=((7.0, 7.6),))], seconds=20)

    assert picture.image.base is None
    assert int(picture.image[0, 0, 2]) == int(taken_s(picture))


def test_pictures_keep_their_distance() -> None:
    chosen = watched([car()], settings=SamplingSettings(window_s=10, spacing_s=25))

    times = [taken_s(each) for each in chosen]
    assert len(times) >= 2
    assert all(later - earlier >= 25 for earlier, later in pairwise(times))


def test_a_day_has_so_many_pictures_and_no_more() -> None:
    settings = SamplingSettings(window_s=5, spacing_s=0, per_day=3)

    assert len(watched([car()], settings=settings)) == 3


def test_nothing_is_learned_from_a_covered_lens() -> None:
    blocked = QualityVerdict(issues=frozenset({QualityIssue.BLOCKED}), brightness=0.0)

    assert watched([car()], quality=blocked) == []


def test_night_and_rain_are_what_should_be_learned() -> None:
    dark = QualityVerdict(issues=frozenset({QualityIssue.TOO_DARK}), brightness=0.02)

    assert len(watched([car()], quality=dark)) == 3


def test_the_same_frames_and_seed_give_the_same_choice() -> None:
    movers = [car(1), car(2, hidden=((31.0, 31.5),))]

    first, second = watched(movers), watched(movers)

    assert [(taken_s(one), one.reasons) for one in first] == [
        (taken_s(other), other.reasons) for other in second
    ]


def test_frames_that_are_not_chosen_are_never_copied() -> None:
    class Counting(np.ndarray):  # type: ignore[type-arg]
        copies = 0

        def copy(self) -> np.ndarray:  # type: ignore[type-arg,override]
            Counting.copies += 1
            return np.array(self)

    settings = SamplingSettings(window_s=3600, spacing_s=0)
    sampler = Sampler(
        frame_size=SIZE, settings=settings, quotas=Quotas(settings), zone=UTC, take=lambda _: None
    )
    image = np.zeros((384, 640, 3), dtype=np.uint8).view(Counting)
    for tracked in Road([car()]).frames(n / 10 for n in range(600)):
        frame = make_frame("north", captured_s=tracked.captured_s, image=image)
        sampler.offer(replace(frame, captured_at=tracked.captured_at), tracked, GOOD)

    assert 1 <= Counting.copies <= 5


def test_a_reason_that_was_used_up_counts_no_more() -> None:
    quotas = Quotas(SamplingSettings(reason_share=0.5))
    for minute in range(10):
        quotas.note(NOON + timedelta(minutes=minute), frozenset({Reason.UNCERTAIN}))

    left = quotas.left_of({Reason.UNCERTAIN: 1.0, Reason.TRACK_GAP: 1.0}, NOON)

    assert Reason.UNCERTAIN not in left
    assert left[Reason.TRACK_GAP] == 1.0


def test_an_hour_that_has_no_picture_yet_is_a_reason_and_a_full_one_is_none() -> None:
    quotas = Quotas(SamplingSettings())
    for minute in range(30):
        quotas.note(NOON + timedelta(minutes=minute), frozenset({Reason.UNCERTAIN}))

    assert quotas.left_of({}, NOON + timedelta(hours=3)) == {Reason.HOUR: 1.0}
    assert quotas.left_of({}, NOON) == {}


@pytest.mark.parametrize(
    ("strengths", "expected"),
    [
        pytest.param({}, 0.0, id="nothing"),
        pytest.param({Reason.TRACK_GAP: 1.0}, 0.8, id="one reason"),
        pytest.param({Reason.TRACK_GAP: 0.5}, 0.4, id="half a reason"),
        pytest.param({Reason.TRACK_GAP: 1.0, Reason.UNCERTAIN: 1.0}, 0.9, id="two reasons"),
    ],
)
def test_reasons_add_up_without_passing_one(
    strengths: dict[Reason, float], expected: float
) -> None:
    assert worth(strengths) == pytest.approx(expected)


def frames_with(road_user: RoadUser, identity: int, count: int) -> list[TrackedFrame]:
    return Road([Mover(id=identity, foot=route((0, 1, 1), (1, 2, 1)), road_user=road_user)]).frames(
        n / 10 for n in range(count)
    )


def test_a_class_that_hardly_ever_comes_is_rare_and_the_usual_one_is_not() -> None:
    watch = FrameWatch()
    for identity in range(50):
        for frame in frames_with(RoadUser.CAR, identity, 1):
            usual = watch.strengths(frame, unseen=0)

    (bus,) = frames_with(RoadUser.BUS, 99, 1)

    assert Reason.RARE_CLASS not in usual
    assert watch.strengths(bus, unseen=0)[Reason.RARE_CLASS] > 0.8


def test_a_track_that_changes_its_class_is_a_flip() -> None:
    flipping = Mover(
        id=1,
        foot=route((0, 1, 1), (1, 2, 1)),
        called=lambda at_s: RoadUser.CAR if at_s < 0.25 else RoadUser.TRUCK,
    )
    watch = FrameWatch()

    flips = [
        Reason.CLASS_FLIP in watch.strengths(frame, unseen=0)
        for frame in Road([flipping]).frames([0.1, 0.2, 0.3, 0.4])
    ]

    assert flips == [False, False, True, False]
