"""A numbered report → the envelope that leaves, after the egress log has its digest."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from common.encryption import EncryptionManager, UnsealedHeader, VerifyingKey
from common.messages import UP_MESSAGES
from common.timing import Clock
from common.topics import Topic, Way
from common.wire import ClockState
from edge.anonymise.egress_entry import Leaving
from edge.deliver.outbox_rows import PendingReport


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Credentials:
    """Who this box is, whom it believes and where its reports go, at this moment.

    Attributes:
        encryption: Signs and seals with the keys that are in force.
        order_keys: Key id → key that the coordinator may sign orders with.
        protocol: ``3.1.1`` or ``5``.
        tls: None only for a broker on this machine.
        certificate_expires_at: None without TLS.
    """

    device: str
    host: str
    port: int
    protocol: str
    encryption: EncryptionManager = field(repr=False)
    order_keys: Mapping[str, VerifyingKey]
    tls: ssl.SSLContext | None = None
    certificate_expires_at: datetime | None = None


LoadCredentials = Callable[[], Credentials]
"""Reads them again, since keys rotate and certificates are renewed while the agent runs.

Raises ``ConfigError`` where the box is not enrolled.
"""


class Egress(Protocol):
    """Where everything is written down before it leaves; ``EgressLog`` does."""

    @property
    def head(self) -> str:
        """Newest link of the chain."""
        ...

    def append(self, *leaving: Leaving) -> str:
        """On the disk when this returns.

        Raises:
            UnreachableError: The disk is full or failing; do not send.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedReport:
    """Bytes that are ready to leave."""

    report: PendingReport
    topic: str
    envelope: bytes = field(repr=False)
    leaving: Leaving


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sealer:
    """Seals each time a report is sent, so that it always goes to the keys in force."""

    egress: Egress
    clock: Clock

    def seal(
        self,
        report: PendingReport,
        payload: bytes,
        credentials: Credentials,
        *,
        clock_state: ClockState,
    ) -> SealedReport:
        """Close one report; the payload stays what it was, so its digest does too.

        Args:
            report: Number and kind.
            payload: JSON of its message; validated once more before it leaves.
            credentials: Keys in force.
            clock_state: What is known of the clock now.

        Raises:
            ValueError: Too big for an envelope, or not of the closed schema.
        """
        message = UP_MESSAGES[report.kind].model_validate_json(payload)
        is_known_by_now = report.clock is ClockState.UNSURE and clock_state is ClockState.TRUSTED
        header = UnsealedHeader(
            device=credentials.device,
            kind=report.kind,
            epoch=report.epoch,
            sequence=report.sequence,
            created_at=self.clock.now() if is_known_by_now else report.created_at,
            clock=report.clock,
        )
        envelope = credentials.encryption.seal(header, payload)
        return SealedReport(
            report=report,
            topic=str(Topic(credentials.device, Way.UP, report.kind)),
            envelope=envelope,
            leaving=Leaving.report(
                message,
                envelope,
                device=credentials.device,
                epoch=report.epoch,
                sequence=report.sequence,
            ),
        )

    def write_down(self, sealed: Sequence[SealedReport]) -> None:
        """Note everything that is about to leave.

        Raises:
            UnreachableError: The disk is full or failing; do not send.
        """
        if sealed:
            self.egress.append(*(each.leaving for each in sealed))
