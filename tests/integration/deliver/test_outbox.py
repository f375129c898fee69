from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.encryption import AtRestKey
from common.errors import ConfigError, UnreachableError
from common.geometry import Direction
from common.messages import BinReport, CameraBin, LossReport, SectionCounts
from common.wire import ClockState
from edge.deliver.outbox import Outbox
from edge.deliver.outbox_file import load_mark
from edge.deliver.outbox_rows import Cursor, FreshBin
from tests.conftest import REPOSITORY
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.integration

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
TRUSTED = ClockState.TRUSTED
BIG = 50_000_000


@contextmanager
def opened(
    folder: Path, *, max_bytes: int = BIG, clock: StandingClock | None = None
) -> Iterator[Outbox]:
    key = AtRestKey.load_or_create(folder / "at_rest.key")
    outbox = Outbox(
        folder / "outbox.sqlite", key=key, max_bytes=max_bytes, clock=clock or StandingClock(NINE)
    )
    with closing(outbox):
        yield outbox


def minute(row: int, *, lines: int = 1) -> FreshBin:
    """Row 1 is nine o'clock; each line had as many cars as the row's number says."""
    return FreshBin(
        row=row,
        bin=CameraBin(
            camera="north",
            start=NINE + timedelta(minutes=row - 1),
            coverage_s=60.0,
            frames_seen=600,
            frames_dropped=0,
            quality="good",
            sections=tuple(
                SectionCounts(
                    section=f"line {line}",
                    direction=Direction.LEFT,
                    counts=(0, 0, 0, row, 0, 0),
                    speeds=tuple((5 * n, row * line % 97) for n in range(40)),
                )
                for line in range(lines)
            ),
        ),
    )


def add(outbox: Outbox, rows: range, *, lines: int = 1) -> None:
    outbox.add_bins([minute(row, lines=lines) for row in rows], cursor=Cursor(row=rows[-1]))


def sent_bins(outbox: Outbox) -> list[CameraBin]:
    """All bins of all numbered reports."""
    found = []
    pending = outbox.pending()
    for report, payload in zip(pending, outbox.payloads(pending), strict=True):
        assert payload is not None
        found += BinReport.model_validate_json(payload).bins if report.bins else ()
    return found


def cars(bins: list[CameraBin]) -> int:
    return sum(s.counts[3] for b in bins for s in b.sections if s.counts is not None)


def losses(outbox: Outbox) -> dict[str, int | None]:
    """What the next loss report would tell, by reason."""
    outbox.make_loss_report(clock=TRUSTED)
    (payload,) = outbox.payloads(outbox.pending()[-1:])
    assert payload is not None
    return {loss.reason: loss.bins for loss in LossReport.model_validate_json(payload).losses}


def test_reports_are_numbered_from_one_and_stay_until_they_are_acknowledged(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox:
        add(outbox, range(1, 131))
        assert outbox.make_bin_reports(10, clock=TRUSTED) == 3
        epoch = outbox.epoch
    with opened(tmp_path) as outbox:
        pending = outbox.pending()
        assert [(each.epoch, each.sequence, each.bins) for each in pending] == [
            (epoch, 1, 64),
            (epoch, 2, 64),
            (epoch, 3, 2),
        ]
        assert outbox.acknowledge(epoch, [2, 9]) == 1
    with opened(tmp_path) as outbox:
        assert [each.sequence for each in outbox.pending()] == [1, 3]
        add(outbox, range(131, 132))
        outbox.make_bin_reports(10, clock=TRUSTED)
        assert [each.sequence for each in outbox.pending()] == [1, 3, 4]


def test_a_payload_is_the_same_bytes_at_each_call_and_those_of_the_message(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox:
        add(outbox, range(1, 4))
        outbox.make_bin_reports(1, clock=TRUSTED)
        pending = outbox.pending()
        (first,) = outbox.payloads(pending)
    with opened(tmp_path) as outbox:
        (second,) = outbox.payloads(pending)

    assert first == second
    wanted = BinReport(bins=tuple(minute(row).bin for row in range(1, 4)))
    assert first == wanted.model_dump_json().encode()


def test_an_acknowledgement_of_another_epoch_deletes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox:
        add(outbox, range(1, 4))
        outbox.make_bin_reports(1, clock=TRUSTED)

        assert outbox.acknowledge(outbox.epoch + 1, [1]) == 0
        assert len(outbox.pending()) == 1


def test_the_same_rows_again_are_the_same_bins(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox:
        add(outbox, range(1, 11))
        add(outbox, range(1, 11))

        assert outbox.status().bins == 10


def test_big_bins_share_reports_that_fit_into_an_envelope(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox:
        add(outbox, range(1, 65), lines=60)
        outbox.make_bin_reports(100, clock=TRUSTED)

        sizes = [len(payload or b"") for payload in outbox.payloads(outbox.pending())]
        assert len(sizes) > 1
        assert max(sizes) <= 262_144
        assert len(sent_bins(outbox)) == 64


def test_neither_counts_nor_names_of_lines_stand_in_the_files(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox:
        add(outbox, range(1, 200))
        outbox.make_bin_reports(1, clock=TRUSTED)
        found = b"".join(file.read_bytes() for file in tmp_path.glob("outbox*"))

    assert b"north" in found
    assert b"line 0" not in found
    assert b"counts" not in found


def test_a_full_outbox_keeps_every_car_while_it_merges_and_only_then_drops_the_oldest(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, max_bytes=200_000) as outbox:
        for first in range(1, 1201, 100):
            add(outbox, range(first, first + 100))
        outbox.make_bin_reports(1000, clock=TRUSTED)
        merged = sent_bins(outbox)
        told = losses(outbox)

    assert cars(merged) == sum(range(1, 1201))
    assert [b.start for b in merged] == sorted(b.start for b in merged)
    widths = [b.width_s for b in merged]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 60
    assert set(told) == {"merged"}


def test_hours_that_nobody_fetched_end_in_drops_that_are_told(tmp_path: Path) -> None:
    with opened(tmp_path, max_bytes=100_000) as outbox:
        for first in range(1, 6001, 500):
            add(outbox, range(first, first + 500))
        used = outbox.status().used_bytes
        outbox.make_bin_reports(1000, clock=TRUSTED)
        kept = sent_bins(outbox)
        told = losses(outbox)

    assert used <= 100_000
    minutes = sum(b.coverage_s for b in kept) / 60
    assert minutes + (told["outbox_full"] or 0) == 6000
    assert kept[0].start > NINE
    assert kept[-1].end == NINE + timedelta(minutes=6000)


def test_what_was_sent_once_is_never_merged(tmp_path: Path) -> None:
    with opened(tmp_path, max_bytes=200_000) as outbox:
        add(outbox, range(1, 65))
        outbox.make_bin_reports(1, clock=TRUSTED)
        sent = sent_bins(outbox)
        add(outbox, range(65, 1500))

        assert sent_bins(outbox) == sent


def test_minutes_that_come_late_make_another_part_of_the_merged_bin(tmp_path: Path) -> None:
    late = minute(1).bin.model_copy(update={"part": 1})
    with opened(tmp_path, max_bytes=200_000) as outbox:
        add(outbox, range(1, 1001))
        outbox.make_bin_reports(1, clock=TRUSTED)
        first = sent_bins(outbox)[0]
        assert (first.start, first.part) == (NINE, 0)
        outbox.add_bins([FreshBin(row=1001, bin=late)], cursor=Cursor(row=1001))
        add(outbox, range(1002, 2400))
        outbox.make_bin_reports(1000, clock=TRUSTED)

        keys = [(b.start, b.width_s, b.part) for b in sent_bins(outbox)]
    assert len(keys) == len(set(keys))


def corrupt(path: Path) -> None:
    """Zeros everywhere but in the first page."""
    content = path.read_bytes()
    path.write_bytes(content[:4096].ljust(len(content), b"\0"))


def test_a_torn_file_is_put_aside_and_reading_begins_after_the_last_acknowledged_row(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as outbox:
        add(outbox, range(1, 129))
        outbox.make_bin_reports(2, clock=TRUSTED)
        outbox.acknowledge(outbox.epoch, [1])
        outbox.save_mark()
        epoch = outbox.epoch
    corrupt(tmp_path / "outbox.sqlite")

    with opened(tmp_path) as outbox:
        assert outbox.epoch > epoch
        assert outbox.cursor.row == 64
        assert outbox.gap_after == 64
        assert outbox.pending() == []
    assert list(tmp_path.glob("outbox.sqlite.damaged-*"))


def test_a_new_epoch_is_above_the_last_one_even_when_the_clock_went_back(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox:
        epoch = outbox.epoch
    (tmp_path / "outbox.sqlite").unlink()

    with opened(tmp_path, clock=StandingClock(datetime(1970, 1, 1, tzinfo=UTC))) as outbox:
        assert outbox.epoch == epoch + 1


def test_a_disk_that_forgot_transactions_gets_a_new_epoch_and_no_number_twice(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as outbox:
        add(outbox, range(1, 65))
        outbox.make_bin_reports(1, clock=TRUSTED)
    shutil.copy(tmp_path / "outbox.sqlite", tmp_path / "earlier")
    with opened(tmp_path) as outbox:
        add(outbox, range(65, 129))
        outbox.make_bin_reports(1, clock=TRUSTED)
        numbers = {(each.epoch, each.sequence) for each in outbox.pending()}
    (tmp_path / "earlier").replace(tmp_path / "outbox.sqlite")

    with opened(tmp_path) as outbox:
        add(outbox, range(129, 193))
        outbox.make_bin_reports(1, clock=TRUSTED)
        now = {(each.epoch, each.sequence) for each in outbox.pending()}

    assert len(now - numbers) == 1
    assert now & numbers == {min(numbers)}
    assert max(now)[0] > max(numbers)[0]


def test_merged_bins_that_left_are_the_same_bins_when_the_outbox_is_lost_and_read_again(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, max_bytes=200_000) as outbox:
        add(outbox, range(1, 1001))
        outbox.make_bin_reports(1, clock=TRUSTED)
        left = [b for b in sent_bins(outbox) if b.width_s > 60]
    assert left
    mark = load_mark(tmp_path / "outbox.sqlite.mark")
    assert mark is not None
    corrupt(tmp_path / "outbox.sqlite")

    with opened(tmp_path) as outbox:
        add(outbox, range(1, 6))
        assert outbox.make_bin_reports(1, clock=TRUSTED) == 0
        for first in range(6, 1001, 5):
            add(outbox, range(first, first + 5))
        outbox.make_bin_reports(1000, clock=TRUSTED)
        again = {(b.start, b.width_s, b.part): b for b in sent_bins(outbox)}

    assert cars(list(again.values())) == sum(range(1, 1001))
    for bin_ in left:
        found = again[bin_.start, bin_.width_s, bin_.part]
        assert found.model_dump(exclude={"brightness"}) == bin_.model_dump(exclude={"brightness"})


def test_a_changed_row_is_noticed_and_the_next_opening_begins_anew(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox:
        add(outbox, range(1, 3))
        outbox.make_bin_reports(1, clock=TRUSTED)
        pending = outbox.pending()
        epoch = outbox.epoch
    with closing(sqlite3.connect(tmp_path / "outbox.sqlite")) as database, database:
        database.execute("UPDATE report SET content = zeroblob(100)")

    with opened(tmp_path) as outbox, pytest.raises(UnreachableError, match="is damaged"):
        outbox.payloads(pending)
    with opened(tmp_path) as outbox:
        assert outbox.epoch > epoch


def test_a_file_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "outbox.sqlite")) as database:
        database.execute("PRAGMA user_version = 99")

    with pytest.raises(ConfigError, match="has version 99"), opened(tmp_path):
        pass


def test_a_full_disk_is_told_and_harms_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox:
        add(outbox, range(1, 3))
    key = AtRestKey.load_or_create(tmp_path / "at_rest.key")
    tiny = Outbox(tmp_path / "outbox.sqlite", key=key, max_bytes=0, clock=StandingClock(NINE))
    with closing(tiny), pytest.raises(UnreachableError, match="cannot be used"):
        # So few pages are allowed that not even the room for work holds these.
        tiny.add_bins([minute(row, lines=60) for row in range(3, 600)], cursor=Cursor(row=599))

    with opened(tmp_path) as outbox:
        assert (outbox.status().bins, outbox.cursor.row) == (2, 2)


WRITER = """
import sys
from pathlib import Path
from tests.integration.deliver.test_outbox import TRUSTED, add, opened
folder = Path(sys.argv[1])
with opened(folder) as outbox:
    row = outbox.cursor.row
    while True:
        add(outbox, range(row + 1, row + 4))
        row += 3
        outbox.make_bin_reports(1, clock=TRUSTED)
        print(outbox.epoch, outbox.pending()[-1].sequence, row, flush=True)
"""


def test_what_was_said_to_be_stored_survives_the_death_of_the_process(tmp_path: Path) -> None:
    seen: list[tuple[int, int, int]] = []
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        with writer:
            for _, line in zip(range(20), writer.stdout, strict=False):
                epoch, sequence, row = map(int, line.split())
                seen.append((epoch, sequence, row))
            writer.send_signal(signal.SIGKILL)
        with opened(tmp_path) as outbox:
            epoch, sequence, row = seen[-1]
            assert outbox.epoch == epoch
            assert outbox.pending()[-1].sequence >= sequence
            assert outbox.cursor.row >= row
            rows = outbox.cursor.row

    numbers = [(epoch, sequence) for epoch, sequence, _ in seen]
    assert len(numbers) == len(set(numbers)) == 60
    with opened(tmp_path) as outbox:
        outbox.make_bin_reports(1000, clock=TRUSTED)
        assert cars(sent_bins(outbox)) == sum(range(1, rows + 1))


def test_the_mark_holds_numbers_and_names_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox:
        add(outbox, range(1, 65))
        outbox.make_bin_reports(1, clock=TRUSTED)
        mark = tmp_path / "outbox.sqlite.mark"
        content = json.loads(mark.read_text())

    assert (content["sequence"], content["row"], content["merged"]) == (1, 0, [])
    assert mark.stat().st_mode & 0o777 == 0o600
