"""What every ``Opener`` promises, checked on the thread that asks and on a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from common.encryption import (
    EncryptionManager,
    EnvelopeError,
    OpeningKey,
    Reason,
    SigningKey,
    parse_envelope,
)
from common.errors import UnreachableError
from coordinator.ingest.intake import Intake, IntakeSettings
from coordinator.ingest.opening import Opener, OpeningHere, OpeningProcess, Sealed
from coordinator.ingest.verdicts import Accepted, Received
from tests.conftest import REPOSITORY
from tests.fakes.boxes import MANAGER, NOW, FakeKeys, box
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.integration

NORTH = box(1)
REPORTS = [
    NORTH.seal(report, sequence=n + 1, created_at=NOW)
    for n, report in enumerate(
        NORTH.minutes(datetime(2026, 3, 14, 12, tzinfo=UTC) - timedelta(minutes=5), 5)
    )
]


@pytest.fixture(params=[OpeningHere, OpeningProcess])
def opener(request: pytest.FixtureRequest) -> Iterator[Opener]:
    made: Opener = request.param()
    yield made
    made.close()


@pytest.fixture
def process() -> Iterator[OpeningProcess]:
    made = OpeningProcess()
    yield made
    made.close()


def sealed(received: Received) -> Sealed:
    return Sealed(received.data, parse_envelope(received.data), NORTH.identity.key)


def test_payloads_come_in_the_order_of_the_reports(opener: Opener) -> None:
    opened, seconds = opener.open_all([sealed(each) for each in REPORTS], MANAGER)

    assert opened == [MANAGER.open(parse_envelope(each.data)) for each in REPORTS]
    assert seconds > 0


def test_one_bad_report_says_why_and_leaves_its_neighbours(opener: Opener) -> None:
    first, second, third = (sealed(each) for each in REPORTS[:3])
    body = bytearray(second.data)
    body[-1] ^= 1
    bent = replace(second, data=bytes(body), envelope=parse_envelope(bytes(body)))
    foreign = replace(third, key=SigningKey.generate().public)

    opened, _ = opener.open_all([first, bent, foreign], MANAGER)

    assert isinstance(opened[0], bytes)
    assert [each.reason for each in opened[1:] if isinstance(each, EnvelopeError)] == [
        Reason.BAD_SIGNATURE,
        Reason.UNKNOWN_KEY,
    ]


def test_rotated_keys_count_from_the_next_batch_on(opener: Opener) -> None:
    other = EncryptionManager(opening=[OpeningKey.generate()])

    (before,), _ = opener.open_all([sealed(REPORTS[0])], MANAGER)
    (after,), _ = opener.open_all([sealed(REPORTS[0])], other)

    assert isinstance(before, bytes)
    assert isinstance(after, EnvelopeError)
    assert after.reason is Reason.UNKNOWN_KEY


def test_nothing_to_open_is_no_question(opener: Opener) -> None:
    assert opener.open_all([], MANAGER)[0] == []


def test_closing_twice_is_once_and_it_can_be_used_again(opener: Opener) -> None:
    opener.open_all([sealed(REPORTS[0])], MANAGER)
    opener.close()
    opener.close()

    (again,), _ = opener.open_all([sealed(REPORTS[0])], MANAGER)

    assert isinstance(again, bytes)


def test_a_process_that_was_killed_costs_one_answer_and_no_report(process: OpeningProcess) -> None:
    intake = Intake(
        keys=FakeKeys([NORTH.identity]),
        manager=lambda: MANAGER,
        clock=StandingClock(NOW),
        settings=IntakeSettings(opener=process),
    )
    intake.examine_all(REPORTS)
    assert process.process_id is not None
    os.kill(process.process_id, signal.SIGKILL)

    with pytest.raises(UnreachableError, match="process that opens reports ended"):
        intake.examine_all(REPORTS)
    again = intake.examine_all(REPORTS)

    assert all(isinstance(each, Accepted) for each in again)


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    # A file of its own, as the process that is spawned reads it again.
    script = tmp_path / "worker.py"
    script.write_text(
        "import sys, time\n"
        "from common.encryption import EncryptionManager, OpeningKey, parse_envelope\n"
        "from tests.contracts.test_opener_contract import NORTH, REPORTS, sealed\n"
        "from coordinator.ingest.opening import OpeningProcess\n"
        "from tests.fakes.boxes import MANAGER\n"
        "if __name__ == '__main__':\n"
        "    opener = OpeningProcess()\n"
        "    opener.open_all([sealed(REPORTS[0])], MANAGER)\n"
        "    print(opener.process_id, flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()

    child.wait(timeout=10)
