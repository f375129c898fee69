"""A container's settings → the folder that an external mosquitto runs from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from coordinator.broker.mosquitto import (
    MosquittoSettings,
    tell_mosquitto,
    write_for_broker,
    write_mosquitto,
)
from coordinator.config import CoordinatorConfig
from coordinator.fleet.authority import Authority
from coordinator.fleet.own_certificates import OwnCertificates
from coordinator.fleet.revocations import Revocations


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFiles:
    """Writes mosquitto's folder, and again when the broker's certificate was renewed."""

    settings: CoordinatorConfig
    authority: Authority
    certificates: OwnCertificates
    revocations: Revocations

    def write(self, *, state_folder: Path) -> Path:
        """Write everything.

        Args:
            state_folder: Where mosquitto keeps sessions; its user must be able to write there.

        Returns:
            The folder.

        Raises:
            ConfigError: No CA yet, or the files cannot be given to their group.
            UnreachableError: The folder cannot be written, or the database is away.
        """
        folder = self.settings.broker_folder
        broker = self.settings.broker
        certificate_file, key_file = self.certificates.server("broker", broker.certificate_names)
        write_mosquitto(
            MosquittoSettings(
                folder=folder,
                host=broker.host,
                port=broker.port,
                state_folder=state_folder,
                pid_file=broker.pid_file,
                group=broker.files_group,
            ),
            trust=self.authority.trust_pem + self.authority.chain_pem,
            chain=certificate_file.read_bytes(),
            key=key_file.read_bytes(),
            revoked=self.revocations.current(),
        )
        return folder

    def refresh(self) -> bool:
        """Replace the broker's certificate where it was renewed, and have it read again.

        Returns:
            True when it was replaced.

        Raises:
            UnreachableError: The folder cannot be written, or the broker cannot be told.
        """
        broker = self.settings.broker
        certificate_file, key_file = self.certificates.server("broker", broker.certificate_names)
        there = self.settings.broker_folder / "server.pem"
        if not there.exists() or there.read_bytes() == certificate_file.read_bytes():
            return False
        _write_pair(there.parent, certificate_file, key_file, group=broker.files_group)
        tell_mosquitto(pid_file=broker.pid_file, command=broker.reload_command)
        return True


def _write_pair(folder: Path, certificate_file: Path, key_file: Path, *, group: str | None) -> None:
    write_for_broker(folder / "server.key", key_file.read_bytes(), group=group)
    write_for_broker(folder / "server.pem", certificate_file.read_bytes(), group=group)
