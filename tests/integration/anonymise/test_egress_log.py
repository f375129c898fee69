"""The egress log on a real disk: chained, rotated, repaired, and every edit located."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from common.errors import ConflictError, NotFoundError, TrustError, UnreachableError
from common.messages import BinReport, CameraBin, HealthReport, LossReport, LostBins
from common.wire import ClockState
from edge.anonymise.egress_chain import ChainVerdict, read_entries, verify_chain
from edge.anonymise.egress_entry import GENESIS, Leaving
from edge.anonymise.egress_log import EgressLimits, EgressLog
from tests.fakes.clocks import StandingClock
from tests.unit.anonymise.stored_bins import EIGHT

pytestmark = pytest.mark.integration


Opener = Callable[..., EgressLog]


def begin(folder: Path, **limits: int) -> EgressLog:
    return EgressLog(folder, clock=StandingClock(EIGHT), limits=EgressLimits(**limits))


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Opens logs that are closed after the test."""
    with ExitStack() as closing:
        yield lambda folder, **limits: closing.enter_context(
            contextlib.closing(begin(folder, **limits))
        )


def leaving(sequence: int) -> Leaving:
    return Leaving(
        kind="bins",
        device="box-1",
        epoch=1,
        sequence=sequence,
        size_bytes=1000 + sequence,
        sha256=hashlib.sha256(bytes([sequence])).hexdigest(),
        cameras=("cam",),
        items=1,
        first_at=EIGHT,
        last_at=EIGHT + timedelta(minutes=1),
    )


def written(folder: Path, number: int = 5, **limits: int) -> list[Path]:
    """A log of so many entries; its files, oldest first."""
    log = begin(folder, **limits)
    for sequence in range(1, number + 1):
        log.append(leaving(sequence))
    log.close()
    return sorted(folder.glob("egress-*.jsonl"))


def rewrite(path: Path, edit: object) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(edit(lines)))  # type: ignore[operator]


def cheated(line: bytes, **changes: object) -> bytes:
    """The line with other content and a link that fits it."""
    content = {**json.loads(line), **changes}
    del content["link"]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    content["link"] = hashlib.sha256(canonical).hexdigest()
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def test_entries_are_chained_and_read_back(opened: Opener, tmp_path: Path) -> None:
    log = opened(tmp_path)

    first = log.append(leaving(1))
    head = log.append(leaving(2), leaving(3))

    entries = list(log.entries())
    assert [entry.index for entry in entries] == [1, 2, 3]
    assert [entry.what for entry in entries] == [leaving(1), leaving(2), leaving(3)]
    assert [entry.previous for entry in entries] == [GENESIS, first, entries[1].link]
    assert log.head == head == entries[2].link
    assert log.verify() == ChainVerdict(entries=3, first_index=1, head=head)


def test_a_link_can_be_computed_with_standard_tools(tmp_path: Path) -> None:
    (path,) = written(tmp_path, 1)

    line = path.read_bytes()
    content = json.loads(line)
    link = content.pop("link")

    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(canonical.encode()).hexdigest() == link
    assert content["previous"] == "0" * 64


def test_an_empty_log_verifies(opened: Opener, tmp_path: Path) -> None:
    opened(tmp_path).close()

    verdict = verify_chain(tmp_path)

    assert (verdict.is_whole, verdict.entries, verdict.head) == (True, 0, GENESIS)


def test_reopening_continues_the_chain(opened: Opener, tmp_path: Path) -> None:
    written(tmp_path, 3)

    log = opened(tmp_path)
    log.append(leaving(4))

    verdict = log.verify()
    assert (verdict.is_whole, verdict.entries) == (True, 4)


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        pytest.param(
            lambda lines: [*lines[:2], lines[2].replace(b"1003", b"1004"), *lines[3:]],
            "line 3: entry 3 does not fit its own link",
            id="a number altered",
        ),
        pytest.param(
            lambda lines: [*lines[:2], cheated(lines[2], size_bytes=7), *lines[3:]],
            "line 4: entry 4 does not follow the entry 3 before it",
            id="altered, with a new link that fits",
        ),
        pytest.param(
            lambda lines: [*lines[:2], *lines[3:]],
            "line 3: entry 4 follows entry 2, missing 3 to 3",
            id="one removed",
        ),
        pytest.param(
            lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
            "line 2: entry 3 follows entry 1, missing 2 to 2",
            id="two swapped",
        ),
        pytest.param(
            lambda lines: [*lines[:3], lines[1], *lines[3:]],
            "line 4: entry 2 comes after entry 3, out of order",
            id="one repeated",
        ),
        pytest.param(
            lambda lines: [*lines[:2], b"\n", *lines[2:]],
            "line 3: a line is no entry",
            id="an empty line",
        ),
        pytest.param(
            lambda lines: [*lines[:2], b"\xff\x00 not json\n", *lines[2:]],
            "line 3: a line is no entry",
            id="garbage",
        ),
        pytest.param(
            lambda lines: [*lines[:2], b"[" * 100_000 + b"\n", *lines[2:]],
            "line 3: a line has",
            id="a very long line",
        ),
        pytest.param(
            lambda lines: [lines[0], lines[1].replace(b'"index":2', b'"index": 2'), *lines[2:]],
            "line 2: entry 2 does not fit its own link",
            id="written in another way",
        ),
        pytest.param(
            lambda lines: [cheated(lines[0], previous="1" * 64), *lines[1:]],
            "line 1: entry 1 is no beginning",
            id="another beginning",
        ),
    ],
)
def test_the_first_wrong_entry_is_located(tmp_path: Path, edit: object, fault: str) -> None:
    (path,) = written(tmp_path)
    rewrite(path, edit)

    verdict = verify_chain(tmp_path)

    assert not verdict.is_whole
    assert fault in verdict.fault


def test_every_single_changed_byte_is_noticed(tmp_path: Path) -> None:
    (path,) = written(tmp_path, 2)
    whole = path.read_bytes()
    unnoticed = []

    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 0x01
        path.write_bytes(bytes(changed))
        verdict = verify_chain(tmp_path)
        # The last newline alone cannot be told from a line that a power cut tore.
        if verdict.is_whole and not (verdict.torn_bytes and verdict.entries == 1):
            unnoticed.append(position)

    assert unnoticed == []


def test_entries_cut_off_at_the_end_show_against_a_link_told_outside(tmp_path: Path) -> None:
    (path,) = written(tmp_path)
    told = verify_chain(tmp_path).head
    rewrite(path, lambda lines: lines[:3])

    alone, against_told = verify_chain(tmp_path), verify_chain(tmp_path, head=told)

    assert alone.is_whole
    assert against_told.fault == (
        f"link {told} is not in the chain: entries were cut off or rewritten"
    )


def test_an_older_link_told_outside_is_found_in_the_chain(opened: Opener, tmp_path: Path) -> None:
    log = opened(tmp_path)
    told = log.append(leaving(1))
    log.append(leaving(2))

    assert log.verify(head=told).is_whole


def test_files_rotate_and_the_oldest_go_while_the_rest_stays_checkable(tmp_path: Path) -> None:
    files = written(tmp_path, 12, file_bytes=1000, files=2)

    verdict = verify_chain(tmp_path)

    assert len(files) == 2
    assert verdict.is_whole
    assert verdict.first_index > 1
    assert verdict.first_index + verdict.entries - 1 == 12
    second = files[1].read_bytes().splitlines()[0]
    last_of_first = files[0].read_bytes().splitlines()[-1]
    assert json.loads(second)["previous"] == json.loads(last_of_first)["link"]


def test_a_file_missing_from_the_middle_is_noticed(tmp_path: Path) -> None:
    files = written(tmp_path, 12, file_bytes=1000)
    files[1].unlink()

    assert "missing" in verify_chain(tmp_path).fault


@pytest.mark.parametrize("kept", [1, 200, -1])
def test_a_torn_last_line_is_cut_off_and_said(opened: Opener, tmp_path: Path, kept: int) -> None:
    (path,) = written(tmp_path, 3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:kept])
    torn = len(lines[2][:kept])
    before = verify_chain(tmp_path)

    log = opened(tmp_path)
    log.append(leaving(4))

    assert (before.is_whole, before.entries, before.torn_bytes) == (True, 2, torn)
    assert [entry.what for entry in log.entries()][2:] == [
        Leaving(kind="repair", size_bytes=torn),
        leaving(4),
    ]
    assert log.verify().is_whole


def test_blocks_that_a_power_cut_left_without_data_are_cut_off_too(
    opened: Opener, tmp_path: Path
) -> None:
    (path,) = written(tmp_path, 3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + b"\0" * 100 + lines[2][100:])

    log = opened(tmp_path)

    assert [entry.what.kind for entry in log.entries()] == ["bins", "bins", "repair"]
    assert log.verify().is_whole


def test_threads_append_in_turn(opened: Opener, tmp_path: Path) -> None:
    log = opened(tmp_path)

    def append_some() -> None:
        for sequence in range(1, 21):
            log.append(leaving(sequence))

    threads = [threading.Thread(target=append_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    verdict = log.verify()
    assert (verdict.is_whole, verdict.entries) == (True, 80)


def test_a_new_file_that_a_power_cut_left_empty_is_no_break(opened: Opener, tmp_path: Path) -> None:
    written(tmp_path, 3)
    (tmp_path / "egress-000000000004.jsonl").write_bytes(b'{"at":')

    log = opened(tmp_path)
    log.append(leaving(4))

    assert log.verify().is_whole
    assert [entry.what.kind for entry in log.entries()][-2:] == ["repair", "bins"]


def test_a_log_with_an_altered_last_entry_is_not_continued(opened: Opener, tmp_path: Path) -> None:
    (path,) = written(tmp_path, 3)
    rewrite(path, lambda lines: [*lines[:2], lines[2].replace(b"1003", b"1004")])

    with pytest.raises(TrustError, match="entry 3 does not fit its own link"):
        opened(tmp_path)


def test_two_writers_exclude_each_other(opened: Opener, tmp_path: Path) -> None:
    log = opened(tmp_path)

    with pytest.raises(ConflictError, match="written by another process"):
        opened(tmp_path)
    log.close()
    opened(tmp_path).close()


def test_reading_and_checking_need_no_lock(opened: Opener, tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.append(leaving(1))

    assert verify_chain(tmp_path).entries == 1
    assert len(list(read_entries(tmp_path))) == 1


def test_files_belong_to_the_agent_alone(tmp_path: Path) -> None:
    (path,) = written(tmp_path / "egress", 1)

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from common.errors import UnreachableError
from edge.anonymise.egress_entry import Leaving
from edge.anonymise.egress_log import EgressLog
from common.timing import SystemClock

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
log = EgressLog(Path(sys.argv[1]), clock=SystemClock())
done = 0
try:
    while True:
        log.append(Leaving(kind="bins", sequence=done + 1))
        done += 1
except UnreachableError:
    print(done)
"""


def test_a_full_disk_refuses_and_leaves_no_half_line(tmp_path: Path) -> None:
    assert resource.RLIMIT_FSIZE is not None

    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )

    verdict = verify_chain(tmp_path)
    assert int(done.stdout) > 0
    assert (verdict.is_whole, verdict.entries, verdict.torn_bytes) == (True, int(done.stdout), 0)


def test_a_folder_that_cannot_be_made_is_refused(opened: Opener, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UnreachableError, match="egress log"):
        opened(tmp_path / "file" / "egress")


def test_no_log_is_told_apart_from_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no egress log"):
        verify_chain(tmp_path / "none")


def test_a_report_is_summed_up_by_camera_and_time_without_numbers() -> None:
    bins = tuple(
        CameraBin(
            camera=camera,
            start=EIGHT + timedelta(minutes=minute),
            coverage_s=60,
            frames_seen=1234,
            frames_dropped=0,
            quality="good",
        )
        for minute, camera in enumerate(("south", "north", "south"))
    )

    what = Leaving.report(BinReport(bins=bins), b"sealed", device="box-1", epoch=3, sequence=9)

    assert what == Leaving(
        kind="bins",
        device="box-1",
        epoch=3,
        sequence=9,
        size_bytes=6,
        sha256=hashlib.sha256(b"sealed").hexdigest(),
        cameras=("north", "south"),
        items=3,
        first_at=EIGHT,
        last_at=EIGHT + timedelta(minutes=3),
    )


def test_reports_without_bins_are_summed_up_too() -> None:
    health = HealthReport(
        at=EIGHT,
        software="1.0",
        model="its-yolo11n 1.0.0",
        clock=ClockState.TRUSTED,
        uptime_s=1,
        outbox_reports=0,
        outbox_bytes=0,
        disk_free_bytes=1,
    )
    loss = LossReport(at=EIGHT, losses=(LostBins(camera="north", reason="too_old", bins=3),))

    kinds = [
        Leaving.report(message, b"x", device="box-1", epoch=1, sequence=1)
        for message in (health, loss)
    ]

    assert [(what.kind, what.cameras, what.items) for what in kinds] == [
        ("health", (), 0),
        ("loss", ("north",), 1),
    ]
