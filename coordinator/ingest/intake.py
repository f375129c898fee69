"""Topic and bytes → a report that its box sent, or the reason why it is not believed.

Checks run from the cheapest to the dearest, and every bound before what it bounds: topic,
frame, header, who, signature, clock, body, schema, plausibility.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import lru_cache
from time import thread_time

from pydantic import ValidationError

from common.encryption import (
    EncryptionManager,
    Envelope,
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


class _RejectedError(Exception):
    """Internal: leaves ``_examine`` from wherever the doubt arose."""

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
        behind: timedelta = BEHIND,
    ) -> None:
        """Prepare.

        Args:
            keys: Who is believed.
            manager: Asked anew for each message, because keys rotate while we run.
            clock: What time it is.
            metrics: Where processor time is counted.
            behind: Oldest bins that are taken in: no older than retention keeps, or sums would
                be made again from what is left of an old day.
        """
        self._keys = keys
        self._manager = manager
        self._clock = clock
        self._metrics = metrics or IngestMetrics()
        self._behind = min(behind, BEHIND)

    def examine(self, received: Received) -> Accepted | Rejected:
        """Judge one message.

        Raises:
            UnreachableError: Nobody can say who the sender is; ask again later.
        """
        case = _Case(received)
        try:
            return self._examine(case)
        except EnvelopeError as error:
            reason, detail = error.reason.value, str(error)
            if error.reason is Reason.UNKNOWN_KEY:
                # Our key may come back from a backup: the box must keep the report.
                case.place = None
        except (_RejectedError, ImplausibleError) as error:
            reason, detail = str(error.reason), str(error)
        return case.rejected(reason, detail)

    def examine_all(self, messages: Sequence[Received]) -> list[Accepted | Rejected]:
        """Judge messages; one verdict each, in order.

        Raises:
            UnreachableError: Nobody can say who the senders are; ask again later.
        """
        return [self.examine(message) for message in messages]

    def _examine(self, case: _Case) -> Accepted:
        topic = _our_topic(case.received.topic)
        if self._keys.knows(topic.device):
            case.device = topic.device
        envelope = parse_envelope(case.received.data)
        header = envelope.header
        if header.device != topic.device:
            raise _RejectedError(Refused.OTHER_DEVICE, "header and topic name different devices")
        if header.kind is not topic.kind:
            raise _RejectedError(Refused.OTHER_KIND, f"header says {header.kind.value}")
        now, started_s = self._clock.now(), thread_time()
        try:
            identity = self._trusted(header, envelope)
            case.place = StreamPlace(header.device, header.epoch, header.sequence)
            check_moment(header.created_at, now)
            payload = self._manager().open(envelope)
        finally:
            opened_s = thread_time()
            self._metrics.crypto_s += opened_s - started_s
        message = _parsed(header.kind, payload)
        check_message(message, now, self._behind)
        self._metrics.parsing_s += thread_time() - opened_s
        return Accepted(
            identity=identity,
            place=case.place,
            kind=header.kind,
            created_at=header.created_at,
            digest=hashlib.sha256(payload).digest(),
            message=message,
            topic=case.received.topic,
            size_bytes=len(case.received.data),
        )

    def _trusted(self, header: Header, envelope: Envelope) -> DeviceIdentity:
        identity = self._keys.find(header.device, header.signed_by)
        if identity is None:
            if self._keys.knows(header.device):
                raise _RejectedError(Reason.UNKNOWN_KEY, f"no key {header.signed_by} of this box")
            raise _RejectedError(Refused.UNKNOWN_DEVICE, "nobody enrolled this box")
        verify_envelope(envelope, identity.key)
        if identity.state != ENROLLED:
            raise _RejectedError(identity.state, "this box is not believed any more")
        return identity


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
