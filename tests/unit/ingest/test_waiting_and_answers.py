"""Batches out of what waits, and what boxes are told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from common.encryption import SigningKey, read_order
from common.orders import Acknowledgement, Refusal
from coordinator.ingest.answers import signed_answers
from coordinator.ingest.metrics import IngestMetrics
from coordinator.ingest.verdicts import Fate, Outcome, Received, StreamPlace
from coordinator.ingest.waiting import WaitingMessages

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 14, tzinfo=UTC)
ORDERS = SigningKey.generate()


def message(size_bytes: int = 10) -> Received:
    return Received(topic="t", data=bytes(size_bytes))


def read(outcomes: list[Outcome]) -> list[tuple[str, Acknowledgement]]:
    return [
        (
            answer.topic,
            Acknowledgement.model_validate_json(
                read_order(answer.payload, {ORDERS.key_id: ORDERS.public})
            ),
        )
        for answer in signed_answers(outcomes, signing=lambda: ORDERS, at=NOW)
    ]


def test_messages_beyond_the_number_are_dropped() -> None:
    waiting = WaitingMessages(most=2, most_bytes=1000)

    assert [waiting.offer(message()) for _ in range(3)] == [True, True, False]
    assert (len(waiting), waiting.size_bytes) == (2, 20)


def test_messages_beyond_the_bytes_are_dropped_and_smaller_ones_still_fit() -> None:
    waiting = WaitingMessages(most=10, most_bytes=100)

    assert [waiting.offer(message(size)) for size in (60, 60, 40)] == [True, False, True]


def test_a_batch_takes_up_to_its_size_and_gives_room_again() -> None:
    async def take() -> list[int]:
        waiting = WaitingMessages(most=5, most_bytes=1000)
        for _ in range(5):
            waiting.offer(message())
        sizes = [len(await waiting.take(3)), len(await waiting.take(3))]
        return [*sizes, waiting.size_bytes]

    assert asyncio.run(take()) == [3, 2, 0]


def test_a_closed_queue_gives_what_is_left_and_then_nothing() -> None:
    async def take() -> list[int]:
        waiting = WaitingMessages(most=5, most_bytes=1000)
        waiting.offer(message())
        waiting.close()
        return [len(await waiting.take(3)), len(await waiting.take(3))]

    assert asyncio.run(take()) == [1, 0]


def test_each_stream_of_a_box_gets_one_answer() -> None:
    outcomes = [
        Outcome(StreamPlace("a", 1, 3), Fate.STORED),
        Outcome(StreamPlace("a", 1, 2), Fate.DUPLICATE),
        Outcome(StreamPlace("a", 2, 1), Fate.STORED),
        Outcome(StreamPlace("b", 1, 9), Fate.REFUSED, "too_old"),
    ]

    answers = read(outcomes)

    assert [(topic, a.epoch, a.stored) for topic, a in answers] == [
        ("its/v1/a/down/ack", 1, (2, 3)),
        ("its/v1/a/down/ack", 2, (1,)),
        ("its/v1/b/down/ack", 1, ()),
    ]
    assert answers[2][1].refused == (Refusal(sequence=9, reason="too_old"),)


def test_a_stored_sequence_is_never_refused_as_well() -> None:
    outcomes = [
        Outcome(StreamPlace("a", 1, 3), Fate.STORED),
        Outcome(StreamPlace("a", 1, 3), Fate.REFUSED, "sequence_reused"),
    ]

    ((_, answer),) = read(outcomes)

    assert (answer.stored, answer.refused) == ((3,), ())


def test_very_many_sequences_are_split_over_answers() -> None:
    outcomes = [Outcome(StreamPlace("a", 1, n), Fate.STORED) for n in range(1, 2502)]

    answers = read(outcomes)

    assert [len(answer.stored) for _, answer in answers] == [1000, 1000, 501]


def test_nothing_happened_and_nobody_is_told() -> None:
    assert read([]) == []


def test_metrics_have_a_name_for_every_reason() -> None:
    metrics = IngestMetrics(stored=3)
    metrics.rejected["too_old"] += 2

    figures = metrics.figures()

    assert (figures["ingest_stored"], figures["ingest_rejected_too_old"]) == (3.0, 2.0)
