"""A name of ours → certificate files that are good for now, made again before they end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import structlog

from common.chain_checks import read_certificates
from common.errors import ConfigError, TrustError
from common.private_files import make_private_folder, read_private, write_private
from common.timing import Clock
from coordinator.broker.brief_client import BrokerLogin
from coordinator.fleet.authority import Authority

log = structlog.get_logger(__name__)

_CLIENT_HOURS = 30 * 24


class OwnCertificates:
    """The certificates by which this coordinator is known; safe to share between threads."""

    def __init__(self, authority: Authority, *, folder: Path, clock: Clock) -> None:
        self._authority = authority
        self._folder = folder
        self._clock = clock
        self._lock = Lock()

    @property
    def trust_file(self) -> Path:
        """Root and issuing certificate."""
        return self._folder / "trust.pem"

    def server(self, what: str, names: Sequence[str]) -> tuple[Path, Path]:
        """Certificate and key files of something of ours that listens.

        Args:
            what: ``broker`` or ``devices``.
            names: Host names and addresses; a change makes a new certificate.

        Raises:
            ConfigError: There is no CA yet.
            UnreachableError: The folder cannot be written.
        """
        stamp = f"{what}.names"
        wanted = "\n".join(names)
        with self._lock:
            self._prepare()
            is_same = self._text(stamp) == wanted
            if not is_same or self._is_due(what):
                pair = self._authority.server(names)
                self._write(what, pair.chain_pem, pair.key_pem)
                write_private(self._folder / stamp, wanted.encode())
            return self._files(what)

    def login(self, name: str, *, host: str, port: int, protocol: str) -> BrokerLogin:
        """How to sign in to the broker under one of our names.

        Raises:
            ConfigError: There is no CA yet.
            UnreachableError: The folder cannot be written.
        """
        with self._lock:
            self._prepare()
            if self._is_due(name):
                pair = self._authority.client(name, hours=_CLIENT_HOURS)
                self._write(name, pair.chain_pem, pair.key_pem)
            certificate_file, key_file = self._files(name)
        return BrokerLogin(
            host=host,
            port=port,
            protocol=protocol,
            client_id=name,
            trust_file=self.trust_file,
            certificate_file=certificate_file,
            key_file=key_file,
        )

    def _prepare(self) -> None:
        make_private_folder(self._folder)
        trust = self._authority.trust_pem + self._authority.chain_pem
        if not self.trust_file.exists() or self.trust_file.read_bytes() != trust:
            write_private(self.trust_file, trust)

    def _is_due(self, what: str) -> bool:
        certificate_file, key_file = self._files(what)
        if not (certificate_file.exists() and key_file.exists()):
            return True
        try:
            leaf = read_certificates(read_private(certificate_file, what="certificate"))[0]
        except (ConfigError, TrustError):
            log.warning("certificate_damaged", name=what)
            return True
        life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
        return leaf.not_valid_after_utc - self._clock.now() < life / 3

    def _write(self, what: str, chain: bytes, key: bytes) -> None:
        certificate_file, key_file = self._files(what)
        # The key last but one: a torn pair is made again, because one of the two is missing.
        certificate_file.unlink(missing_ok=True)
        write_private(key_file, key)
        write_private(certificate_file, chain)
        log.info("certificate_made", name=what)

    def _files(self, what: str) -> tuple[Path, Path]:
        return self._folder / f"{what}.pem", self._folder / f"{what}.key"

    def _text(self, name: str) -> str:
        path = self._folder / name
        return path.read_text(encoding="utf-8") if path.exists() else ""
