"""A root, an issuing CA, a box and a server that the tests of certificates share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from common.certificates import (
    CertifiedKey,
    Revoked,
    create_issuing,
    create_root,
    device_certificate,
    issue_device,
    issue_server,
    make_crl,
    make_csr,
    new_tls_key,
)

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@cache
def root() -> CertifiedKey:
    return create_root("root of the test", now=NOW, days=3650)


@cache
def issuing() -> CertifiedKey:
    return create_issuing(root(), now=NOW, days=365)


@cache
def box_key() -> EllipticCurvePrivateKey:
    return new_tls_key()


@cache
def box_leaf() -> bytes:
    """The certificate of box-1, good for three days."""
    return issue_device(issuing(), make_csr(box_key()), device="box-1", now=NOW, hours=72)


@cache
def box_chain() -> bytes:
    return box_leaf() + issuing().certificate_pem


@cache
def server() -> tuple[bytes, bytes]:
    """Chain and key of a server on this machine."""
    return issue_server(
        issuing(), names=["localhost"], ips=[ip_address("127.0.0.1")], now=NOW, days=30
    )


def crls(*serials: str, issuer: CertifiedKey | None = None) -> bytes:
    """Lists of the root and of an issuing CA, which revokes the serials."""
    revoked = [Revoked(serial=serial, at=NOW) for serial in serials]
    ends_at = NOW + 2 * DAY
    of_root = make_crl(root(), [], NOW, ends_at)
    return of_root + make_crl(issuer or issuing(), revoked, NOW, ends_at)


@cache
def box_serial() -> str:
    return device_certificate(box_leaf()).serial
