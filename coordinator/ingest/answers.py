"""Outcomes of a commit → signed acknowledgements, one for each stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from common.encryption import SigningKey, sign_order
from common.orders import Acknowledgement, Refusal
from common.topics import Topic, Way
from common.wire import Kind
from coordinator.ingest.verdicts import Fate, Outcome

_MOST_PER_ANSWER = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """A message to one box."""

    topic: str
    payload: bytes


@dataclass(slots=True)
class _Stream:
    stored: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)


def signed_answers(
    outcomes: Iterable[Outcome], *, signing: Callable[[], SigningKey], at: datetime
) -> list[Answer]:
    """What the boxes are told: everything that is committed, and what they need not send again.

    A sequence that is stored is never refused as well, whatever else came under its number.
    """
    streams: dict[tuple[str, int], _Stream] = {}
    for outcome in outcomes:
        place = outcome.place
        stream = streams.setdefault((place.device, place.epoch), _Stream())
        if outcome.fate is Fate.REFUSED:
            stream.refused[place.sequence] = outcome.reason
        else:
            stream.stored.add(place.sequence)
    key = signing() if streams else None
    return [
        Answer(
            topic=str(Topic(device, Way.DOWN, Kind.ACK)),
            payload=sign_order(key, acknowledgement.model_dump_json().encode()),
        )
        for (device, epoch), stream in streams.items()
        for acknowledgement in _acknowledgements(device, epoch, stream, at)
        if key is not None
    ]


def _acknowledgements(
    device: str, epoch: int, stream: _Stream, at: datetime
) -> Iterator[Acknowledgement]:
    stored = sorted(stream.stored)
    refused = [
        Refusal(sequence=sequence, reason=reason)
        for sequence, reason in sorted(stream.refused.items())
        if sequence not in stream.stored
    ]
    for start in range(0, max(len(stored), len(refused)), _MOST_PER_ANSWER):
        part = slice(start, start + _MOST_PER_ANSWER)
        yield Acknowledgement(
            device=device,
            epoch=epoch,
            stored=tuple(stored[part]),
            refused=tuple(refused[part]),
            at=at,
        )
