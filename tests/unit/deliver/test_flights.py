from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from common.wire import ClockState, Kind
from edge.deliver.flights import Flights, FlightSettings
from edge.deliver.outbox_rows import PendingReport

pytestmark = pytest.mark.unit

SETTINGS = FlightSettings(window=3, resend_after_s=10, resend_at_most_s=35)


def report(sequence: int, kind: Kind = Kind.BINS) -> PendingReport:
    return PendingReport(
        epoch=1,
        sequence=sequence,
        kind=kind,
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
        clock=ClockState.TRUSTED,
        bins=5 if kind is Kind.BINS else 0,
    )


def flights_of(*reports: PendingReport) -> Flights:
    flights = Flights(SETTINGS)
    flights.update(reports, now_s=100)
    return flights


def test_other_kinds_go_before_bins_and_then_the_oldest_first() -> None:
    flights = flights_of(report(2), report(1), report(3, Kind.HEALTH))

    assert [each.sequence for each in flights.due(100, 9)] == [3, 1, 2]
    assert [each.sequence for each in flights.due(100, 1)] == [3]


def test_an_unanswered_report_is_sent_again_after_ever_longer_waits() -> None:
    flights, now_s, sent_at = flights_of(report(1)), 100.0, []

    while now_s < 230:
        if flights.due(now_s, 1):
            sent_at.append(now_s)
            flights.sent(report(1), now_s=now_s)
        now_s += 1

    assert sent_at == [100, 110, 130, 165, 200]


def test_an_acknowledged_report_is_not_sent_again() -> None:
    flights = flights_of(report(1), report(2))

    flights.update([report(2)], now_s=101)

    assert [each.sequence for each in flights.due(101, 9)] == [2]


@pytest.mark.parametrize(
    ("reports", "room"),
    [
        pytest.param([], 3, id="nothing in flight"),
        pytest.param([report(1), report(2)], 1, id="two of three"),
        pytest.param([report(n) for n in range(1, 8)], 0, id="more than the window"),
        pytest.param([report(1, Kind.SITE), report(2, Kind.HEALTH)], 3, id="other kinds"),
    ],
)
def test_the_window_bounds_reports_of_bins(reports: list[PendingReport], room: int) -> None:
    assert flights_of(*reports).room() == room


@pytest.mark.parametrize(
    ("reports", "held", "room"),
    [
        pytest.param(5, 3, 1, id="two in flight beside three held"),
        pytest.param(5, 5, 3, id="held ones block nobody"),
        pytest.param(10, 10, 2, id="unless they are more than three windows"),
        pytest.param(12, 12, 0, id="or four"),
    ],
)
def test_a_held_report_leaves_room_for_others_until_there_are_many(
    reports: int, held: int, room: int
) -> None:
    flights = flights_of(*[report(n) for n in range(1, reports + 1)])

    for sequence in range(1, held + 1):
        flights.hold(1, sequence, now_s=100)

    assert flights.room() == room
    assert len(flights.due(100, 99)) == reports - held


def test_other_keys_make_what_was_held_due_at_once() -> None:
    flights = flights_of(report(1))
    flights.hold(1, 1, now_s=100)
    assert flights.due(101, 9) == []

    flights.release(101)

    assert flights.due(101, 9) == [report(1)]


def test_after_a_lost_connection_everything_is_due_but_what_is_held() -> None:
    flights = flights_of(report(1), report(2))
    flights.sent(report(1), now_s=100)
    flights.hold(1, 2, now_s=100)

    flights.send_all_again(101)

    assert flights.due(101, 9) == [report(1)]
    assert flights.next_due_s() == 101


@pytest.mark.parametrize(
    ("reason", "measured", "now", "is_kept"),
    [
        pytest.param("unknown_key", "trusted", "trusted", True, id="another key may open it"),
        pytest.param("future_clock", "trusted", "trusted", True, id="their clock is wrong"),
        pytest.param("future_clock", "unsure", "unsure", True, id="our clock may be set"),
        pytest.param("too_old", "unsure", "unsure", True, id="our clock may be set forward"),
        pytest.param("future_clock", "unsure", "trusted", False, id="measured in the future"),
        pytest.param("too_old", "unsure", "trusted", False, id="measured long ago"),
        pytest.param("too_old", "trusted", "trusted", False, id="nobody keeps it any more"),
        pytest.param("bin_taken", "trusted", "trusted", False, id="they have it"),
    ],
)
def test_a_refused_report_is_kept_where_a_key_or_a_clock_may_help(
    reason: str, measured: str, now: str, is_kept: bool
) -> None:
    flights = flights_of(replace(report(1), clock=ClockState(measured)))

    assert flights.may_be_lifted(1, 1, reason, now=ClockState(now)) is is_kept
