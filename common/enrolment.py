"""A box that asks to be trusted ↔ what the coordinator answers, as both write it.

Enrolment: the box brings a one-time token, a certificate request for its TLS key and its
report-signing key with a proof that it has the private half. Renewal: the same without a
token, signed with the report-signing key that the coordinator knows.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints, ValidationError

from common.errors import ConfigError, TrustError
from common.ids import Slug
from common.keys import KEY_ID_PATTERN, SealingKey, SigningKey, VerifyingKey
from common.wire import Message

TRUST_PATH = "/api/v1/trust"
"""GET: the trust anchor as PEM. Needs no secret: the box compares its fingerprint."""
ENROLMENT_PATH = "/api/v1/enrolment"
RENEWAL_PATH = "/api/v1/devices/{device}/renewal"
RENEWAL_TOLERANCE = timedelta(minutes=15)

_RENEWAL = b"its/v1 renewal\n"
_TOKEN = re.compile(r"its1\.([A-Za-z0-9_-]{43})\.([0-9a-f]{64})")

Pem = Annotated[str, StringConstraints(max_length=16_384, pattern=r"^-----BEGIN ")]
Base64 = Annotated[str, StringConstraints(max_length=2_048, pattern=r"^[A-Za-z0-9+/]+={0,2}$")]
KeyId = Annotated[str, StringConstraints(pattern=KEY_ID_PATTERN)]


@dataclass(frozen=True, slots=True)
class EnrolmentToken:
    """What a technician carries to a box: in a file of mode 0600 or as a QR code.

    Attributes:
        secret: Good for one enrolment; the coordinator keeps only its digest.
        trust_fingerprint: SHA-256 of the trust anchor's DER, 64 hex digits, by which the box
            knows the coordinator at first contact.
    """

    secret: str = field(repr=False)
    trust_fingerprint: str

    @classmethod
    def generate(cls, trust_fingerprint: str) -> Self:
        """A new token with 256 bits of chance."""
        return cls(secrets.token_urlsafe(32), trust_fingerprint)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read a token file or QR text.

        Raises:
            ConfigError: Not a token.
        """
        found = _TOKEN.fullmatch(text.strip())
        if not found:
            raise ConfigError(
                "enrolment token is not one of ours, expected its1.<secret>.<fingerprint>",
                hint="create one with: its-camera-ai fleet token create --site SITE",
            )
        return cls(found[1], found[2])

    def to_text(self) -> str:
        """One line for a file or QR code."""
        return f"its1.{self.secret}.{self.trust_fingerprint}"

    @property
    def digest(self) -> str:
        """SHA-256 of the secret: what the coordinator stores and looks up."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


OpenSshKey = Annotated[
    str, StringConstraints(max_length=512, pattern=r"^ecdsa-sha2-nistp(256|384) [A-Za-z0-9+/]+=*$")
]


class EnrolmentRequest(Message):
    """First contact of a box.

    Attributes:
        token: The secret of the token.
        csr_pem: Request for the TLS key; the coordinator chooses the name.
        signing_key: Base64 of the raw Ed25519 key that will sign reports.
        proof: Base64 of its signature over the bytes of ``csr_pem``.
        learning_key: Public key of its federated node (OpenSSH line without a comment), when the
            box can train.
    """

    token: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")] = Field(repr=False)
    csr_pem: Pem
    signing_key: Base64
    proof: Base64
    learning_key: OpenSshKey | None = None


class RenewalRequest(Message):
    """Wish for a new certificate, and with another ``signing_key`` for a new report key."""

    device: Slug
    csr_pem: Pem
    signing_key: Base64
    proof: Base64
    at: AwareDatetime
    learning_key: OpenSshKey | None = None


class SignedRenewal(Message):
    """A renewal request as its exact text, signed with the report key in force."""

    request: Annotated[str, StringConstraints(max_length=32_768)]
    signed_by: KeyId
    signature: Base64


class KeyNote(Message):
    """A public key of the coordinator; ``valid_from`` travels as ``from``."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    id: KeyId
    key: Base64
    valid_from: AwareDatetime = Field(alias="from")


class BrokerAddress(Message):
    """Where reports go."""

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,253}$")]
    port: Annotated[int, Field(ge=1, le=65_535)]
    protocol: Literal["3.1.1", "5"]


class LearningAddress(Message):
    """Where a box trains with others, and whose signature its training bundles carry.

    Attributes:
        release_key: Base64 of the raw Ed25519 key of the fleet's releases.
        release_key_id: How the bundle names that key.
    """

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,253}$")]
    port: Annotated[int, Field(ge=1, le=65_535)]
    release_key: Base64
    release_key_id: KeyId


class EnrolmentAnswer(Message):
    """Everything a box needs to send reports; the answer to a renewal too.

    Attributes:
        certificate_pem: The box's certificate alone.
        chain_pem: The issuing certificate(s), without the root.
        trust_pem: The root.
        sealing_keys: Current and next key that reports are sealed to.
        order_keys: Keys that the coordinator may sign orders with.
        learning: None where the coordinator runs no federated rounds.
        release_root: ``root.json`` of the releases that this box shall believe (TUF 1.0.33 §4.3),
            None where the coordinator publishes none. A box keeps the first one it is told;
            whoever follows is signed in by it.
    """

    device: Slug
    site: Slug
    tenant: Slug
    certificate_pem: Pem
    chain_pem: Pem
    trust_pem: Pem
    sealing_keys: Annotated[tuple[KeyNote, ...], Field(min_length=1, max_length=8)]
    order_keys: Annotated[tuple[KeyNote, ...], Field(min_length=1, max_length=8)]
    broker: BrokerAddress
    learning: LearningAddress | None = None
    release_root: Annotated[str, StringConstraints(max_length=65_536)] | None = None

    @property
    def full_chain(self) -> bytes:
        """What a TLS library wants in one file: the box's certificate, then its issuers."""
        return f"{self.certificate_pem.strip()}\n{self.chain_pem.strip()}\n".encode()


def to_base64(raw: bytes) -> str:
    """Bytes as they stand in these messages."""
    return base64.b64encode(raw).decode("ascii")


def from_base64(text: str) -> bytes:
    """Bytes out of these messages.

    Raises:
        TrustError: Not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise TrustError("value is not base64") from error


def key_note(key: VerifyingKey | SealingKey, valid_from: datetime) -> KeyNote:
    """A public key as the answer tells it."""
    return KeyNote.model_validate({"id": key.key_id, "key": to_base64(key.raw), "from": valid_from})


def proven_key(request: EnrolmentRequest | RenewalRequest) -> VerifyingKey:
    """The report-signing key of a request, after its proof of possession held.

    Raises:
        TrustError: No key, or a proof by another key or over another certificate request.
    """
    key = VerifyingKey.from_bytes(from_base64(request.signing_key))
    key.verify(request.csr_pem.encode(), from_base64(request.proof))
    return key


def sign_renewal(signing: SigningKey, request: RenewalRequest) -> SignedRenewal:
    """Sign with the key that the coordinator knows, also when the request brings a new one."""
    text = request.model_dump_json()
    signature = signing.sign(_RENEWAL + text.encode())
    return SignedRenewal(request=text, signed_by=signing.key_id, signature=to_base64(signature))


def read_renewal(
    signed: SignedRenewal, keys: Mapping[str, VerifyingKey], *, device: str, now: datetime
) -> RenewalRequest:
    """The request, after everything about it held.

    Args:
        signed: What arrived.
        keys: Key id → key in force of that device, revoked ones left out.
        device: The device that the request's address names.
        now: Requests from more than ``RENEWAL_TOLERANCE`` away may be played back.

    Raises:
        TrustError: Unknown key, bad signature or proof, another device, or too old.
    """
    key = keys.get(signed.signed_by)
    if key is None:
        raise TrustError(f"renewal signed by key {signed.signed_by}, which is not in force")
    key.verify(_RENEWAL + signed.request.encode(), from_base64(signed.signature))
    try:
        request = RenewalRequest.model_validate_json(signed.request)
    except ValidationError as error:
        raise TrustError("renewal request is not valid") from error
    if request.device != device:
        raise TrustError(f"renewal of device {request.device!r}, expected {device!r}")
    if abs(now - request.at) > RENEWAL_TOLERANCE:
        raise TrustError(
            f"renewal request of {request.at}, expected within {RENEWAL_TOLERANCE} of {now}",
            hint="set the clock of the box",
        )
    proven_key(request)
    return request
