"""Topic and bytes → a report that its box sent, or the reason why it is not believed.

Checks run from the cheapest to the dearest, and every bound before what it bounds: topic,
frame, header, who, signature, clock, body, schema, plausibility.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache, partial
from time import thread_time
from typing import TypeVar

from pydantic import ValidationError

from common.encryption import (
    EncryptionManager,
    EnvelopeError,
    Header,
    Reason,
    parse_envelope,
    verify_envelope,
)
from common.errors import TrustError
from common.messages import UP_MESSAGES, UpMessage
from common.timing import Clock
from common.topics import MOST_TOPIC_CHARACTERS, Topic, Way, parse_topic
from common.wire import Kind
from coordinator.ingest.devices import ENROLLED, DeviceIdentity, DeviceKeys
from coordinator.ingest.metrics import IngestMetrics
from coordinator.ingest.opening import Opener, OpeningHere, Sealed
from coordinator.ingest.plausibility import (
    BEHIND,
    ImplausibleError,
    check_message,
    check_moment,
)
from coordinator.ingest.verdicts import (
    MOST_DETAIL_CHARACTERS,
    Accepted,
    Received,
    Refused,
    Rejected,
    StreamPlace,
)

_MOST_NAMED_FAULTS = 5

_Checked = TypeVar("_Checked")


_UNSIGNED = frozenset({Reason.BAD_SIGNATURE, Reason.UNKNOWN_KEY})
"""What leaves open who sent it; or our key may come back from a backup: the box must keep it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeSettings:
    """How an intake works.

    Attributes:
        behind: Oldest bins that are taken in: no older than retention keeps, or sums would be
            made again from what is left of an old day.
        opener: Who verifies and opens.
    """

    behind: timedelta = BEHIND
    opener: Opener = field(default_factory=OpeningHere)


class _RejectedError(Exception):
    """Internal: leaves a check from wherever the doubt arose."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Intake:
    """Judges messages; stores nothing, and is safe to share between threads."""

    def __init__(
        self,
        *,
        keys: DeviceKeys,
        manager: Callable[[], EncryptionManager],
        clock: Clock,
        metrics: IngestMetrics | None = None,
        settings: IntakeSettings | None = None,
    ) -> None:
        """Prepare.

        Args:
            keys: Who is believed.
            manager: Asked anew for each batch, because keys rotate while we run.
            clock: What time it is.
            metrics: Where processor time is counted.
            settings: How it works.
        """
        settings = settings or IntakeSettings()
        self._keys = keys
        self._manager = manager
        self._clock = clock
        self._metrics = metrics or IngestMetrics()
        self._behind = min(settings.behind, BEHIND)
        self._opener = settings.opener

    def examine(self, received: Received) -> Accepted | Rejected:
        """Judge one message.

        Raises:
            UnreachableError: Nobody can say who the sender is; ask again later.
        """
        (verdict,) = self.examine_all([received])
        return verdict

    def examine_all(self, messages: Sequence[Received]) -> list[Accepted | Rejected]:
        """Judge messages; one verdict each, in order.

        Raises:
            UnreachableError: Nobody can say who the senders are; ask again later.
        """
        now = self._clock.now()
        cases = [_Case(message) for message in messages]
        verdicts = [_tried(case, self._admitted, now) for case in cases]
        admitted = [
            (case, each)
            for case, each in zip(cases, verdicts, strict=True)
            if isinstance(each, _Admitted)
        ]
        opened, seconds = self._opener.open_all(
            [each.sealed for _, each in admitted], self._manager()
        )
        self._metrics.crypto_s += seconds
        read = iter(
            [
                _tried(case, partial(self._read, each, content), now)
                for (case, each), content in zip(admitted, opened, strict=True)
            ]
        )
        return [next(read) if isinstance(each, _Admitted) else each for each in verdicts]

    def close(self) -> None:
        """Give back what the opener holds."""
        self._opener.close()

    def _admitted(self, case: _Case, now: datetime) -> _Admitted:
        """Everything that is cheaper than opening; nobody's word is believed yet."""
        topic = _our_topic(case.received.topic)
        if self._keys.knows(topic.device):
            case.device = topic.device
        envelope = parse_envelope(case.received.data)
        header = envelope.header
        if header.device != topic.device:
            raise _RejectedError(Refused.OTHER_DEVICE, "header and topic name different devices")
        if header.kind is not topic.kind:
            raise _RejectedError(Refused.OTHER_KIND, f"header says {header.kind.value}")
        identity = self._identity(header)
        if identity.state != ENROLLED:
            verify_envelope(envelope, identity.key)
            raise _RejectedError(identity.state, "this box is not believed any more")
        try:
            check_moment(header.created_at, now)
        except ImplausibleError:
            # It costs no opening; but only the box itself is told.
            verify_envelope(envelope, identity.key)
            case.place = _place(header)
            raise
        return _Admitted(identity, Sealed(case.received.data, envelope, identity.key))

    def _read(
        self, admitted: _Admitted, content: bytes | EnvelopeError, case: _Case, now: datetime
    ) -> Accepted:
        header = admitted.sealed.envelope.header
        if isinstance(content, EnvelopeError):
            case.place = None if content.reason in _UNSIGNED else _place(header)
            raise content
        case.place = _place(header)
        started_s = thread_time()
        message = _parsed(header.kind, content)
        check_message(message, now, self._behind)
        self._metrics.parsing_s += thread_time() - started_s
        return Accepted(
            identity=admitted.identity,
            place=case.place,
            kind=header.kind,
            created_at=header.created_at,
            digest=hashlib.sha256(content).digest(),
            message=message,
            topic=case.received.topic,
            size_bytes=len(case.received.data),
        )

    def _identity(self, header: Header) -> DeviceIdentity:
        identity = self._keys.find(header.device, header.signed_by)
        if identity is None:
            if self._keys.knows(header.device):
                raise _RejectedError(Reason.UNKNOWN_KEY, f"no key {header.signed_by} of this box")
            raise _RejectedError(Refused.UNKNOWN_DEVICE, "nobody enrolled this box")
        return identity


@dataclass(frozen=True, slots=True)
class _Admitted:
    """Worth being opened."""

    identity: DeviceIdentity
    sealed: Sealed


class _Case:
    """What is known of a message so far."""

    __slots__ = ("device", "place", "received")

    def __init__(self, received: Received) -> None:
        self.received = received
        self.device: str | None = None
        self.place: StreamPlace | None = None

    def rejected(self, reason: str, detail: str) -> Rejected:
        data = self.received.data
        return Rejected(
            reason=reason,
            topic=self.received.topic[:MOST_TOPIC_CHARACTERS],
            device=self.device,
            place=self.place,
            size_bytes=len(data),
            digest=hashlib.sha256(data).hexdigest(),
            detail=detail[:MOST_DETAIL_CHARACTERS],
        )


def _tried(
    case: _Case, check: Callable[[_Case, datetime], _Checked], now: datetime
) -> _Checked | Rejected:
    try:
        return check(case, now)
    except EnvelopeError as error:
        return case.rejected(error.reason.value, str(error))
    except (_RejectedError, ImplausibleError) as error:
        return case.rejected(str(error.reason), str(error))


def _place(header: Header) -> StreamPlace:
    return StreamPlace(header.device, header.epoch, header.sequence)


@lru_cache(maxsize=16_384)
def _our_topic(text: str) -> Topic:
    try:
        topic = parse_topic(text)
    except TrustError as error:
        raise _RejectedError(Refused.FOREIGN_TOPIC, "not a topic of ours") from error
    if topic.way is not Way.UP or topic.kind not in UP_MESSAGES:
        raise _RejectedError(Refused.FOREIGN_TOPIC, "boxes send nothing there")
    return topic


def _parsed(kind: Kind, payload: bytes) -> UpMessage:
    try:
        return UP_MESSAGES[kind].model_validate_json(payload)
    except ValidationError as error:
        # Where and what kind of fault; never the value, which is a stranger's.
        faults = [
            f"{'.'.join(map(str, item['loc']))}: {item['type']}"
            for item in error.errors(include_url=False, include_context=False, include_input=False)[
                :_MOST_NAMED_FAULTS
            ]
        ]
        raise _RejectedError(Refused.SCHEMA, "; ".join(faults)) from None
