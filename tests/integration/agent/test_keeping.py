from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.keeping.keeper import MOST_WAITING, BinKeeper
from edge.keeping.store import BinStore
from edge.keeping.stored import StoreLimits
from edge.measure.bins import MinuteBin, Quality
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EMPTY = MinuteBin(
    camera_id="north",
    start=NOON,
    coverage_s=0,
    frames_seen=0,
    frames_dropped=0,
    unassigned_share=None,
    brightness=None,
    quality=Quality.NO_DATA,
)


def minute(number: int, part: int = 0) -> MinuteBin:
    return replace(EMPTY, start=NOON + timedelta(minutes=number), part=part)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(NOON)


@pytest.fixture
def store(tmp_path: Path, clock: StandingClock) -> Iterator[BinStore]:
    limits = StoreLimits(max_days=30, max_bytes=50_000_000)
    opened = BinStore(tmp_path / "bins.sqlite", limits=limits, clock=clock)
    yield opened
    opened.close()


def keys(store: BinStore) -> list[tuple[int, int]]:
    return [(round((b.start - NOON).total_seconds() / 60), b.part) for b in store.bins()]


def test_a_minute_cut_by_a_restart_keeps_both_parts(store: BinStore, clock: StandingClock) -> None:
    before = BinKeeper(store, camera_id="north", clock=clock)
    before.begin_run()
    before.keep([minute(0), minute(0, part=1)])

    after = BinKeeper(store, camera_id="north", clock=clock)
    after.begin_run()
    after.keep([minute(0), minute(1), minute(0, part=1)])

    assert keys(store) == [(0, 0), (0, 1), (0, 2), (1, 0), (0, 3)]
    assert after.stored == 3


def test_a_new_run_of_one_keeper_numbers_on_too(store: BinStore, clock: StandingClock) -> None:
    keeper = BinKeeper(store, camera_id="north", clock=clock)
    keeper.begin_run()
    keeper.keep([minute(0)])

    keeper.begin_run()
    keeper.keep([minute(0)])

    assert keys(store) == [(0, 0), (0, 1)]


def disk_full(store: BinStore, *, is_full: bool) -> None:
    """SQLite's own limit of pages gives the error that a full disk gives."""
    store._database.execute(f"PRAGMA max_page_count = {1 if is_full else 100_000}")


def test_bins_that_a_full_disk_refuses_are_written_once_it_has_room(
    store: BinStore, clock: StandingClock
) -> None:
    keeper = BinKeeper(store, camera_id="north", clock=clock)
    keeper.begin_run()
    disk_full(store, is_full=True)
    keeper.keep([minute(number) for number in range(100)])
    assert "full" in keeper.trouble
    assert keeper.waiting == 100
    keeper.begin_run()
    keeper.keep([minute(99)])
    disk_full(store, is_full=False)
    clock.move(10)

    keeper.keep([])

    assert keys(store) == [*((number, 0) for number in range(100)), (99, 1)]
    assert (keeper.waiting, keeper.trouble, keeper.stored) == (0, "", 101)


def test_a_disk_that_stays_full_costs_the_oldest_bins_and_says_so(
    store: BinStore, clock: StandingClock
) -> None:
    keeper = BinKeeper(store, camera_id="north", clock=clock)
    keeper.begin_run()
    disk_full(store, is_full=True)
    keeper.keep([minute(number) for number in range(MOST_WAITING + 3)])
    assert keeper.waiting == MOST_WAITING
    disk_full(store, is_full=False)
    clock.move(10)

    keeper.keep([])

    assert keys(store)[0] == (3, 0)
    (loss,) = store.losses()
    assert (loss.reason, loss.bins, loss.first_at) == ("not_written", 3, NOON)
