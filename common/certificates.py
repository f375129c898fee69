"""Keys and requests → certificates of a small private CA, and lists of revoked ones.

Root (may be moved offline) → issuing CA (path length 0, clients and servers only) → boxes
and servers, after RFC 5280. No name constraints: nothing but our boxes trusts this root,
and a box's URI has no host that they could bind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from common.certified_keys import (
    CertifiedKey,
    TlsKey,
    make_csr,
    named,
    new_tls_key,
    tls_key_from_pem,
    tls_key_to_pem,
)
from common.chain_checks import (
    DEVICE_URI,
    UNREADABLE,
    DeviceCertificate,
    device_certificate,
    trust_fingerprint,
    verify_chain,
)
from common.errors import TrustError

__all__ = [
    "CertifiedKey",
    "DeviceCertificate",
    "Revoked",
    "TlsKey",
    "create_issuing",
    "create_root",
    "device_certificate",
    "issue_device",
    "issue_server",
    "make_crl",
    "make_csr",
    "new_tls_key",
    "renew_issuing",
    "tls_key_from_pem",
    "tls_key_to_pem",
    "trust_fingerprint",
    "verify_chain",
]

BACKDATED = timedelta(minutes=10)
"""Certificates and lists start so much earlier: the clock of a box may be slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """One line of a revocation list.

    Attributes:
        serial: Hex digits, as in ``DeviceCertificate``.
    """

    serial: str
    at: datetime


def create_root(common_name: str, *, now: datetime, days: int) -> CertifiedKey:
    """A new trust anchor."""
    key = new_tls_key()
    subject = named(common_name)
    builder = _builder(subject, subject, key.public_key(), starts_at=now - BACKDATED)
    builder = _as_authority(builder, path_length=1)
    certificate = builder.not_valid_after(now + timedelta(days=days)).sign(key, SHA256())
    return CertifiedKey(certificate, key)


def create_issuing(
    root: CertifiedKey, common_name: str | None = None, *, now: datetime, days: int
) -> CertifiedKey:
    """A new issuing CA; it can certify boxes and servers, but no further CA.

    Args:
        root: Certifies it.
        common_name: Another one than before: verifiers look for the revocation list of an
            issuer by its name, so two issuing CAs of one name would take each other's. Without
            it, the name tells the moment.
        now: Moment from which it is good.
        days: Its life, cut short where the root's ends.

    Raises:
        TrustError: The root's certificate has ended.
    """
    subject = named(common_name or f"ITS issuing CA {now:%Y-%m-%dT%H:%M:%S.%fZ}")
    return _as_issuing(root, subject, new_tls_key(), now=now, days=days)


def renew_issuing(
    root: CertifiedKey, issuing: CertifiedKey, *, now: datetime, days: int
) -> CertifiedKey:
    """The same issuing CA with a later end.

    Name and key stay, so that its revocation list and what it certified before stay good.

    Raises:
        TrustError: The root's certificate has ended.
    """
    return _as_issuing(root, issuing.certificate.subject, issuing.key, now=now, days=days)


def issue_device(
    issuing: CertifiedKey, csr_pem: bytes, *, device: str, now: datetime, hours: float
) -> bytes:
    """Certify the key of a request for a device; nothing else of the request is believed.

    Returns:
        PEM of the certificate alone; ``issuing.certificate_pem`` completes the chain.

    Raises:
        TrustError: Not a request, not signed by its own key, another kind of key than P-256,
            or the issuing certificate has ended.
    """
    try:
        request = x509.load_pem_x509_csr(csr_pem)
        is_signed, key = request.is_signature_valid, request.public_key()
    except UNREADABLE as error:
        raise TrustError("not a certificate request in PEM, or of an unknown kind") from error
    if not is_signed:
        raise TrustError("certificate request is not signed by the key that it is for")
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise TrustError(f"certificate request for {type(key).__name__}, expected EC P-256")
    builder = _signed_by(issuing, named(device), key, now=now, ends_in=timedelta(hours=hours))
    names = [x509.UniformResourceIdentifier(DEVICE_URI + device)]
    builder = _as_leaf(builder, names, ExtendedKeyUsageOID.CLIENT_AUTH)
    return builder.sign(issuing.key, SHA256()).public_bytes(Encoding.PEM)


def issue_server(
    issuing: CertifiedKey,
    *,
    names: Sequence[str],
    ips: Sequence[IPv4Address | IPv6Address],
    now: datetime,
    days: int,
) -> tuple[bytes, bytes]:
    """A new key with a certificate for the broker or the API.

    Returns:
        PEM of the certificate followed by the issuing one, and PEM of the key.

    Raises:
        ValueError: Neither a name nor an address.
        TrustError: The issuing certificate has ended.
    """
    if not names and not ips:
        raise ValueError("a server's certificate needs a name or an address")
    key = new_tls_key()
    first = names[0] if names else str(ips[0])
    builder = _signed_by(issuing, named(first[:64]), key.public_key(), now=now, ends_in=days * _DAY)
    others: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    others += [x509.IPAddress(ip) for ip in ips]
    builder = _as_leaf(builder, others, ExtendedKeyUsageOID.SERVER_AUTH)
    leaf = builder.sign(issuing.key, SHA256()).public_bytes(Encoding.PEM)
    return leaf + issuing.certificate_pem, tls_key_to_pem(key)


def make_crl(
    issuing: CertifiedKey, revoked: Sequence[Revoked], now: datetime, next_update: datetime
) -> bytes:
    """A revocation list of the issuing CA, or of the root for the issuing ones."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuing.certificate.subject)
        .last_update(now - BACKDATED)
        .next_update(next_update)
        .add_extension(_authority_key(issuing), critical=False)
        # Rises with time, as RFC 5280 §5.2.3 wants, without a counter to lose.
        .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
    )
    for one in revoked:
        line = x509.RevokedCertificateBuilder().serial_number(int(one.serial, 16))
        builder = builder.add_revoked_certificate(line.revocation_date(one.at).build())
    return builder.sign(issuing.key, SHA256()).public_bytes(Encoding.PEM)


_DAY = timedelta(days=1)
_NO_USE = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)


def _as_issuing(
    root: CertifiedKey,
    subject: x509.Name,
    key: TlsKey,
    *,
    now: datetime,
    days: int,
) -> CertifiedKey:
    builder = _signed_by(root, subject, key.public_key(), now=now, ends_in=days * _DAY)
    builder = _as_authority(builder, path_length=0)
    uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    return CertifiedKey(builder.sign(root.key, SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePublicKey, *, starts_at: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
    builder = builder.public_key(key).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(starts_at)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _signed_by(
    issuer: CertifiedKey,
    subject: x509.Name,
    key: EllipticCurvePublicKey,
    *,
    now: datetime,
    ends_in: timedelta,
) -> x509.CertificateBuilder:
    last = issuer.certificate.not_valid_after_utc
    if last <= now:
        raise TrustError(
            f"certificate of {issuer.certificate.subject.rfc4514_string()} ended at {last}",
            hint="while the root is good: its-camera-ai fleet keys renew-issuing",
        )
    builder = _builder(subject, issuer.certificate.subject, key, starts_at=now - BACKDATED)
    # A leaf that outlives its issuer could not be verified to its end.
    builder = builder.not_valid_after(min(now + ends_in, last))
    return builder.add_extension(_authority_key(issuer), critical=False)


def _authority_key(issuer: CertifiedKey) -> x509.AuthorityKeyIdentifier:
    known = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known.value)


def _as_authority(builder: x509.CertificateBuilder, *, path_length: int) -> x509.CertificateBuilder:
    uses = x509.KeyUsage(**{**_NO_USE, "key_cert_sign": True, "crl_sign": True})
    limits = x509.BasicConstraints(ca=True, path_length=path_length)
    return builder.add_extension(limits, critical=True).add_extension(uses, critical=True)


def _as_leaf(
    builder: x509.CertificateBuilder,
    names: Sequence[x509.GeneralName],
    use: x509.ObjectIdentifier,
) -> x509.CertificateBuilder:
    uses = x509.KeyUsage(**{**_NO_USE, "digital_signature": True})
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(uses, critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    )
