"""What the intake believes, and the reason for everything else."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from common.encryption import EncryptionManager, OpeningKey, UnsealedHeader
from common.messages import BinReport, CameraBin, FlowCounts, HealthReport, LossReport, LostBins
from common.wire import ClockState, Kind
from coordinator.ingest.intake import Intake, IntakeSettings
from coordinator.ingest.plausibility import BEHIND
from coordinator.ingest.verdicts import Accepted, Received, Rejected, StreamPlace
from tests.fakes.boxes import MANAGER, NOW, OPENING, FakeKeys, box, intake_for
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.unit

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
NORTH = box(1)
SOUTH = box(2)
GOOD = NORTH.seal(NORTH.minutes(NOON, 1)[0], sequence=7, created_at=NOW)
MANAGER_OF_NORTH = EncryptionManager(signing=NORTH.signing, sealing=OPENING.public)


def rejected(received: Received, intake: Intake | None = None) -> Rejected:
    verdict = (intake or intake_for(NORTH, SOUTH)).examine(received)
    assert isinstance(verdict, Rejected), verdict
    return verdict


def sealed_json(payload: object, *, kind: Kind = Kind.BINS, sequence: int = 7) -> Received:
    header = UnsealedHeader(
        device=NORTH.device, kind=kind, epoch=1, sequence=sequence, created_at=NOW,
        clock=ClockState.TRUSTED,
    )  # fmt: skip
    data = MANAGER_OF_NORTH.seal(header, json.dumps(payload).encode())
    return Received(topic=f"its/v1/{NORTH.device}/up/{kind}", data=data)


def bins(*each: CameraBin) -> Received:
    return NORTH.seal(BinReport(bins=each), sequence=7, created_at=NOW)


def test_a_good_report_is_accepted_with_its_owner_and_place() -> None:
    verdict = intake_for(NORTH).examine(GOOD)

    assert isinstance(verdict, Accepted)
    assert verdict.identity == NORTH.identity
    assert verdict.place == StreamPlace(NORTH.device, 1, 7)
    assert verdict.kind is Kind.BINS


def test_sealing_again_changes_the_bytes_and_not_the_digest() -> None:
    report = NORTH.minutes(NOON, 1)[0]
    first, again = (NORTH.seal(report, sequence=1, created_at=NOW) for _ in range(2))
    verdicts = [intake_for(NORTH).examine(each) for each in (first, again)]

    assert first.data != again.data
    assert isinstance(verdicts[0], Accepted)
    assert isinstance(verdicts[1], Accepted)
    assert verdicts[0].digest == verdicts[1].digest


@pytest.mark.parametrize(
    ("received", "reason", "counted_for"),
    [
        pytest.param(replace(GOOD, topic="home/kitchen"), "foreign_topic", None, id="topic"),
        pytest.param(
            replace(GOOD, topic=f"its/v1/{NORTH.device}/down/ack"),
            "foreign_topic", None, id="a topic of ours that boxes do not write",
        ),
        pytest.param(
            replace(GOOD, topic=f"its/v1/{SOUTH.device}/up/bins"),
            "other_device", SOUTH.device, id="another device's topic",
        ),
        pytest.param(
            replace(GOOD, topic=f"its/v1/{NORTH.device}/up/health"),
            "other_kind", NORTH.device, id="another kind's topic",
        ),
        pytest.param(
            replace(GOOD, data=GOOD.data[:-1] + bytes([GOOD.data[-1] ^ 1])),
            "bad_signature", NORTH.device, id="signature",
        ),
        pytest.param(
            replace(GOOD, data=GOOD.data + bytes(70_000)), "oversize", NORTH.device, id="oversize"
        ),
        pytest.param(replace(GOOD, data=b""), "truncated", NORTH.device, id="empty"),
        pytest.param(
            replace(GOOD, data=GOOD.data + b"x"), "malformed", NORTH.device, id="more bytes"
        ),
        pytest.param(
            box(3).seal(box(3).minutes(NOON, 1)[0], sequence=1, created_at=NOW),
            "unknown_device", None, id="a box that nobody enrolled",
        ),
        pytest.param(
            box(1).seal(box(1).minutes(NOON, 1)[0], sequence=1, created_at=NOW),
            "unknown_key", NORTH.device, id="a known box with another key",
        ),
    ],
)  # fmt: skip
def test_what_anybody_may_have_sent_is_quarantined_and_never_answered(
    received: Received, reason: str, counted_for: str | None
) -> None:
    verdict = rejected(received)

    assert (verdict.reason, verdict.device, verdict.place) == (reason, counted_for, None)
    assert verdict.size_bytes == len(received.data)


@pytest.mark.parametrize(
    ("received", "reason"),
    [
        pytest.param(
            NORTH.seal(
                NORTH.minutes(NOON, 1)[0], sequence=7, created_at=NOW + timedelta(seconds=301)
            ),
            "future_clock", id="made in the future",
        ),
        pytest.param(
            NORTH.seal(NORTH.minutes(NOON, 1)[0], sequence=7, created_at=NOW - timedelta(days=401)),
            "too_old", id="made long ago",
        ),
        pytest.param(bins(NORTH.minute(NOON + timedelta(hours=1))), "future_clock", id="bin ahead"),
        pytest.param(bins(NORTH.minute(NOON - timedelta(days=401))), "too_old", id="old bin"),
        pytest.param(bins(NORTH.minute(NOON), NORTH.minute(NOON)), "repeated", id="a bin twice"),
        pytest.param(
            bins(NORTH.minute(NOON, flows=(FlowCounts(flow="a", counts=None),) * 2)),
            "repeated", id="a flow twice",
        ),
        pytest.param(sealed_json({"bins": []}), "schema", id="no bins"),
        pytest.param(sealed_json({"bins": "x", "picture": "…"}), "schema", id="other fields"),
        pytest.param(sealed_json([]), "schema", id="no object"),
        pytest.param(
            NORTH.seal(
                LossReport(
                    at=NOW,
                    losses=(
                        LostBins(
                            camera=None, reason="too_old", bins=None,
                            first_at=datetime(1970, 1, 1, tzinfo=UTC),
                        ),
                    ),
                ),
                sequence=7, created_at=NOW,
            ),
            "too_old", id="a moment no table wants",
        ),
    ],
)  # fmt: skip
def test_what_the_box_itself_sent_is_quarantined_and_answered(
    received: Received, reason: str
) -> None:
    verdict = rejected(received)

    assert verdict.reason == reason
    assert verdict.place == StreamPlace(NORTH.device, 1, 7)


@pytest.mark.parametrize("state", ["retired", "replaced", "key_revoked"])
def test_a_box_that_is_not_believed_any_more_is_refused_without_an_answer(state: str) -> None:
    keys = FakeKeys([replace(NORTH.identity, state=state)])
    intake = Intake(keys=keys, manager=lambda: MANAGER, clock=StandingClock(NOW))

    verdict = rejected(GOOD, intake)

    assert (verdict.reason, verdict.place) == (state, None)


def test_a_report_sealed_to_a_key_that_is_not_here_stays_with_its_box() -> None:
    other = EncryptionManager(opening=[OpeningKey.generate()])
    intake = Intake(
        keys=FakeKeys([NORTH.identity]), manager=lambda: other, clock=StandingClock(NOW)
    )

    verdict = rejected(GOOD, intake)

    assert (verdict.reason, verdict.place) == ("unknown_key", None)


def test_bins_older_than_what_is_kept_are_refused() -> None:
    intake = Intake(
        keys=FakeKeys([NORTH.identity]), manager=lambda: MANAGER, clock=StandingClock(NOW),
        settings=IntakeSettings(behind=timedelta(days=30)),
    )  # fmt: skip

    verdict = rejected(bins(NORTH.minute(NOON - timedelta(days=31))), intake)

    assert verdict.reason == "too_old"
    assert timedelta(days=365) < BEHIND


def test_the_detail_of_a_refusal_quotes_nothing_of_the_message() -> None:
    verdict = rejected(sealed_json({"bins": [{"camera": "W-12345X"}], "note": "W-12345X"}))

    assert verdict.reason == "schema"
    assert "W-12345X" not in verdict.detail
    assert "bins.0." in verdict.detail


def test_health_of_any_age_is_taken_but_not_of_the_future() -> None:
    health = HealthReport(
        at=NOW + timedelta(minutes=6), software="1", model="1", clock=ClockState.TRUSTED,
        uptime_s=1.0, outbox_reports=0, outbox_bytes=0.0, disk_free_bytes=0,
    )  # fmt: skip

    assert rejected(NORTH.seal(health, sequence=1, created_at=NOW)).reason == "future_clock"
    older = health.model_copy(update={"at": NOW - timedelta(days=500)})
    verdict = intake_for(NORTH).examine(NORTH.seal(older, sequence=1, created_at=NOW))
    assert isinstance(verdict, Accepted)


def test_a_message_cut_at_any_byte_is_rejected() -> None:
    intake = intake_for(NORTH)
    reasons = {
        rejected(replace(GOOD, data=GOOD.data[:length]), intake).reason
        for length in range(len(GOOD.data))
    }

    assert reasons == {"truncated"}


def test_a_message_with_any_bit_turned_is_rejected() -> None:
    intake = intake_for(NORTH)
    chance = random.Random(3)  # noqa: S311

    for position in chance.sample(range(len(GOOD.data)), 300):
        turned = bytearray(GOOD.data)
        turned[position] ^= 1 << chance.randrange(8)
        assert rejected(replace(GOOD, data=bytes(turned)), intake).place is None


def test_random_bytes_are_rejected_each_with_a_reason() -> None:
    intake = intake_for(NORTH)
    chance = random.Random(5)  # noqa: S311
    beginnings = (b"", GOOD.data[:7], GOOD.data[:11], GOOD.data[:200])

    for number in range(3000):
        noise = chance.randbytes(chance.choice([0, 3, 64, 1500]))
        verdict = rejected(replace(GOOD, data=beginnings[number % 4] + noise), intake)
        assert verdict.reason in ("malformed", "truncated", "oversize", "bad_version")
