"""Orders for plates come from a broker that repeats; each number is answered once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.encryption import AtRestKey
from common.plates import PlateOutcome, PlateReport, PlateRequest
from common.wire import Kind
from edge.deliver.clock_trust import ClockTrust, TrustedTime
from edge.deliver.outbox import Outbox
from edge.deliver.plate_desk import NoPlates, PlateDesk
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.integration

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class Refuses:
    """Answers every order at once with no."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self._answers: list[PlateReport] = []

    def ask(self, request: PlateRequest) -> None:
        self.asked.append(request.number)
        self._answers.append(
            PlateReport(
                camera=request.camera,
                number=request.number,
                at=NINE,
                outcome=PlateOutcome.NOT_ALLOWED,
            )
        )

    def answers(self) -> list[PlateReport]:
        ready, self._answers = self._answers, []
        return ready


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(NINE)


@pytest.fixture
def outbox(tmp_path: Path, clock: StandingClock) -> Iterator[Outbox]:
    key = AtRestKey.load_or_create(tmp_path / "key")
    outbox = Outbox(tmp_path / "outbox.sqlite", key=key, max_bytes=9_000_000, clock=clock)
    yield outbox
    outbox.close()


def desk(plates: Refuses | NoPlates, outbox: Outbox, clock: StandingClock) -> PlateDesk:
    return PlateDesk(plates, outbox, trust=ClockTrust(TrustedTime(), clock=clock, wait_s=0))


def asked(number: int, camera: str = "north") -> PlateRequest:
    return PlateRequest(device="box-1", camera=camera, number=number, at=NINE)


def kinds(outbox: Outbox) -> list[Kind]:
    return [report.kind for report in outbox.pending()]


def test_an_answer_waits_in_the_outbox_like_every_report(
    outbox: Outbox, clock: StandingClock
) -> None:
    taking = desk(Refuses(), outbox, clock)

    taking.take(asked(1))

    assert taking.tell()
    assert kinds(outbox) == [Kind.PLATE]
    assert not taking.tell()


@pytest.mark.parametrize("number", [1, 2], ids=["an older order", "the same order"])
def test_an_order_that_is_played_back_is_not_answered_again_after_a_restart(
    outbox: Outbox, clock: StandingClock, number: int
) -> None:
    before = desk(Refuses(), outbox, clock)
    before.take(asked(2))
    before.tell()

    plates = Refuses()
    after = desk(plates, outbox, clock)
    after.take(asked(number))

    assert plates.asked == []
    assert not after.tell()
    assert kinds(outbox) == [Kind.PLATE]


def test_each_camera_has_numbers_of_its_own(outbox: Outbox, clock: StandingClock) -> None:
    plates = Refuses()
    taking = desk(plates, outbox, clock)
    taking.take(asked(5))
    taking.tell()

    taking.take(asked(1, camera="south"))

    assert plates.asked == [5, 1]


def test_a_box_without_anybody_to_take_plates_stays_silent(
    outbox: Outbox, clock: StandingClock
) -> None:
    taking = desk(NoPlates(), outbox, clock)

    taking.take(asked(1))

    assert not taking.tell()
    assert kinds(outbox) == []
