from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.encryption import AtRestKey
from common.messages import BinReport, IncidentReport, LossReport
from common.road_users import RoadUser
from common.wire import ClockState, PrivacyMode
from edge.anonymise.engine import PrivacyEngine
from edge.anonymise.settings import CameraPrivacy
from edge.deliver.clock_trust import ClockTrust, TrustedTime
from edge.deliver.collecting import ROWS_AT_ONCE, Collector
from edge.deliver.outbox import Outbox
from edge.keeping.store import BinStore
from edge.keeping.stored import StoreLimits
from edge.measure.events import Incident, IncidentKind
from tests.fakes.clocks import StandingClock
from tests.fakes.sending_box import CAMERA, minute_bin

pytestmark = pytest.mark.integration

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
CLOCK = StandingClock(NINE + timedelta(days=1))
LIMITS = StoreLimits(max_days=3660, max_bytes=50_000_000)


def open_store(folder: Path, limits: StoreLimits = LIMITS) -> BinStore:
    return BinStore(folder / "bins.sqlite", limits=limits, clock=CLOCK)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    key = AtRestKey.load_or_create(tmp_path / "at_rest.key")
    path = tmp_path / "outbox.sqlite"
    with closing(Outbox(path, key=key, max_bytes=50_000_000, clock=CLOCK)) as outbox:
        yield outbox


def collector(store: BinStore, outbox: Outbox) -> Collector:
    return Collector(
        store,
        outbox,
        open_privacy=lambda left_out: PrivacyEngine({}, cameras=[CAMERA], on_left_out=left_out),
        trust=ClockTrust(TrustedTime(), clock=CLOCK, wait_s=0),
    )


def fill(store: BinStore, minutes: range) -> None:
    store.add([minute_bin(NINE + timedelta(minutes=minute)) for minute in minutes])


def collect_all(store: BinStore, outbox: Outbox) -> list[int]:
    passes = []
    found = collector(store, outbox)
    while read := found.collect():
        passes.append(read)
    found.tell_losses()
    return passes


def told(outbox: Outbox) -> tuple[list[int], dict[str, int | None]]:
    """Minutes after nine of every bin, and losses by reason, of all reports."""
    outbox.make_bin_reports(1000, clock=ClockState.TRUSTED)
    outbox.make_loss_report(clock=ClockState.TRUSTED)
    pending = outbox.pending()
    minutes: list[int] = []
    losses: dict[str, int | None] = {}
    for report, payload in zip(pending, outbox.payloads(pending), strict=True):
        assert payload is not None
        if report.bins:
            bins = BinReport.model_validate_json(payload).bins
            minutes += [int((bin_.start - NINE).total_seconds() // 60) for bin_ in bins]
        else:
            found = LossReport.model_validate_json(payload).losses
            losses |= {loss.reason: loss.bins for loss in found}
    return minutes, losses


def test_rows_are_read_once_in_bounded_passes(tmp_path: Path, outbox: Outbox) -> None:
    with closing(open_store(tmp_path)) as store:
        fill(store, range(300))
        first = collect_all(store, outbox)
        fill(store, range(300, 303))
        second = collect_all(store, outbox)

    assert (first, second) == ([ROWS_AT_ONCE, ROWS_AT_ONCE, 44], [3])
    assert told(outbox) == (list(range(303)), {})


def test_a_store_that_began_anew_is_read_from_its_beginning(tmp_path: Path, outbox: Outbox) -> None:
    with closing(open_store(tmp_path)) as store:
        fill(store, range(10))
        collect_all(store, outbox)
    (tmp_path / "bins.sqlite").write_bytes(b"no database" * 1000)

    with closing(open_store(tmp_path)) as store:
        fill(store, range(10, 40))
        collect_all(store, outbox)

    assert told(outbox) == (list(range(40)), {"file_damaged": None})


@pytest.mark.parametrize("minutes", [range(10, 15), range(10, 40)], ids=["shorter", "longer"])
def test_a_store_that_somebody_deleted_is_noticed_too(
    tmp_path: Path, outbox: Outbox, minutes: range
) -> None:
    with closing(open_store(tmp_path)) as store:
        fill(store, range(10))
        collect_all(store, outbox)
    (tmp_path / "bins.sqlite").unlink()

    with closing(open_store(tmp_path)) as store:
        fill(store, minutes)
        collect_all(store, outbox)

    assert told(outbox)[0] == [*range(10), *minutes]


def test_what_the_store_dropped_before_it_was_read_is_told(tmp_path: Path, outbox: Outbox) -> None:
    with closing(open_store(tmp_path)) as store:
        fill(store, range(10))
        collect_all(store, outbox)
        store.note_lost("north", "not_written", [NINE + timedelta(minutes=10)])
        collect_all(store, outbox)
        collect_all(store, outbox)

    assert told(outbox)[1] == {"not_written": 1}


def test_bins_that_the_wire_has_no_form_for_are_told_as_lost(
    tmp_path: Path, outbox: Outbox
) -> None:
    with closing(open_store(tmp_path)) as store:
        fill(store, range(2))
        store.add([minute_bin(NINE + timedelta(minutes=2), cars=10_000_000)])
        collect_all(store, outbox)

    assert told(outbox) == ([0, 1], {"not_sendable": 1})


def test_rows_that_a_lost_outbox_had_and_the_store_has_no_more_are_told(tmp_path: Path) -> None:
    key, path = AtRestKey.load_or_create(tmp_path / "at_rest.key"), tmp_path / "outbox.sqlite"
    with closing(open_store(tmp_path)) as store:
        fill(store, range(10))
        with closing(Outbox(path, key=key, max_bytes=50_000_000, clock=CLOCK)) as outbox:
            collect_all(store, outbox)
    path.unlink()
    limits = StoreLimits(max_days=1 - 4.5 / 1440, max_bytes=50_000_000)

    with closing(open_store(tmp_path, limits)) as store:
        fill(store, range(10, 12))
        with closing(Outbox(path, key=key, max_bytes=50_000_000, clock=CLOCK)) as outbox:
            collect_all(store, outbox)
            minutes, losses = told(outbox)

    assert minutes == [5, 6, 7, 8, 9, 10, 11]
    assert losses["file_damaged"] == 5


def test_single_incidents_leave_only_from_cameras_in_operational_mode(
    tmp_path: Path, outbox: Outbox
) -> None:
    stop = Incident(
        kind=IncidentKind.STOPPED_VEHICLE,
        section="junction",
        road_user=RoadUser.CAR,
        track_id=7,
        since_s=3.25,
        at=NINE + timedelta(seconds=5.5),
    )
    operational = CameraPrivacy(mode=PrivacyMode.OPERATIONAL)
    with closing(open_store(tmp_path)) as store:
        found = Collector(
            store,
            outbox,
            open_privacy=lambda _left_out: PrivacyEngine({"open": operational}, cameras=[]),
            trust=ClockTrust(TrustedTime(), clock=CLOCK, wait_s=0),
        )

        told_count = found.collect_incidents([("open", stop), ("closed", stop)])

    (payload,) = outbox.payloads(outbox.pending())
    assert told_count == 1
    assert payload is not None
    (note,) = IncidentReport.model_validate_json(payload).incidents
    assert note.camera == "open"
    assert note.at == NINE + timedelta(seconds=5)
    assert b"7" not in payload.replace(b"2026", b"").replace(b"09:00:05", b"")
