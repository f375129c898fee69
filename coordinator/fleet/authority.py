"""Key files → certificates for boxes, servers and this coordinator, and the revocation list.

The root key certifies the issuing key once and can then be moved offline; everything here goes
on without it until the issuing certificate ends; shortly before, the root key certifies it anew.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from common.certificates import (
    CertifiedKey,
    DeviceCertificate,
    Revoked,
    create_issuing,
    create_root,
    device_certificate,
    issue_device,
    issue_server,
    make_crl,
    make_csr,
    new_tls_key,
    renew_issuing,
    tls_key_to_pem,
    trust_fingerprint,
)
from common.errors import ConfigError
from common.private_files import make_private_folder, read_private, write_private
from common.timing import Clock

ROOT_DAYS = 3650
ISSUING_DAYS = 1825


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A certificate chain and its private key, as PEM."""

    chain_pem: bytes
    key_pem: bytes

    def __repr__(self) -> str:
        return "KeyPair(…)"


class Authority:
    """The small CA of one coordinator."""

    def __init__(
        self, folder: Path, *, clock: Clock, device_hours: float, server_days: int, crl_days: int
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._device_hours = device_hours
        self._server_days = server_days
        self._crl_days = crl_days
        self._issuing: CertifiedKey | None = None
        self._written_at: int | None = None

    @property
    def exists(self) -> bool:
        """True once the issuing key is there."""
        return (self._folder / "issuing.key").exists()

    @property
    def root_key_file(self) -> Path:
        """May be moved to an offline place, the certificate beside it must stay."""
        return self._folder / "root.key"

    def create(self, name: str) -> bool:
        """Make root and issuing keys where there are none.

        Returns:
            True when they were made now.

        Raises:
            ConfigError: The folder cannot be used.
            UnreachableError: The folder cannot be written.
        """
        make_private_folder(self._folder)
        with self._alone():
            if self.exists:
                return False
            now = self._clock.now()
            root = create_root(f"ITS root of {name}"[:64], now=now, days=ROOT_DAYS)
            issuing = create_issuing(root, now=now, days=ISSUING_DAYS)
            root.save(self.root_key_file, self._folder / "root.pem")
            # The key last: it tells that everything is there.
            write_private(self._folder / "issuing.pem", issuing.certificate_pem)
            write_private(self._folder / "issuing.key", tls_key_to_pem(issuing.key))
            return True

    def renew(self, root_key_file: Path) -> datetime:
        """Let the root certify the issuing key anew; a running coordinator notices by itself.

        Args:
            root_key_file: Where the root key is now; it is read and left there.

        Returns:
            The new end of the issuing certificate.

        Raises:
            ConfigError: Not the root key of this coordinator, or a file that others may read.
            TrustError: The root's certificate has ended.
        """
        with self._alone():
            root = CertifiedKey.load(root_key_file, self._folder / "root.pem")
            now = self._clock.now()
            renewed = renew_issuing(root, self._issuer(), now=now, days=ISSUING_DAYS)
            write_private(self._folder / "issuing.pem", renewed.certificate_pem)
            return renewed.certificate.not_valid_after_utc

    @property
    def ends_at(self) -> datetime:
        """When the issuing certificate ends."""
        return self._issuer().certificate.not_valid_after_utc

    @property
    def trust_pem(self) -> bytes:
        """The root's certificate, which boxes trust."""
        return self._read("root.pem")

    @property
    def chain_pem(self) -> bytes:
        """The issuing certificate."""
        return self._issuer().certificate_pem

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the root's certificate; stands in every token."""
        return trust_fingerprint(self.trust_pem)

    def certify_device(self, csr_pem: bytes, device: str) -> tuple[bytes, DeviceCertificate]:
        """A certificate for the key of a box.

        Raises:
            TrustError: Not a good request, or the issuing certificate has ended.
        """
        now = self._clock.now()
        pem = issue_device(
            self._issuer(), csr_pem, device=device, now=now, hours=self._device_hours
        )
        return pem, device_certificate(pem)

    def server(self, names: Sequence[str]) -> KeyPair:
        """A new key and certificate for something of ours that listens.

        Args:
            names: Host names and addresses under which it is called.
        """
        addresses = [_address(name) for name in names]
        chain, key = issue_server(
            self._issuer(),
            names=[name for name, ip in zip(names, addresses, strict=True) if ip is None],
            ips=[ip for ip in addresses if ip is not None],
            now=self._clock.now(),
            days=self._server_days,
        )
        return KeyPair(chain_pem=chain, key_pem=key)

    def client(self, name: str, *, hours: float) -> KeyPair:
        """A new key and certificate by which this side signs in to the broker as ``name``."""
        key = new_tls_key()
        leaf = issue_device(
            self._issuer(), make_csr(key), device=name, now=self._clock.now(), hours=hours
        )
        return KeyPair(chain_pem=leaf + self.chain_pem, key_pem=tls_key_to_pem(key))

    def revocation_list(self, revoked: Sequence[Revoked]) -> bytes:
        """The list as PEM; good for ``crl_days`` so that a stopped coordinator stops nobody."""
        now = self._clock.now()
        return make_crl(self._issuer(), revoked, now, now + timedelta(days=self._crl_days))

    def _issuer(self) -> CertifiedKey:
        if not self.exists:
            raise ConfigError(
                f"no issuing key in {self._folder}", hint="run its-camera-ai coordinator init"
            )
        certificate = self._folder / "issuing.pem"
        written_at = certificate.stat().st_mtime_ns if certificate.exists() else None
        if self._issuing is None or written_at != self._written_at:
            self._issuing = CertifiedKey.load(self._folder / "issuing.key", certificate)
            self._written_at = written_at
        return self._issuing

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._folder / "authority.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self, name: str) -> bytes:
        return read_private(self._folder / name, what="certificate")


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None
