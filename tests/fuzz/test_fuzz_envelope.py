from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from common.encryption import EncryptionManager, Reason, UnsealedHeader
from common.wire import Kind
from tests.fuzz.fuzz_envelope import TAKEN, Target, fuzz, mutated

pytestmark = pytest.mark.unit

SOUND = UnsealedHeader(
    device="box-1",
    kind=Kind.HEALTH,
    epoch=1,
    sequence=1,
    created_at=datetime(2026, 5, 4, tzinfo=UTC),
)


def test_made_up_bytes_are_refused_for_every_reason_there_is() -> None:
    reasons = set(fuzz(4_000, seed=7)) - {TAKEN}

    assert reasons >= set(Reason) - {Reason.TOO_BIG_INSIDE}


def test_the_target_takes_what_is_in_order() -> None:
    # Otherwise every refusal above could be for a reason of the target's own.
    target = Target()
    box = EncryptionManager(signing=target.signing, sealing=target.opening.public)

    assert target.feed(target.envelope()) == TAKEN
    assert target.feed(target.order()) == TAKEN
    assert target.feed(box.seal(SOUND, b"{}")) == TAKEN


def test_accidents_can_be_repeated() -> None:
    first, second = (mutated(b"0123456789", random.Random(3)) for _ in range(2))  # noqa: S311 - no secret

    assert first == second != b"0123456789"
