"""A new revocation list → the broker of this coordinator acts on it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from common.errors import UnreachableError
from common.private_files import write_private
from coordinator.broker.brief_client import BriefClient, BrokerLogin
from coordinator.broker.mosquitto import tell_mosquitto
from coordinator.fleet.authority import Authority
from coordinator.fleet.revocations import RevokedDevice

if TYPE_CHECKING:
    from coordinator.broker.embedded import EmbeddedBroker

log = structlog.get_logger(__name__)

_MINUTES = 1 / 60


class EmbeddedListener:
    """The broker in this process: revoked certificates are cut off at once."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self._broker = broker

    def revoked(self, every: Sequence[RevokedDevice], *, new: Sequence[RevokedDevice]) -> None:  # noqa: ARG002
        """Refuse them, and end their connections."""
        self._broker.set_revoked(one.serial for one in every)


class ElsewhereListener:
    """The embedded broker of another process, which looks at the tables every few seconds."""

    def revoked(self, every: Sequence[RevokedDevice], *, new: Sequence[RevokedDevice]) -> None:
        """Nothing to do here."""
        log.debug("broker_looks_itself", revoked=len(every), new=len(new))


@dataclass(frozen=True, slots=True, kw_only=True)
class HowToTell:
    """How an external broker is made to read its files again."""

    pid_file: Path | None
    command: tuple[str, ...]


class ExternalListener:
    """mosquitto: reads the list for new connections; open sessions are taken over and ended.

    mosquitto 2.0.11 leaves a revoked client connected. MQTT gives a session to whoever signs in
    last under its client id (3.1.1, §3.1.4), and the generated configuration makes the
    certificate's name the client id. So we sign in once as the box, with a certificate of ten
    minutes: the box is thrown out, and cannot come back because its own certificate is on the
    list by then.
    """

    def __init__(
        self,
        how: HowToTell,
        *,
        login: Callable[[], BrokerLogin],
        authority: Authority,
        scratch: Path,
    ) -> None:
        self._how = how
        self._login = login
        self._authority = authority
        self._scratch = scratch

    def revoked(self, every: Sequence[RevokedDevice], *, new: Sequence[RevokedDevice]) -> None:
        """Tell the broker, then end the sessions of the new ones.

        Raises:
            UnreachableError: The broker could not be told.
        """
        if not tell_mosquitto(pid_file=self._how.pid_file, command=self._how.command):
            log.warning(
                "broker_not_told",
                revoked=len(every),
                hint="set broker.reload_command, or have the broker reload when the file changes",
            )
        for device in sorted({one.device for one in new}):
            try:
                self._end(device)
            except UnreachableError as error:
                # Ingest refuses the box anyway; a broker that is away has no session to end.
                log.warning("session_not_ended", device=device, reason=str(error))

    def _end(self, device: str) -> None:
        pair = self._authority.client(device, hours=10 * _MINUTES)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            certificate, key = Path(folder, "as.pem"), Path(folder, "as.key")
            write_private(certificate, pair.chain_pem)
            write_private(key, pair.key_pem)
            login = replace(
                self._login(), client_id=device, certificate_file=certificate, key_file=key
            )
            with BriefClient(login):
                log.info("session_ended", device=device)


class BriefSender:
    """Hands orders to the broker over a short connection."""

    def __init__(self, login: Callable[[], BrokerLogin]) -> None:
        self._login = login

    def send(self, orders: Sequence[tuple[str, bytes]]) -> None:
        """Publish each, QoS 1.

        Raises:
            UnreachableError: The broker is away.
        """
        with BriefClient(self._login()) as client:
            for topic, payload in orders:
                client.publish(topic, payload)
