from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from common.encryption import Header, OpeningKey, SigningKey, sign_order
from common.messages import HealthReport, LossReport, SiteReport, aligned
from common.orders import DesiredConfiguration
from common.wire import ClockState, Kind
from edge.anonymise.egress_chain import read_entries, verify_chain
from edge.deliver.sender import SenderSettings
from tests.fakes.boxes_and_coordinators import Pair, a_pair
from tests.fakes.clocks import SkippingClock
from tests.fakes.mosquitto_broker import MosquittoBroker, plain_folder
from tests.fakes.sending_box import QUICK, SendingBox, eventually, full_minute

pytestmark = pytest.mark.integration


@pytest.fixture
def broker() -> Iterator[MosquittoBroker]:
    with MosquittoBroker(plain_folder()) as broker:
        yield broker


def has_bins(pair: Pair, number: int) -> bool:
    return len(pair.ledger.bins) >= number


def is_empty(box: SendingBox) -> bool:
    """True when nothing waits; for a box that does not run."""
    outbox = box.open_outbox()
    status = outbox.status()
    outbox.close()
    return status.bins == status.reports == 0


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_every_minute_arrives_once_and_the_outbox_is_empty_after_the_acknowledgement(
    tmp_path: Path, broker: MosquittoBroker, protocol: str
) -> None:
    pair = a_pair(tmp_path, broker.port, protocol=protocol)

    with pair.coordinator, pair.box as box:
        starts = box.measure(200, since=full_minute(300))
        assert eventually(lambda: len(pair.ledger.bins) == 200)
        assert eventually(lambda: pair.ledger.of(HealthReport) != [])

    assert sorted(key[1] for key in pair.ledger.bins) == starts
    assert set(pair.ledger.taken.values()) == {1}
    assert [report.site for report in pair.ledger.of(SiteReport)] == ["elm-and-main"]
    assert [report.valid_from for report in pair.ledger.of(SiteReport)] == [starts[0]]
    assert is_empty(box)
    assert box.errors == []


def test_the_egress_log_names_every_envelope_that_arrived(
    tmp_path: Path, broker: MosquittoBroker
) -> None:
    pair = a_pair(tmp_path, broker.port)

    with pair.coordinator, pair.box as box:
        box.measure(100, since=full_minute(200))
        assert eventually(lambda: len(pair.ledger.bins) == 100)

    entries = list(read_entries(tmp_path / "egress"))
    assert verify_chain(tmp_path / "egress").is_whole
    assert pair.ledger.digests <= {entry.what.sha256 for entry in entries}


def test_nothing_is_lost_or_doubled_when_the_broker_is_killed_again_and_again(
    tmp_path: Path, broker: MosquittoBroker
) -> None:
    pair = a_pair(tmp_path, broker.port)

    with pair.coordinator, pair.box as box:
        starts: list[datetime] = []
        for round_ in range(4):
            starts += box.measure(150, since=full_minute(900 - 150 * round_))
            enough = 150 * round_ + 50
            eventually(partial(has_bins, pair, enough), within_s=3)
            broker.kill()
            broker.start()
        assert eventually(lambda: len(pair.ledger.bins) == 600, within_s=60)

    assert sorted(key[1] for key in pair.ledger.bins) == starts
    assert pair.ledger.reused == []
    assert set(pair.ledger.taken.values()) == {1}
    assert is_empty(box)


def test_a_lost_acknowledgement_leads_to_the_same_report_again_with_the_same_digest(
    tmp_path: Path, broker: MosquittoBroker
) -> None:
    pair = a_pair(tmp_path, broker.port)

    def silent_at_first(header: Header) -> list[bytes]:
        number = (header.device, header.epoch, header.sequence)
        return [] if pair.ledger.arrivals[number] < 3 else pair.coordinator.stored(header)

    pair.coordinator.answer = silent_at_first
    with pair.coordinator, pair.box as box:
        box.measure(20, since=full_minute(100))
        assert eventually(lambda: len(pair.ledger.bins) == 20)

    assert min(pair.ledger.arrivals.values()) >= 3
    assert pair.ledger.reused == []
    assert set(pair.ledger.taken.values()) == {1}
    assert is_empty(box)


def test_an_acknowledgement_that_arrives_five_times_does_no_harm(
    tmp_path: Path, broker: MosquittoBroker
) -> None:
    pair = a_pair(tmp_path, broker.port)
    pair.coordinator.answer = lambda header: 5 * pair.coordinator.stored(header)

    with pair.coordinator, pair.box as box:
        box.measure(300, since=full_minute(400))
        assert eventually(lambda: len(pair.ledger.bins) == 300)

    assert box.errors == []
    assert is_empty(box)


def forgeries(pair: Pair, header: Header) -> dict[str, bytes]:
    """Answers that the coordinator did not give for this box."""
    honest, numbers = pair.coordinator.acknowledgement, (header.sequence,)
    good = honest(header, stored=numbers)
    return {
        "another key": honest(header, stored=numbers, key=SigningKey.generate()),
        "another box": honest(header, stored=numbers, device="box-2"),
        "another epoch": honest(
            header.model_copy(update={"epoch": header.epoch + 1}), stored=numbers
        ),
        "changed": good[:40] + bytes([good[40] ^ 1]) + good[41:],
        "cut short": good[:-1],
        "no order": b"{}",
        "not of the schema": sign_order(pair.coordinator.order_key, b'{"stored":[1]}'),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "another key",
        "another box",
        "another epoch",
        "changed",
        "cut short",
        "no order",
        "not of the schema",
    ],
)
def test_a_forged_acknowledgement_deletes_nothing(
    tmp_path: Path, broker: MosquittoBroker, kind: str
) -> None:
    settings = SenderSettings(flights=QUICK, pass_every_s=0.05, linger_s=0.1)
    pair = a_pair(tmp_path, broker.port, settings=settings)
    pair.coordinator.answer = lambda header: [forgeries(pair, header)[kind]]

    with pair.coordinator, pair.box as box:
        box.measure(5, since=full_minute(100))
        assert eventually(lambda: max(pair.ledger.arrivals.values(), default=0) >= 3)

    outbox = box.open_outbox()
    assert sum(report.bins for report in outbox.pending()) == 5
    assert box.errors == []


def test_an_order_reaches_the_twin_only_when_the_coordinator_signed_it(
    tmp_path: Path, broker: MosquittoBroker
) -> None:
    pair = a_pair(tmp_path, broker.port)
    wanted = DesiredConfiguration(device="box-1", version=7, at=datetime.now(UTC))
    text = wanted.model_dump_json().encode()

    with pair.coordinator, pair.box as box:
        assert eventually(lambda: pair.ledger.of(HealthReport) != [])
        pair.coordinator.tell("box-1", Kind.TWIN, sign_order(SigningKey.generate(), text))
        pair.coordinator.tell("box-1", Kind.TWIN, sign_order(pair.coordinator.order_key, text))
        assert eventually(lambda: box.twin.wanted != [])

    assert box.twin.wanted == [wanted]


def test_a_refused_report_is_given_up_and_one_that_another_clock_may_save_is_kept(
    tmp_path: Path, broker: MosquittoBroker
) -> None:
    settings = SenderSettings(flights=QUICK, pass_every_s=0.05, linger_s=0.1)
    pair = a_pair(tmp_path, broker.port, settings=settings)
    pair.coordinator.answer = lambda header: [
        pair.coordinator.refused(
            header, "future_clock" if header.kind is Kind.BINS else "sequence_reused"
        )
    ]

    with pair.coordinator, pair.box as box:
        box.measure(5, since=full_minute(100))
        assert eventually(lambda: len(pair.ledger.bins) == 5)
        assert eventually(lambda: pair.ledger.of(SiteReport) != [])
        threading.Event().wait(0.5)

    outbox = box.open_outbox()
    assert {report.kind for report in outbox.pending()} == {Kind.BINS}


def test_reports_in_flight_survive_a_new_key_of_the_coordinator(
    tmp_path: Path, broker: MosquittoBroker
) -> None:
    pair = a_pair(tmp_path, broker.port)
    known, fresh = pair.coordinator.opening[0], OpeningKey.generate()
    pair.coordinator.opening[:] = [fresh]  # nobody can open what is sealed to the old one

    with pair.coordinator, pair.box as box:
        box.measure(50, since=full_minute(100))
        assert eventually(lambda: sum(pair.ledger.arrivals.values()) > 3)
        assert len(pair.ledger.bins) == 0
        box.sealing = fresh.public
        box.look_at_keys()
        assert eventually(lambda: len(pair.ledger.bins) == 50)

    assert known.key_id != fresh.key_id
    assert is_empty(box)


def test_a_torn_outbox_begins_a_new_epoch_and_sends_again_what_was_not_acknowledged(
    tmp_path: Path, broker: MosquittoBroker
) -> None:
    settings = SenderSettings(flights=QUICK, pass_every_s=0.05, linger_s=0.1)
    pair = a_pair(tmp_path, broker.port, settings=settings)
    with pair.coordinator, pair.box as box:
        first = box.measure(100, since=full_minute(500))
        assert eventually(lambda: len(pair.ledger.bins) == 100)
        assert eventually(box.waits_for_nothing)
        pair.coordinator.answer = lambda _header: []
        second = box.measure(100, since=full_minute(400))
        assert eventually(lambda: len(pair.ledger.bins) == 200)
        box.stop()
        for file in (tmp_path / "outbox.sqlite", tmp_path / "outbox.sqlite-wal"):
            if file.exists():
                content = bytearray(file.read_bytes())
                content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
                file.write_bytes(content)
        pair.coordinator.answer = pair.coordinator.stored
        third = box.measure(100, since=full_minute(300))
        box.start()
        assert eventually(lambda: len(pair.ledger.bins) == 300)
        assert eventually(box.waits_for_nothing)

    assert sorted(key[1] for key in pair.ledger.bins) == first + second + third
    assert pair.ledger.reused == []
    assert len({epoch for _, epoch, _ in pair.ledger.reports}) == 2
    assert all(pair.ledger.taken["north", start, 60, 0] == 1 for start in first)
    assert list(tmp_path.glob("outbox.sqlite.damaged-*"))


def test_a_full_outbox_merges_the_oldest_minutes_and_tells_so_and_no_car_is_lost(
    tmp_path: Path, broker: MosquittoBroker
) -> None:
    pair = a_pair(tmp_path, broker.port, outbox_bytes=400_000)
    broker.stop()

    with pair.box as box:
        box.measure(3000, since=aligned(full_minute(3600), 3600))
        assert eventually(box.has_read_everything, within_s=60)
        assert (tmp_path / "outbox.sqlite").stat().st_size < 3_000_000
        broker.start()
        with pair.coordinator:
            assert eventually(lambda: pair.ledger.cars() == 3000, within_s=60)
            assert eventually(box.waits_for_nothing)

    widths = [width for _, _, width, _ in sorted(pair.ledger.bins, key=lambda key: key[1])]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) > 1
    losses = [loss for report in pair.ledger.of(LossReport) for loss in report.losses]
    assert {loss.reason for loss in losses} == {"merged"}
    assert sum(b.coverage_s for b in pair.ledger.bins.values()) == 3000 * 60


def test_a_clock_that_is_wrong_holds_reports_back_and_marks_what_was_measured(
    tmp_path: Path, broker: MosquittoBroker
) -> None:
    clock = SkippingClock(datetime(2001, 1, 1, tzinfo=UTC))
    time_source = SwitchedTime()
    pair = a_pair(tmp_path, broker.port, clock=clock, time_source=time_source)

    with pair.coordinator, pair.box as box:
        wrong = box.measure(5, since=datetime(2001, 1, 1, tzinfo=UTC))
        threading.Event().wait(1.0)
        assert pair.ledger.arrivals == {}
        clock.set_ahead(timedelta(0))
        time_source.is_right = True
        assert eventually(lambda: len(pair.ledger.bins) == 5)
        right = box.measure(5, since=full_minute(-2))
        clock.skip(600)
        assert eventually(lambda: len(pair.ledger.bins) == 10)

    by_clock = {
        state: sorted(b.start for b in pair.ledger.bins.values() if b.clock is state)
        for state in ClockState
    }
    assert by_clock[ClockState.UNSURE] == wrong
    assert by_clock[ClockState.TRUSTED] == right
    clocks = {header.clock for header in pair.ledger.headers if header.kind is Kind.BINS}
    assert clocks == {ClockState.UNSURE, ClockState.TRUSTED}
    assert min(header.created_at for header in pair.ledger.headers) > full_minute(60)


def test_reports_leave_marked_when_no_time_server_ever_answers(
    tmp_path: Path, broker: MosquittoBroker
) -> None:
    settings = SenderSettings(flights=QUICK, pass_every_s=0.05, clock_wait_s=1.0)
    pair = a_pair(tmp_path, broker.port, time_source=SwitchedTime(), settings=settings)

    with pair.coordinator, pair.box as box:
        box.measure(5, since=full_minute(100))
        assert eventually(lambda: len(pair.ledger.bins) == 5)

    assert {b.clock for b in pair.ledger.bins.values()} == {ClockState.UNSURE}
    assert {header.clock for header in pair.ledger.headers} == {ClockState.UNSURE}


class SwitchedTime:
    """A time server that answers when the test says so."""

    is_right = False

    def is_synchronised(self) -> bool:
        return self.is_right
