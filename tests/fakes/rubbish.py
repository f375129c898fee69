"""One good box → messages that are wrong in every way in which a message can be."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from common.encryption import EncryptionManager, OpeningKey
from common.messages import BinReport
from coordinator.ingest.simulated_boxes import SimulatedBox
from coordinator.ingest.verdicts import Received
from tests.fakes.boxes import OPENING

FIRST_WRONG_SEQUENCE = 1_000_000
EACH = 5


@dataclass(frozen=True)
class Wrong:
    """Messages of one kind.

    Attributes:
        reason: What stands in the quarantine; empty where repeating is legitimate, so that
            the message is a duplicate, which is answered as stored.
        is_answered: Whether the box is told that it shall forget the report.
    """

    name: str
    reason: str
    messages: tuple[Received, ...]
    is_answered: bool = False


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Who takes part; ``known`` is the first report of ``good``, and is stored already."""

    good: SimulatedBox
    other: SimulatedBox
    stranger: SimulatedBox
    retired: SimulatedBox
    revoked: SimulatedBox
    known: Received
    known_report: BinReport
    now: datetime


def wrong_in_every_way(fleet: Fleet) -> list[Wrong]:
    """Five messages of each kind, and as many as it has bytes of the truncated one."""
    return [*_of_other_senders(fleet), *_of_broken_bytes(fleet), *_of_the_box_itself(fleet)]


def _of_other_senders(fleet: Fleet) -> Iterator[Wrong]:
    stolen = fleet.known
    sealing = EncryptionManager(signing=fleet.other.signing, sealing=OPENING.public)
    forger = SimulatedBox(1, tenant="town", site_id=1, sealing=OPENING.public)
    forger.device, forger._manager = fleet.good.device, sealing
    for name, sender, reason in (
        ("unknown device", fleet.stranger, "unknown_device"),
        ("retired box", fleet.retired, "retired"),
        ("revoked key", fleet.revoked, "key_revoked"),
        ("signed by another box", forger, "unknown_key"),
    ):
        yield Wrong(name, reason, _reports(sender, fleet.now))
    topic = stolen.topic.replace(fleet.good.device, fleet.other.device)
    yield Wrong("another device's topic", "other_device", (replace(stolen, topic=topic),) * EACH)
    for name, kind, reason in (
        ("topic of another kind", "health", "other_kind"),
        ("topic that boxes do not have", "kitchen", "foreign_topic"),
    ):
        wrong = replace(stolen, topic=stolen.topic.replace("bins", kind))
        yield Wrong(name, reason, (wrong,) * EACH)


def _of_broken_bytes(fleet: Fleet) -> Iterator[Wrong]:
    good = fleet.known
    flipped = good.data[:-1] + bytes([good.data[-1] ^ 1])
    yield Wrong("bad signature", "bad_signature", (replace(good, data=flipped),) * EACH)
    cut = tuple(replace(good, data=good.data[:length]) for length in range(len(good.data)))
    yield Wrong("truncated at each byte", "truncated", cut)
    yield Wrong("oversize", "oversize", (replace(good, data=good.data + bytes(65_536)),) * EACH)


def _of_the_box_itself(fleet: Fleet) -> Iterator[Wrong]:
    box, now = fleet.good, fleet.now
    first = FIRST_WRONG_SEQUENCE
    ahead = _reports(box, now, created_at=now + timedelta(minutes=6), first=first)
    yield Wrong("future clock", "future_clock", ahead, is_answered=True)
    bins_ahead = _reports(box, now, start=now + timedelta(hours=1), first=first + 100)
    yield Wrong("bins of the future", "future_clock", bins_ahead, is_answered=True)
    old = _reports(box, now, start=now - timedelta(days=402), first=first + 200)
    yield Wrong("bins of long ago", "too_old", old, is_answered=True)
    lost_key = SimulatedBox(1, tenant="town", site_id=1, sealing=OpeningKey.generate().public)
    lost_key.device = box.device
    lost_key._manager = EncryptionManager(signing=box.signing, sealing=OpeningKey.generate().public)
    yield Wrong("sealed to a lost key", "unknown_key", _reports(lost_key, now))
    reused = tuple(
        box.seal(report, sequence=1, created_at=now)
        for report in box.minutes(_minute(now, hours=30), EACH)
    )
    yield Wrong("another report at a taken place", "sequence_reused", reused, is_answered=True)
    taken = tuple(
        box.seal(fleet.known_report, sequence=first + 300 + n, created_at=now) for n in range(EACH)
    )
    yield Wrong("bins that are there", "bin_taken", taken, is_answered=True)
    yield Wrong("replay", "", (fleet.known,) * EACH)


def random_bytes(topic: str, number: int, *, seed: int) -> Iterator[Received]:
    """Random bytes of any length up to 600; one in four begins as an envelope does."""
    chance = random.Random(seed)  # noqa: S311 - rubbish, no secret
    for index in range(number):
        beginning = b"ITSE" if index % 4 == 0 else b""
        yield Received(topic=topic, data=beginning + chance.randbytes(chance.randrange(600)))


def _minute(now: datetime, *, hours: float) -> datetime:
    return now.replace(second=0, microsecond=0) - timedelta(hours=hours)


def _reports(
    box: SimulatedBox,
    now: datetime,
    *,
    created_at: datetime | None = None,
    start: datetime | None = None,
    first: int = 1,
) -> tuple[Received, ...]:
    begin = (start or _minute(now, hours=20)).replace(second=0, microsecond=0)
    return tuple(
        box.seal(report, sequence=sequence, created_at=created_at or now)
        for sequence, report in enumerate(box.minutes(begin, EACH), start=first)
    )
