"""Certificates and revocation lists → which device this is, or why it is not believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from common.errors import TrustError

UNREADABLE = (
    ValueError,
    TypeError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises, sooner or later, about bytes that somebody made up."""

DEVICE_URI = "its:device:"
"""What precedes the device id in the certificate's subject alternative name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCertificate:
    """What a device's certificate says.

    Attributes:
        device: The id, the same in common name and alternative name.
        serial: Hex digits without leading zeros, as in the tables and in ``Revoked``.
    """

    device: str
    serial: str
    starts_at: datetime
    expires_at: datetime

    def is_due(self, now: datetime) -> bool:
        """True when a third of the certificate's life or less is left."""
        return self.expires_at - now <= (self.expires_at - self.starts_at) / 3


def device_certificate(pem: bytes) -> DeviceCertificate:
    """Read the first certificate of a file, checking its form alone.

    Raises:
        TrustError: Not a certificate of a device.
    """
    leaf = read_certificates(pem)[0]
    try:
        common = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = [str(name.value) for name in common]
        others = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = others.get_values_for_type(x509.UniformResourceIdentifier)
    except UNREADABLE as error:
        raise TrustError("certificate names no device") from error
    if len(names) != 1 or list(uris) != [DEVICE_URI + names[0]]:
        raise TrustError(f"certificate names {names} and {uris}, expected one device twice")
    return DeviceCertificate(
        device=names[0],
        serial=format(leaf.serial_number, "x"),
        starts_at=leaf.not_valid_before_utc,
        expires_at=leaf.not_valid_after_utc,
    )


def verify_chain(
    leaf_pem: bytes, trust_anchor_pem: bytes, now: datetime, crl: bytes | None = None
) -> DeviceCertificate:
    """Which device this certificate belongs to, after the whole chain held (RFC 5280, §6).

    Args:
        leaf_pem: The device's certificate, then the issuing ones.
        trust_anchor_pem: The root.
        now: The moment at which everything must be valid.
        crl: PEM of revocation lists. When given, there must be one of each issuer, signed and
            in date: a missing list may be one that somebody keeps back.

    Raises:
        TrustError: No chain to the root, expired, not for clients, revoked, or not a device.
    """
    leaf, *between = read_certificates(leaf_pem)
    roots = read_certificates(trust_anchor_pem)
    try:
        verifier = PolicyBuilder().store(Store(roots)).time(now).build_client_verifier()
        chain = verifier.verify(leaf, between).chain
    except (VerificationError, *UNREADABLE) as error:
        raise TrustError(f"certificate chain does not hold at {now}: {error}") from error
    if crl is not None:
        lists = read_crls(crl)
        for certificate, issuer in pairwise(chain):
            _refuse_revoked(certificate, issuer, lists, now)
    return device_certificate(leaf_pem)


def trust_fingerprint(trust_anchor_pem: bytes) -> str:
    """SHA-256 of the one certificate's DER, as 64 hex digits.

    Raises:
        TrustError: Not a certificate, or more than one: the fingerprint speaks for one alone.
    """
    return _only_certificate(trust_anchor_pem).fingerprint(SHA256()).hex()


def only_certificate(pem: bytes) -> bytes:
    """The one certificate, written anew: what else stood there is not trusted along with it.

    Raises:
        TrustError: Not a certificate, or more than one.
    """
    return _only_certificate(pem).public_bytes(Encoding.PEM)


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """All certificates of a PEM file, one or more.

    Raises:
        TrustError: Not a certificate.
    """
    try:
        return x509.load_pem_x509_certificates(pem)
    except UNREADABLE as error:
        raise TrustError("not a certificate in PEM") from error


def read_crls(pem: bytes) -> list[x509.CertificateRevocationList]:
    """All revocation lists of a PEM file, none or more.

    Raises:
        TrustError: A list that cannot be read.
    """
    mark = b"-----END X509 CRL-----"
    blocks = [block + mark for block in pem.split(mark)[:-1]]
    try:
        return [x509.load_pem_x509_crl(block) for block in blocks]
    except UNREADABLE as error:
        raise TrustError("not a revocation list in PEM") from error


def _only_certificate(pem: bytes) -> x509.Certificate:
    certificates = read_certificates(pem)
    if len(certificates) != 1:
        raise TrustError(f"{len(certificates)} trust anchors, expected one")
    return certificates[0]


def _refuse_revoked(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    lists: Sequence[x509.CertificateRevocationList],
    now: datetime,
) -> None:
    issued = [one for one in lists if one.issuer == issuer.subject]
    if not issued:
        raise TrustError(f"no revocation list of {issuer.subject.rfc4514_string()}")
    # The newest speaks: a list that is played back beside it must not bring anybody back.
    newest = max(issued, key=lambda one: one.last_update_utc)
    if not newest.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
        raise TrustError(f"revocation list of {issuer.subject.rfc4514_string()} is not signed")
    if newest.next_update_utc is None or newest.next_update_utc < now:
        raise TrustError(
            f"revocation list of {issuer.subject.rfc4514_string()} ended at "
            f"{newest.next_update_utc}, expected one for {now}",
            hint="fetch a new one from the coordinator",
        )
    found = newest.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if found is not None:
        raise TrustError(
            f"certificate {certificate.serial_number:x} was revoked at {found.revocation_date_utc}"
        )
