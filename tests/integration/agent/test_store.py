from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.errors import ConfigError, UnreachableError
from edge.keeping.store import BinStore
from edge.keeping.stored import StoreLimits
from edge.measure.bins import MinuteBin, Quality
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ROOMY = StoreLimits(max_days=30, max_bytes=50_000_000)
SMALL_BYTES = 400_000

OpenStore = Callable[..., BinStore]


def minute(
    number: int, *, camera_id: str = "north", part: int = 0, coverage_s: float = 60.0
) -> MinuteBin:
    return MinuteBin(
        camera_id=camera_id,
        start=NOON + number * MINUTE,
        part=part,
        coverage_s=coverage_s,
        frames_seen=900,
        frames_dropped=0,
        unassigned_share=0.0,
        brightness=120.0,
        quality=Quality.GOOD,
    )


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(NOON)


@pytest.fixture
def open_store(tmp_path: Path, clock: StandingClock) -> Iterator[OpenStore]:
    opened: list[BinStore] = []

    def build(limits: StoreLimits = ROOMY) -> BinStore:
        opened.append(BinStore(tmp_path / "bins.sqlite", limits=limits, clock=clock))
        return opened[-1]

    yield build
    for store in opened:
        store.close()


def test_bins_come_back_as_they_were_stored(open_store: OpenStore) -> None:
    store = open_store()

    store.add([minute(0), minute(1)])

    found = list(store.bins())
    assert [(b.camera_id, b.start, b.part) for b in found] == [
        ("north", NOON, 0),
        ("north", NOON + MINUTE, 0),
    ]
    assert found[0].content == minute(0).to_dict()


def test_the_same_bin_is_stored_once_and_the_first_one_stays(open_store: OpenStore) -> None:
    store = open_store()
    store.add([minute(0, coverage_s=60)])

    added = store.add([minute(0, coverage_s=10), minute(1)])

    assert added == 1
    assert [b.content["coverage_s"] for b in store.bins()] == [60, 60]


@pytest.mark.parametrize(
    ("question", "minutes"),
    [
        pytest.param({}, [0, 1, 2, 3], id="everything"),
        pytest.param({"camera_id": "north"}, [0, 1, 2, 3], id="of one camera"),
        pytest.param({"camera_id": "south"}, [], id="of a camera without bins"),
        pytest.param({"since": NOON + MINUTE}, [1, 2, 3], id="since is included"),
        pytest.param({"until": NOON + 2 * MINUTE}, [0, 1], id="until is not"),
        pytest.param({"after_row": 2}, [2, 3], id="after a row"),
    ],
)
def test_bins_are_chosen_by_camera_time_and_row(
    open_store: OpenStore, question: dict[str, object], minutes: list[int]
) -> None:
    store = open_store()
    store.add([minute(number) for number in range(4)])

    found = [b.start for b in store.bins(**question)]  # type: ignore[arg-type]

    assert found == [NOON + number * MINUTE for number in minutes]


def test_more_bins_than_one_page_of_reading_all_come(open_store: OpenStore) -> None:
    store = open_store()
    store.add([minute(number) for number in range(1201)])

    rows = [b.row_id for b in store.bins()]

    assert rows == list(range(1, 1202))


def test_parts_and_the_latest_minute_are_told_by_camera(open_store: OpenStore) -> None:
    store = open_store()
    store.add([minute(0), minute(0, part=1), minute(5, camera_id="south")])

    assert store.parts("north", NOON) == 2
    assert store.parts("south", NOON) == 0
    assert store.last_start("south") == NOON + 5 * MINUTE
    assert store.last_start("east") is None


def test_bins_outlive_the_process_that_stored_them(open_store: OpenStore) -> None:
    open_store().add([minute(0)])

    again = open_store()

    assert [b.start for b in again.bins()] == [NOON]


def test_bins_that_are_too_old_go_and_are_counted(
    open_store: OpenStore, clock: StandingClock
) -> None:
    store = open_store(replace(ROOMY, max_days=1))
    store.add([minute(0), minute(1), minute(2)])
    clock.move((timedelta(days=1) + 2 * MINUTE).total_seconds())

    store.add([minute(24 * 60 + 2)])

    assert [b.start for b in store.bins()] == [
        NOON + 2 * MINUTE,
        NOON + timedelta(days=1, minutes=2),
    ]
    (loss,) = store.losses()
    assert (loss.camera_id, loss.reason, loss.bins) == ("north", "too_old", 2)
    assert (loss.first_at, loss.last_at) == (NOON, NOON + MINUTE)


def test_a_clock_far_ahead_for_a_moment_does_not_empty_the_store(
    open_store: OpenStore, clock: StandingClock
) -> None:
    store = open_store()
    store.add([minute(number) for number in range(1000)])
    clock.step(NOON + timedelta(days=3650))
    store.add([replace(minute(0), start=NOON + timedelta(days=3650))])
    clock.step(NOON + timedelta(minutes=1001))
    store.add([minute(1001)])

    assert len(list(store.bins())) == 1000 - 200 + 2


def test_a_full_store_stays_under_its_limit_and_lets_the_oldest_go(
    open_store: OpenStore, tmp_path: Path
) -> None:
    store = open_store(replace(ROOMY, max_bytes=SMALL_BYTES))

    for first in range(0, 3000, 10):
        store.add([minute(number) for number in range(first, first + 10)])

    kept = [b.start for b in store.bins()]
    (loss,) = store.losses()
    assert kept == [NOON + number * MINUTE for number in range(3000 - len(kept), 3000)]
    assert len(kept) > 100
    assert loss.reason == "store_full"
    assert loss.bins == 3000 - len(kept)
    assert (tmp_path / "bins.sqlite").stat().st_size <= SMALL_BYTES


def test_a_store_given_less_room_shrinks_on_disk(open_store: OpenStore, tmp_path: Path) -> None:
    roomy = open_store()
    roomy.add([minute(number) for number in range(3000)])
    roomy.close()
    before_bytes = (tmp_path / "bins.sqlite").stat().st_size

    tight = open_store(replace(ROOMY, max_bytes=SMALL_BYTES))
    tight.add([minute(3000)])
    tight.close()

    assert before_bytes > SMALL_BYTES
    assert (tmp_path / "bins.sqlite").stat().st_size <= SMALL_BYTES


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _: b"not a database at all" * 500, id="another file"),
        pytest.param(lambda raw: raw[:6000], id="cut off"),
        pytest.param(lambda raw: raw[:4096] + b"\xff" * (len(raw) - 4096), id="overwritten"),
    ],
)
def test_a_damaged_file_is_moved_aside_and_told(
    open_store: OpenStore, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    first = open_store()
    first.add([minute(number) for number in range(100)])
    first.close()
    path = tmp_path / "bins.sqlite"
    spoiled = damage(path.read_bytes())
    path.write_bytes(spoiled)

    store = open_store()
    store.add([minute(200)])

    (aside,) = tmp_path.glob("bins.sqlite.damaged-*")
    assert aside.read_bytes() == spoiled
    assert [b.start for b in store.bins()] == [NOON + 200 * MINUTE]
    (loss,) = store.losses()
    assert (loss.reason, loss.bins) == ("file_damaged", None)
    assert aside.name in loss.detail


def test_damage_that_shows_while_writing_is_moved_aside_too(
    open_store: OpenStore, tmp_path: Path
) -> None:
    store = open_store()
    store.add([minute(number) for number in range(2000)])
    path = tmp_path / "bins.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))

    store.add([minute(5000)])

    assert [b.start for b in store.bins()] == [NOON + 5000 * MINUTE]
    assert [loss.reason for loss in store.losses()] == ["file_damaged"]


def test_a_store_whose_disk_went_away_comes_back_with_it(
    tmp_path: Path, clock: StandingClock
) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    path = folder / "bins.sqlite"
    store = BinStore(path, limits=ROOMY, clock=clock)
    store.add([minute(number) for number in range(2000)])
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    folder.rename(tmp_path / "away")
    with pytest.raises(UnreachableError, match="cannot be used"):
        store.add([minute(5000)])
    folder.mkdir()

    store.add([minute(5001)])

    assert [b.start for b in store.bins()] == [NOON + 5001 * MINUTE]
    store.close()


def test_only_the_latest_damaged_files_are_kept(
    open_store: OpenStore, tmp_path: Path, clock: StandingClock
) -> None:
    for _ in range(4):
        (tmp_path / "bins.sqlite").write_bytes(b"rubbish" * 1000)
        open_store().close()
        (tmp_path / "bins.sqlite").unlink()
        clock.move(1)

    kept = sorted(file.name for file in tmp_path.glob("*.damaged-*"))

    assert [name.rpartition("T")[2] for name in kept] == ["120002000000Z", "120003000000Z"]


def test_a_file_of_a_newer_version_is_left_alone(open_store: OpenStore, tmp_path: Path) -> None:
    open_store().close()
    with sqlite3.connect(tmp_path / "bins.sqlite") as other:
        other.execute("PRAGMA user_version = 9")
    other.close()

    with pytest.raises(ConfigError, match="has version 9, expected at most 1"):
        open_store()

    assert not list(tmp_path.glob("*.damaged-*"))


def test_a_file_that_cannot_be_created_is_unreachable(clock: StandingClock, tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="unable to open database file"):
        BinStore(tmp_path / "absent" / "bins.sqlite", limits=ROOMY, clock=clock)


def test_unknown_counts_are_stored_as_null(open_store: OpenStore) -> None:
    store = open_store()
    unseen = replace(minute(0, coverage_s=0), incidents=None, quality=Quality.NO_DATA)

    store.add([unseen])

    (found,) = store.bins()
    assert json.dumps(found.content).count("null") >= 2
    assert found.content["incidents"] is None
