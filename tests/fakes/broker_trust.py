"""A throw-away CA → both brokers running from it, and clients with any certificate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from common.certificates import Revoked, device_certificate
from common.free_ports import free_port
from common.private_files import make_private_folder, write_private
from common.timing import SystemClock
from coordinator.broker.brief_client import BrokerLogin
from coordinator.broker.embedded import EmbeddedBroker, EmbeddedSettings
from coordinator.broker.mosquitto import REVOKED, MosquittoSettings, write_mosquitto
from coordinator.fleet.authority import Authority
from tests.fakes.mosquitto_broker import MosquittoBroker, new_folder


class RunningBroker(Protocol):
    """What both brokers offer to tests."""

    port: int
    kind: str

    def revoke(self, serials: Iterable[str]) -> None:
        """Refuse these certificates from now on."""
        ...


class Trust:
    """One CA and the logins that it certified."""

    def __init__(self, folder: Path) -> None:
        make_private_folder(folder)
        self.folder = folder
        self.authority = Authority(
            folder / "keys", clock=SystemClock(), device_hours=1, server_days=1, crl_days=1
        )
        self.authority.create("test")
        self.server = self.authority.server(["127.0.0.1"])
        write_private(folder / "trust.pem", self.authority.trust_pem)
        write_private(folder / "server.pem", self.server.chain_pem)
        write_private(folder / "server.key", self.server.key_pem)

    def login(self, name: str, port: int, *, client_id: str | None = None) -> BrokerLogin:
        """A new certificate for ``name``."""
        pair = self.authority.client(name, hours=1)
        write_private(self.folder / f"{name}.pem", pair.chain_pem)
        write_private(self.folder / f"{name}.key", pair.key_pem)
        return BrokerLogin(
            host="127.0.0.1",
            port=port,
            protocol="3.1.1",
            client_id=client_id or name,
            trust_file=self.folder / "trust.pem",
            certificate_file=self.folder / f"{name}.pem",
            key_file=self.folder / f"{name}.key",
        )

    def serial(self, login: BrokerLogin) -> str:
        return device_certificate(login.certificate_file.read_bytes()).serial

    def revocation_list(self, serials: Iterable[str]) -> bytes:
        now = datetime.now(UTC)
        return self.authority.revocation_list([Revoked(serial=s, at=now) for s in serials])


class _Embedded:
    kind = "embedded"

    def __init__(self, broker: EmbeddedBroker, port: int) -> None:
        self.port = port
        self.broker = broker

    def revoke(self, serials: Iterable[str]) -> None:
        self.broker.set_revoked(serials)


class _Mosquitto:
    kind = "mosquitto"

    def __init__(self, broker: MosquittoBroker, trust: Trust) -> None:
        self.port = broker.port
        self.broker = broker
        self._trust = trust

    def revoke(self, serials: Iterable[str]) -> None:
        (self.broker.folder / REVOKED).write_bytes(self._trust.revocation_list(serials))
        self.broker.reload()


@contextmanager
def running_embedded(trust: Trust, *, most_waiting: int = 4000) -> Iterator[_Embedded]:
    """The broker of one machine."""
    port = free_port()
    settings = EmbeddedSettings(
        host="127.0.0.1",
        port=port,
        trust_file=trust.folder / "trust.pem",
        certificate_file=trust.folder / "server.pem",
        key_file=trust.folder / "server.key",
        most_waiting=most_waiting,
    )
    broker = EmbeddedBroker(settings)
    broker.start()
    try:
        yield _Embedded(broker, port)
    finally:
        broker.stop()


@contextmanager
def running_mosquitto(trust: Trust) -> Iterator[_Mosquitto]:
    """A real mosquitto with the configuration that the product generates."""
    folder = new_folder()
    (folder / "state").mkdir()
    settings = MosquittoSettings(
        folder=folder, host="127.0.0.1", port=free_port(), state_folder=folder / "state"
    )
    write_mosquitto(
        settings,
        trust=trust.authority.trust_pem + trust.authority.chain_pem,
        chain=trust.server.chain_pem,
        key=trust.server.key_pem,
        revoked=trust.revocation_list([]),
    )
    with MosquittoBroker(folder) as broker:
        yield _Mosquitto(broker, trust)
