"""A token and a proof, or a signed wish → a certificate and everything a box needs to report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlmodel import Session

from common.encryption import VerifyingKey
from common.enrolment import (
    BrokerAddress,
    EnrolmentAnswer,
    EnrolmentRequest,
    LearningAddress,
    RenewalRequest,
    SignedRenewal,
    key_note,
    proven_key,
    read_renewal,
)
from common.errors import ConflictError, TrustError
from common.timing import Clock
from coordinator.database import Database
from coordinator.fleet.authority import Authority
from coordinator.fleet.device_ids import new_device_id
from coordinator.fleet.keyring import KeyRing
from coordinator.fleet.states import DeviceState
from coordinator.fleet.store import FleetStore
from coordinator.fleet.tables import CertificateRow, DeviceKeyRow, DeviceRow, EnrolmentTokenRow
from coordinator.security.actors import Actor, ActorKind, asking_address
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action, Value

log = structlog.get_logger(__name__)

_NEW_TOKEN = "create a new token with: its-camera-ai fleet token create --site SITE"  # noqa: S105 - a hint  # nosec B105


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """What certificates and keys are made with, and where boxes are sent."""

    authority: Authority
    ring: KeyRing
    broker: BrokerAddress
    learning: LearningAddress | None = None
    release_root: Callable[[], str | None] = lambda: None


class Enrolment:
    """Lets boxes in, and renews their certificates; safe to share between threads."""

    def __init__(self, database: Database, trusted: Trusted, *, tenant: str, clock: Clock) -> None:
        self._database = database
        self._trusted = trusted
        self._tenant = tenant
        self._clock = clock
        self._audit = SecurityAuditLogger(tenant=tenant, clock=clock)

    def enrol(self, request: EnrolmentRequest) -> EnrolmentAnswer:
        """Let a box in.

        The same box may ask again with the same token and key when it did not get the answer.

        Raises:
            TrustError: Unknown or expired token, or a proof that does not hold.
            ConflictError: The token was used by another box.
        """
        key = proven_key(request)
        now = self._clock.now()
        with self._database.session() as session:
            store = FleetStore(session, self._tenant)
            token = store.token(hashlib.sha256(request.token.encode()).hexdigest())
            if token is None or token.tenant_id != self._tenant:
                raise TrustError("enrolment token is not known", hint=_NEW_TOKEN)
            if token.expires_at <= now:
                raise TrustError(f"enrolment token expired at {token.expires_at}", hint=_NEW_TOKEN)
            site = store.sites()[token.site_id].slug
            device = new_device_id(site)
            used = store.use_token(token.digest, device=device, now=now)
            if used is None:
                device = self._same_box(session, token.digest, key)
            else:
                self._let_in(store, used, device, now)
                store.add_key(_key_row(device, self._tenant, key, now))
            self._take_learning_key(store, device, request)
            answer = self._answer(store, device, request.csr_pem, site)
            told: dict[str, Value] = {
                "site": site,
                "token_digest": token.digest,
                "key_id": key.key_id,
                "again": used is None,
            }
            self._record(session, Action.DEVICE_ENROLLED, device, told)
            return answer

    def renew(self, device: str, signed: SignedRenewal) -> EnrolmentAnswer:
        """A new certificate, and a new signing key where the request brings one.

        Raises:
            TrustError: Unknown or ended box, or a signature that does not hold.
        """
        now = self._clock.now()
        with self._database.session() as session:
            store = FleetStore(session, self._tenant)
            row = store.device_to_change(device)
            if row is None or row.state != DeviceState.ENROLLED:
                raise TrustError(
                    f"device {device[:64]!r} is not enrolled", hint="enrol it with a new token"
                )
            keys = {k.key_id: VerifyingKey.from_bytes(k.public_key) for k in store.keys(device)}
            request = read_renewal(signed, keys, device=device, now=now)
            self._add_new_key(store, request, signed.signed_by, now)
            self._take_learning_key(store, device, request)
            site = store.sites()[row.site_id].slug
            answer = self._answer(store, device, request.csr_pem, site)
            told = {"signed_by": signed.signed_by, "key_id": proven_key(request).key_id}
            self._record(session, Action.DEVICE_RENEWED, device, told)
            return answer

    def _record(
        self, session: Session, action: Action, device: str, told: Mapping[str, Value]
    ) -> None:
        """The box acts by itself; the address is only where it called from."""
        self._audit.record(
            session,
            action,
            subject=device,
            detail={**told, "address": asking_address()},
            by=Actor(kind=ActorKind.DEVICE, name=device),
        )

    def _let_in(
        self, store: FleetStore, token: EnrolmentTokenRow, device: str, now: datetime
    ) -> None:
        store.add_device(
            DeviceRow(
                id=device,
                tenant_id=self._tenant,
                site_id=token.site_id,
                state=DeviceState.ENROLLED.value,
                enrolled_at=now,
            )
        )
        if token.replaces is not None:
            old = store.device_to_change(token.replaces)
            if old is not None and old.state == DeviceState.ENROLLED:
                why = f"replaced by {device}"
                store.end_device(old, state=DeviceState.REPLACED, why=why, now=now)
                old.replaced_by = device
        log.info("device_enrolled", device=device, replaces=token.replaces)

    def _same_box(self, session: Session, digest: str, key: VerifyingKey) -> str:
        """The box that used the token, when this is it again."""
        store = FleetStore(session, self._tenant)
        token = session.get(EnrolmentTokenRow, digest, populate_existing=True)
        device = token.used_by if token is not None else None
        if device is None or key.key_id not in {k.key_id for k in store.keys(device)}:
            raise ConflictError("enrolment token was used by another box", hint=_NEW_TOKEN)
        log.info("device_enrolled_again", device=device)
        return device

    def _add_new_key(
        self, store: FleetStore, request: RenewalRequest, signed_by: str, now: datetime
    ) -> None:
        key = proven_key(request)
        if key.key_id == signed_by:
            return
        store.add_key(_key_row(request.device, self._tenant, key, now))
        # Reports signed with the key of this request still travel; those of older ones do not.
        for old in store.keys(request.device):
            if old.key_id not in {key.key_id, signed_by}:
                old.revoked_at = now
        log.info("device_key_changed", device=request.device, key_id=key.key_id)

    def _take_learning_key(
        self, store: FleetStore, device: str, request: EnrolmentRequest | RenewalRequest
    ) -> None:
        """A box that brings none keeps the one it had: older software says nothing of it."""
        if request.learning_key is None:
            return
        if store.take_learning_key(device, request.learning_key, now=self._clock.now()):
            log.info("learning_key_taken", device=device)

    def _answer(self, store: FleetStore, device: str, csr_pem: str, site: str) -> EnrolmentAnswer:
        authority, ring = self._trusted.authority, self._trusted.ring
        pem, certificate = authority.certify_device(csr_pem.encode(), device)
        store.add_certificate(
            CertificateRow(
                serial=certificate.serial,
                device_id=device,
                tenant_id=self._tenant,
                issued_at=self._clock.now(),
                expires_at=certificate.expires_at,
            )
        )
        return EnrolmentAnswer(
            device=device,
            site=site,
            tenant=self._tenant,
            certificate_pem=pem.decode(),
            chain_pem=authority.chain_pem.decode(),
            trust_pem=authority.trust_pem.decode(),
            sealing_keys=tuple(key_note(key, at) for key, at in ring.sealing_offers()),
            order_keys=tuple(key_note(key, at) for key, at in ring.order_offers()),
            broker=self._trusted.broker,
            learning=self._trusted.learning,
            release_root=self._trusted.release_root(),
        )


def _key_row(device: str, tenant: str, key: VerifyingKey, now: datetime) -> DeviceKeyRow:
    return DeviceKeyRow(
        key_id=key.key_id,
        device_id=device,
        tenant_id=tenant,
        public_key=key.raw,
        valid_from=now,
    )
