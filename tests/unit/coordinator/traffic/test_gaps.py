"""Bins of a camera, the intervals that it did not watch, and which of them count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coordinator.traffic.gaps import (
    DEFAULT_THRESHOLD_S,
    BinFacts,
    Gap,
    Reason,
    learn_threshold_s,
    ledger,
    unwatched,
)
from coordinator.traffic.periods import Period

pytestmark = pytest.mark.unit

EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def at(minute: float) -> datetime:
    return EIGHT + timedelta(minutes=minute)


def watched(minute: int, *, width_s: int = 60) -> BinFacts:
    return BinFacts(
        start=at(minute),
        width_s=width_s,
        coverage_s=float(width_s),
        frames_dropped=0,
        flags=frozenset(),
        gaps=(),
    )


def blind(minute: int, *flags: str, dropped: int = 0) -> BinFacts:
    return BinFacts(
        start=at(minute),
        width_s=60,
        coverage_s=0.0,
        frames_dropped=dropped,
        flags=frozenset(flags),
        gaps=((0.0, 60.0),),
    )


TEN_MINUTES = Period(at(0), at(10))


def test_a_camera_that_watched_throughout_has_no_gaps() -> None:
    assert unwatched([watched(n) for n in range(10)], TEN_MINUTES) == []


def test_minutes_that_never_arrived_are_offline() -> None:
    bins = [watched(n) for n in range(10) if n not in (3, 4, 5)]

    assert unwatched(bins, TEN_MINUTES) == [Gap(start=at(3), end=at(6), reason=Reason.OFFLINE)]


def test_a_range_without_any_bin_is_one_gap() -> None:
    assert unwatched([], TEN_MINUTES) == [Gap(start=at(0), end=at(10), reason=Reason.OFFLINE)]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param(blind(0, "blocked"), Reason.VIEW_BLOCKED, id="blocked"),
        pytest.param(blind(0, "too_dark"), Reason.VIEW_BLOCKED, id="dark"),
        pytest.param(blind(0, "clock_step", "blocked"), Reason.CLOCK, id="clock step"),
        pytest.param(blind(0, "clock_unsure"), Reason.CLOCK, id="clock not known"),
        pytest.param(blind(0, dropped=200), Reason.FRAMES_DROPPED, id="dropped"),
        pytest.param(blind(0), Reason.OFFLINE, id="no pictures"),
    ],
)
def test_the_reason_follows_from_what_the_box_said(facts: BinFacts, reason: Reason) -> None:
    (gap,) = unwatched([facts], Period(at(0), at(1)))

    assert gap.reason is reason


def test_an_interval_over_the_edge_of_a_minute_is_one_gap() -> None:
    first = BinFacts(
        start=at(0),
        width_s=60,
        coverage_s=40.0,
        frames_dropped=0,
        flags=frozenset(),
        gaps=((40.0, 60.0),),
    )
    second = BinFacts(
        start=at(1),
        width_s=60,
        coverage_s=50.0,
        frames_dropped=0,
        flags=frozenset(),
        gaps=((0.0, 10.0),),
    )

    (gap,) = unwatched([first, second], Period(at(0), at(2)))

    assert gap.seconds == 30


def test_what_a_second_part_of_a_minute_watched_is_no_gap() -> None:
    first = BinFacts(
        start=at(0), width_s=60, coverage_s=30.0, frames_dropped=0, flags=frozenset(),
        gaps=((30.0, 60.0),),
    )  # fmt: skip
    second = BinFacts(
        start=at(0), width_s=60, coverage_s=20.0, frames_dropped=0, flags=frozenset(),
        gaps=((0.0, 40.0),),
    )  # fmt: skip

    (gap,) = unwatched([first, second], Period(at(0), at(1)))

    assert (gap.start, gap.end) == (at(0.5), at(40 / 60))


def test_a_merged_hour_leaves_no_hole() -> None:
    assert unwatched([watched(0, width_s=3600)], Period(at(0), at(60))) == []


def test_withheld_minutes_are_told_as_such() -> None:
    facts = BinFacts(
        start=at(0), width_s=60, coverage_s=60.0, frames_dropped=0, flags=frozenset(), gaps=(),
        is_withheld=True,
    )  # fmt: skip

    assert unwatched([facts], Period(at(0), at(1)))[0].reason is Reason.WITHHELD


@pytest.mark.parametrize(
    ("pauses_s", "threshold_s"),
    [
        pytest.param([], DEFAULT_THRESHOLD_S, id="no history"),
        pytest.param([5.0] * 7, DEFAULT_THRESHOLD_S, id="too little history"),
        pytest.param([5.0] * 20, 60.0, id="never below a minute"),
        pytest.param([180.0] * 20, 180.0, id="three minutes are its habit"),
        pytest.param([7200.0] * 20, 900.0, id="nobody gets used to hours"),
    ],
)
def test_the_threshold_is_what_is_usual_for_the_camera(
    pauses_s: list[float], threshold_s: float
) -> None:
    assert learn_threshold_s(pauses_s) == pytest.approx(threshold_s)


def test_one_long_outage_does_not_teach_a_long_threshold() -> None:
    habits = [60.0, 70.0, 80.0, 90.0] * 5

    assert learn_threshold_s([*habits, 40_000.0]) == pytest.approx(
        learn_threshold_s(habits), rel=0.25
    )


def test_only_unusual_gaps_are_in_the_ledger_and_works_are_cut_out() -> None:
    gaps = [
        Gap(start=at(0), end=at(1), reason=Reason.OFFLINE),
        Gap(start=at(10), end=at(40), reason=Reason.OFFLINE),
    ]

    found = ledger(gaps, threshold_s=120, works=[Period(at(20), at(30))])

    assert [(gap.start, gap.end, gap.reason) for gap in found] == [
        (at(10), at(20), Reason.OFFLINE),
        (at(20), at(30), Reason.MAINTENANCE),
        (at(30), at(40), Reason.OFFLINE),
    ]
