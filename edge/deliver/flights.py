"""Numbered reports → which of them are to be sent now, again, or later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from common.wire import ClockState
from edge.deliver.outbox_rows import PendingReport

_OTHER_KEY = frozenset({"cannot_open", "unknown_key"})
_FUTURE, _PAST = "future_clock", "too_old"

_Number = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlightSettings:
    """How reports are in flight.

    Attributes:
        window: Reports of bins without acknowledgement at a time.
        resend_after_s: An acknowledgement that takes longer counts as lost; doubled with each
            further attempt.
        resend_at_most_s: Longest wait between two attempts.
    """

    window: int = 64
    resend_after_s: float = 30.0
    resend_at_most_s: float = 600.0


@dataclass(slots=True)
class _Flight:
    report: PendingReport
    due_s: float
    attempts: int = 0
    is_held: bool = False


class Flights:
    """Every report without acknowledgement, and when it is sent next."""

    def __init__(self, settings: FlightSettings) -> None:
        self._settings = settings
        self._flights: dict[_Number, _Flight] = {}

    def update(self, pending: Iterable[PendingReport], *, now_s: float) -> None:
        """Take over what the outbox holds: new ones are due, acknowledged ones are gone."""
        self._flights = {
            number: self._flights.get(number) or _Flight(report, now_s)
            for report in pending
            for number in [(report.epoch, report.sequence)]
        }

    def room(self) -> int:
        """How many reports of bins may be made; held ones take part when they are many."""
        bins = [flight for flight in self._flights.values() if flight.report.bins]
        held = sum(flight.is_held for flight in bins)
        window = self._settings.window
        return max(0, window - (len(bins) - held) - max(0, held - 3 * window))

    def due(self, now_s: float, most: int) -> list[PendingReport]:
        """What is to be sent now, other kinds before bins, then oldest first."""
        found = [flight for flight in self._flights.values() if flight.due_s <= now_s]
        found.sort(key=lambda f: (bool(f.report.bins), f.report.epoch, f.report.sequence))
        return [flight.report for flight in found[:most]]

    def has_unsent(self, kind: str) -> bool:
        """True while a report of this kind waits for its acknowledgement."""
        return any(flight.report.kind == kind for flight in self._flights.values())

    def sent(self, report: PendingReport, *, now_s: float) -> None:
        """Note an attempt."""
        flight = self._flights.get((report.epoch, report.sequence))
        if flight is not None:
            flight.due_s = now_s + self._wait_s(flight.attempts)
            flight.attempts += 1

    def hold(self, epoch: int, sequence: int, *, now_s: float) -> None:
        """The coordinator does not want it now: try again after the longest wait."""
        flight = self._flights.get((epoch, sequence))
        if flight is not None:
            flight.is_held = True
            flight.due_s = now_s + self._settings.resend_at_most_s

    def may_be_lifted(self, epoch: int, sequence: int, reason: str, *, now: ClockState) -> bool:
        """True for a refusal that another key or a better clock may lift: keep the report.

        Args:
            epoch: Stream of the refused report.
            sequence: Its number.
            reason: What the coordinator gave.
            now: What is known of our clock by now.
        """
        flight = self._flights.get((epoch, sequence))
        if flight is None or reason in _OTHER_KEY:
            return flight is not None
        if reason not in (_FUTURE, _PAST):
            return False
        # Sealed again once we know the time, or once the other side does. What was measured at
        # an unknown time stays where it is on the calendar, though.
        is_theirs = reason == _FUTURE and flight.report.clock is ClockState.TRUSTED
        return now is ClockState.UNSURE or is_theirs

    def send_all_again(self, now_s: float) -> None:
        """After a lost connection nobody knows what arrived."""
        for flight in self._flights.values():
            if not flight.is_held:
                flight.due_s = now_s

    def release(self, now_s: float) -> None:
        """Keys or the clock changed: what was held, or is unanswered, may be welcome now."""
        for flight in self._flights.values():
            flight.is_held = False
            flight.due_s = min(flight.due_s, now_s)

    def next_due_s(self) -> float | None:
        """When the next report is due, or None when there are none."""
        return min((flight.due_s for flight in self._flights.values()), default=None)

    def __len__(self) -> int:
        return len(self._flights)

    def _wait_s(self, attempts: int) -> float:
        wait_s: float = self._settings.resend_after_s * 2.0 ** min(attempts, 20)
        return min(wait_s, self._settings.resend_at_most_s)
