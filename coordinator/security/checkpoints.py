"""Heads of chains → signed lines in a file, which people copy to where nobody rewrites them.

A line says: at this time the chain of this tenant had so many entries, and the last one's digest
was this. A copy kept elsewhere shows what the database alone cannot: that the end of the log was
cut off, or everything from some entry on written anew. Signatures are Ed25519 (RFC 8032).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, BinaryIO

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from common.encryption import SigningKey, VerifyingKey
from common.enrolment import from_base64, to_base64
from common.errors import ConfigError, NotFoundError, TrustError, UnreachableError
from common.private_files import create_private, make_private_folder
from common.timing import Clock
from common.wire import Digest
from coordinator.database import Database
from coordinator.security.audit_entries import Link, fault_of
from coordinator.security.audit_store import LOOK_CLOSER, entries, heads, still

log = structlog.get_logger(__name__)

EVERY_ENTRIES = 1000
EVERY = timedelta(days=1)
MOST_LINE_BYTES = 1024

_DOMAIN = b"its/v1 audit checkpoint\n"


class Checkpoint(BaseModel):
    """How far a chain reached at some time, signed.

    Attributes:
        number: Of the chain's last entry then.
        digest: Of that entry.
        key: Raw Ed25519 key, base64; believed when it is the coordinator's own.
        signature: Over everything else, base64.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    number: Annotated[int, Field(ge=1, lt=2**63)]
    digest: Digest
    at: AwareDatetime
    key: Annotated[str, StringConstraints(max_length=64)]
    signature: Annotated[str, StringConstraints(max_length=128)] = ""

    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        return _DOMAIN + self.model_dump_json(exclude={"signature"}).encode()

    def fault(self, key: VerifyingKey) -> str:
        """Why ``key`` did not sign this; empty when it did."""
        try:
            if from_base64(self.key) != key.raw:
                return "it was signed with a key that is not this coordinator's"
            key.verify(self.signed_bytes(), from_base64(self.signature))
        except TrustError as error:
            return str(error)
        return ""


class Checkpoints:
    """The checkpoints of this coordinator; safe to share between processes of one machine."""

    def __init__(self, database: Database, *, keys_folder: Path, file: Path, clock: Clock) -> None:
        """Sign with ``keys_folder/audit.key``, and append to ``file``."""
        self._database = database
        self._key_file = keys_folder / "audit.key"
        self._file = file
        self._clock = clock

    @property
    def file(self) -> Path:
        """Where they are; copy it to another machine from time to time."""
        return self._file

    def key(self) -> VerifyingKey:
        """The public half of the key that signs them.

        Raises:
            ConfigError: The key file is missing, or cannot be used.
        """
        return SigningKey.load(self._key_file).public

    def sign_due(self) -> list[Checkpoint]:
        """Sign chains with a thousand new entries, or any since a day.

        Raises:
            TrustError: A chain does not hold since its last checkpoint; nothing more is signed.
            UnreachableError: Database or folder.
        """
        return self._sign(only_due=True)

    def sign_now(self) -> list[Checkpoint]:
        """Sign every chain that has new entries; errors as of ``sign_due``."""
        return self._sign(only_due=False)

    def _sign(self, *, only_due: bool) -> list[Checkpoint]:
        now = self._clock.now()
        signing = self._signing()
        self._file.parent.mkdir(mode=0o751, parents=True, exist_ok=True)
        made = []
        with _locked(self._file) as file:
            known, end = _known(self._file, file)
            newest = {point.tenant: point for point in known}
            for tenant, head in self._heads().items():
                last = newest.get(tenant)
                if _is_due(last, head, now=now, always=not only_due):
                    self._check(tenant, last, head)
                    made.append(_signed(signing, tenant, head, now))
            _append(self._file, file, end, made)
        for point in made:
            log.info("audit_checkpoint_signed", tenant=point.tenant, number=point.number)
        return made

    def _heads(self) -> dict[str, Link]:
        with still(self._database) as session:
            return heads(session)

    def _check(self, tenant: str, last: Checkpoint | None, head: Link) -> None:
        """A signature is worth nothing under what was rewritten since the one before."""
        link = Link() if last is None else Link(number=last.number, digest=last.digest)
        start = link.number
        with still(self._database) as session:
            if last is not None:
                kept = next(entries(session, tenant=tenant, after=last.number - 1), None)
                if isinstance(kept, str) or kept is None or kept.link != link:
                    raise _broken(tenant, last.number, "it is not what its checkpoint says")
            for entry in entries(session, tenant=tenant, after=start):
                fault = entry if isinstance(entry, str) else fault_of(entry, after=link)
                if isinstance(entry, str) or fault:
                    raise _broken(tenant, link.number + 1, fault)
                link = entry.link
                if link.number == head.number:
                    break
        if link != head:
            raise _broken(tenant, link.number + 1, f"the chain ends here, expected {head.number}")

    def _signing(self) -> SigningKey:
        if not self._key_file.exists():
            make_private_folder(self._key_file.parent)
            create_private(self._key_file, SigningKey.generate().to_pem())
        return SigningKey.load(self._key_file)


def read_checkpoints(path: Path) -> list[Checkpoint]:
    """Every whole line of a file, ours or a copy; signatures are not looked at.

    Raises:
        NotFoundError: No such file.
        TrustError: A line is no checkpoint.
    """
    try:
        with path.open("rb") as file:
            return _known(path, file)[0]
    except OSError as error:
        raise NotFoundError(f"checkpoints {path} cannot be read: {error.strerror}") from error


def write_copy(path: Path, points: Iterable[Checkpoint]) -> None:
    """Write the newest checkpoint of each chain to a new file, to be kept elsewhere.

    Raises:
        UnreachableError: The file exists or cannot be written.
    """
    newest = {point.tenant: point for point in points}
    try:
        with path.open("xb") as file:
            file.writelines(_line(point) for point in newest.values())
    except OSError as error:
        raise UnreachableError(
            f"{path} cannot be written: {error.strerror}", hint="name a new file"
        ) from error


def _is_due(last: Checkpoint | None, head: Link, *, now: datetime, always: bool) -> bool:
    if last is None:
        return head.number > 0
    if head.number < last.number:
        raise _broken(last.tenant, head.number + 1, f"it was there at {last.at}, and is not now")
    if head.number == last.number:
        return False
    return always or head.number - last.number >= EVERY_ENTRIES or now - last.at >= EVERY


def _signed(signing: SigningKey, tenant: str, head: Link, now: datetime) -> Checkpoint:
    point = Checkpoint(
        tenant=tenant,
        number=head.number,
        digest=head.digest,
        at=now,
        key=to_base64(signing.public.raw),
    )
    signature = to_base64(signing.sign(point.signed_bytes()))
    return point.model_copy(update={"signature": signature})


def _known(path: Path, file: BinaryIO) -> tuple[list[Checkpoint], int]:
    """Whole lines, and where they end; what a power cut left of one was told to nobody."""
    file.seek(0)
    points, end = [], 0
    while (line := file.readline(MOST_LINE_BYTES)).endswith(b"\n"):
        try:
            points.append(Checkpoint.model_validate_json(line))
            end += len(line)
        except ValidationError as error:
            raise TrustError(
                f"line {len(points) + 1} of {path} is no checkpoint",
                hint="somebody changed the file, or its disk is failing; compare with a copy",
            ) from error
    if len(line) == MOST_LINE_BYTES:
        raise TrustError(f"line {len(points) + 1} of {path} is too long for a checkpoint")
    return points, end


def _line(point: Checkpoint) -> bytes:
    return point.model_dump_json().encode() + b"\n"


def _append(path: Path, file: BinaryIO, end: int, points: Sequence[Checkpoint]) -> None:
    try:
        file.truncate(end)
        file.seek(end)
        file.writelines(_line(point) for point in points)
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise UnreachableError(f"{path} cannot be written: {error.strerror}") from error


def _locked(path: Path) -> BinaryIO:
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640), "r+b")
    except OSError as error:
        raise ConfigError(f"{path} cannot be opened: {error.strerror}") from error
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _broken(tenant: str, number: int, reason: str) -> TrustError:
    return TrustError(
        f"entry {number} of the audit log of {tenant!r} does not hold: {reason}", hint=LOOK_CLOSER
    )
