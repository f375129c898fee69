"""The identity folder of a box → who it is, whom it trusts and the keys it uses."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from common.certificates import DeviceCertificate, device_certificate, tls_key_from_pem
from common.chain_checks import read_certificates
from common.encryption import EncryptionManager, SealingKey, SigningKey, VerifyingKey
from common.enrolment import (
    BrokerAddress,
    EnrolmentAnswer,
    KeyNote,
    LearningAddress,
    from_base64,
)
from common.errors import ConfigError, TrustError
from common.ids import Slug
from common.private_files import read_private
from edge.enrol import identity_files

_HINT = "enrol this box again with: its-camera-ai edge enroll --again"

_File = TypeVar("_File", bound="_Model")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DeviceFile(_Model):
    """``device.json``.

    Attributes:
        signing_since: When the report-signing key was taken into use.
        learning: Where the box trains with others, None where nobody does.
    """

    device: Slug
    site: Slug
    tenant: Slug
    coordinator_url: Annotated[str, Field(max_length=2_048)]
    broker: BrokerAddress
    signing_since: AwareDatetime
    learning: LearningAddress | None = None


class CoordinatorFile(_Model):
    """``coordinator.json``."""

    sealing_keys: Annotated[tuple[KeyNote, ...], Field(min_length=1, max_length=8)]
    order_keys: Annotated[tuple[KeyNote, ...], Field(min_length=1, max_length=8)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Everything that makes this box known to its coordinator.

    Attributes:
        folder: Where the files are; ``tls.key``, ``tls.pem`` and ``trust.pem`` stay there.
        signing: Signs reports.
        sealing: Moment from which reports are sealed to a key, and the key; oldest first.
        order_keys: Key id → key that orders of the coordinator may be signed with.
        certificate: What the broker sees.
        trust_pem: The root by which broker and coordinator are known.
        release_root: ``root.json`` of the releases to believe, None before the box was told one.
    """

    folder: Path
    about: DeviceFile
    signing: SigningKey
    sealing: tuple[tuple[datetime, SealingKey], ...]
    order_keys: MappingProxyType[str, VerifyingKey]
    certificate: DeviceCertificate
    trust_pem: bytes = field(repr=False)
    release_root: bytes | None = field(default=None, repr=False)

    @classmethod
    def load(cls, folder: Path) -> Identity:
        """Read the folder.

        Raises:
            ConfigError: Not enrolled, a file that others can read, or damaged files.
            UnreachableError: An interrupted change could not be finished.
        """
        with identity_files.opened(folder):
            if not (folder / identity_files.DEVICE_FILE).exists():
                raise ConfigError(
                    f"no {identity_files.DEVICE_FILE} in {folder}, this box is not enrolled",
                    hint="enrol it with: its-camera-ai edge enroll",
                )
            about = _read(folder / identity_files.DEVICE_FILE, DeviceFile)
            told = _read(folder / identity_files.COORDINATOR_FILE, CoordinatorFile)
            signing = SigningKey.load(folder / identity_files.SIGNING_KEY_FILE)
            tls_key = tls_key_from_pem(read_private(folder / identity_files.TLS_KEY_FILE))
            chain = read_private(folder / identity_files.TLS_CHAIN_FILE, what="certificate")
            trust = read_private(folder / identity_files.TRUST_FILE, what="trust anchor")
            root_file = folder / identity_files.RELEASE_ROOT_FILE
            root = read_private(root_file, what="release root") if root_file.exists() else None
        try:
            certificate = device_certificate(chain)
            if read_certificates(chain)[0].public_key() != tls_key.public_key():
                raise ConfigError(f"certificate in {folder} is not of the key beside it")
            if certificate.device != about.device:
                raise ConfigError(
                    f"certificate in {folder} is of {certificate.device!r}, "
                    f"expected {about.device!r}"
                )
            return cls(
                folder=folder,
                about=about,
                signing=signing,
                sealing=sealing_keys(told.sealing_keys),
                order_keys=MappingProxyType(order_keys(told.order_keys)),
                certificate=certificate,
                trust_pem=trust,
                release_root=root,
            )
        except TrustError as error:
            raise ConfigError(f"identity in {folder} is damaged: {error}", hint=_HINT) from error

    @property
    def device(self) -> str:
        """Id of this box, the same in certificate, topics and headers."""
        return self.about.device

    @property
    def learning_key_file(self) -> Path:
        """Private key of the federated node; absent on a box enrolled before there were any."""
        return self.folder / identity_files.LEARNING_KEY_FILE

    def sealing_key(self, now: datetime) -> SealingKey:
        """The newest key that is in force; before all of them, the first."""
        started = [key for at, key in self.sealing if at <= now]
        return started[-1] if started else self.sealing[0][1]

    def encryption(self, now: datetime) -> EncryptionManager:
        """Seals and signs with the keys that are in force."""
        return EncryptionManager(signing=self.signing, sealing=self.sealing_key(now))

    def tls_context(self) -> ssl.SSLContext:
        """TLS 1.3 towards the broker: it is known by our root, we by our certificate.

        Raises:
            ConfigError: The files do not fit together.
        """
        context = trusting(self.trust_pem)
        chain = self.folder / identity_files.TLS_CHAIN_FILE
        try:
            with identity_files.opened(self.folder):
                context.load_cert_chain(chain, self.folder / identity_files.TLS_KEY_FILE)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"certificate {chain} cannot be used: {error}", hint=_HINT) from error
        return context


def trusting(trust_pem: bytes) -> ssl.SSLContext:
    """TLS 1.3 that believes one root and no other.

    Raises:
        TrustError: Not a certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        context.load_verify_locations(cadata=trust_pem.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise TrustError("trust anchor is not a certificate in PEM") from error
    return context


def identity_of(
    answer: EnrolmentAnswer, *, coordinator_url: str, signing_since: datetime
) -> dict[str, bytes]:
    """Name and content of the files that an answer becomes; keys and root are not among them."""
    about = DeviceFile(
        device=answer.device,
        site=answer.site,
        tenant=answer.tenant,
        coordinator_url=coordinator_url,
        broker=answer.broker,
        signing_since=signing_since,
        learning=answer.learning,
    )
    told = CoordinatorFile(sealing_keys=answer.sealing_keys, order_keys=answer.order_keys)
    return {
        identity_files.DEVICE_FILE: about.model_dump_json(indent=1).encode(),
        identity_files.COORDINATOR_FILE: told.model_dump_json(indent=1).encode(),
        identity_files.TLS_CHAIN_FILE: answer.full_chain,
    }


def sealing_keys(notes: tuple[KeyNote, ...]) -> tuple[tuple[datetime, SealingKey], ...]:
    """Keys that reports are sealed to, with the moment from which each counts.

    Raises:
        TrustError: Not a key, or another key than its id says.
    """
    keys = [(note.valid_from, SealingKey.from_bytes(from_base64(note.key))) for note in notes]
    for note, (_, key) in zip(notes, keys, strict=True):
        _refuse_other_id(note, key.key_id)
    return tuple(sorted(keys, key=lambda item: item[0]))


def order_keys(notes: tuple[KeyNote, ...]) -> dict[str, VerifyingKey]:
    """Key id → key that orders may be signed with.

    Raises:
        TrustError: Not a key, or another key than its id says.
    """
    keys = {note.id: VerifyingKey.from_bytes(from_base64(note.key)) for note in notes}
    for note in notes:
        _refuse_other_id(note, keys[note.id].key_id)
    return keys


def _refuse_other_id(note: KeyNote, found: str) -> None:
    if note.id != found:
        raise TrustError(f"key told as {note.id} is {found}")


def _read(path: Path, kind: type[_File]) -> _File:
    content = read_private(path, what="identity file")
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        wrong = sorted({".".join(map(str, item["loc"])) or "file" for item in error.errors()})
        raise ConfigError(
            f"identity file {path} is damaged at {', '.join(wrong)}", hint=_HINT
        ) from error
