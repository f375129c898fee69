"""What somebody did → an entry that vouches for all before it, and the first that does not.

The digest of an entry is SHA-256 over canonical JSON (one spelling for one content, RFC 8785 in
spirit) of everything else in it, the digest of the entry before among it. Everything but the
number is text, stored and hashed letter by letter, so that no bit of it can change unseen.
Whoever rewrites an entry has to rewrite all later ones, and then a kept checkpoint tells.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from coordinator.security.actors import MOST_NAME_CHARACTERS, Actor

GENESIS = "0" * 64
"""What the first entry names as the digest before it."""

MOST_SUBJECT_CHARACTERS = 256
MOST_VALUE_CHARACTERS = 256
MOST_DETAIL_CHARACTERS = 4096

_DOMAIN = b"its/v1 audit entry\n"

Value = str | int | bool | None


class Action(StrEnum):
    """Everything that is recorded; ``DETAILS`` says what is told of each."""

    TOKEN_CREATED = "token_created"  # noqa: S105 - the name of an action  # nosec B105
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - the name of an action  # nosec B105
    DEVICE_ENROLLED = "device_enrolled"
    DEVICE_RENEWED = "device_renewed"
    DEVICE_RETIRED = "device_retired"
    TWIN_WISHED = "twin_wished"
    PLATE_WISHED = "plate_wished"
    PLATE_FORGOTTEN = "plate_forgotten"
    KEYS_ROTATED = "keys_rotated"
    ISSUING_RENEWED = "issuing_renewed"
    ROUNDS_LAUNCHED = "rounds_launched"
    ROUNDS_STOPPED = "rounds_stopped"
    ROUNDS_RESUMED = "rounds_resumed"
    DATABASE_BACKED_UP = "database_backed_up"
    DATABASE_RESTORED = "database_restored"
    HISTORY_DROPPED = "history_dropped"
    ALERT_MOVED = "alert_moved"
    ANOMALY_REVIEWED = "anomaly_reviewed"
    MODEL_REGISTERED = "model_registered"
    MODEL_PROPOSED = "model_proposed"
    MODEL_PROMOTED = "model_promoted"
    MODEL_REFUSED = "model_refused"
    MODEL_DECLINED = "model_declined"
    RELEASES_RECEIVED = "releases_received"
    ROLLOUT_STARTED = "rollout_started"
    ROLLOUT_MOVED = "rollout_moved"
    ACCOUNT_ADDED = "account_added"
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_ENABLED = "account_enabled"
    ACCOUNT_RESET = "account_reset"
    ROLES_CHANGED = "roles_changed"
    LINK_CREATED = "link_created"
    LINK_USED = "link_used"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - the name of an action  # nosec B105
    FACTOR_CONFIRMED = "factor_confirmed"
    RECOVERY_CODES_MADE = "recovery_codes_made"
    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SESSION_ENDED = "session_ended"
    SERVICE_TOKEN_CREATED = "service_token_created"  # noqa: S105 - the name of an action  # nosec B105
    SERVICE_TOKEN_REVOKED = "service_token_revoked"  # noqa: S105 - the name of an action  # nosec B105


DETAILS: Mapping[Action, frozenset[str]] = MappingProxyType(
    {
        Action.TOKEN_CREATED: frozenset({"digest", "replaces", "expires_at"}),
        Action.TOKEN_REVOKED: frozenset({"digest"}),
        Action.DEVICE_ENROLLED: frozenset({"address", "site", "token_digest", "key_id", "again"}),
        Action.DEVICE_RENEWED: frozenset({"address", "signed_by", "key_id"}),
        Action.DEVICE_RETIRED: frozenset({"reason", "certificates"}),
        Action.TWIN_WISHED: frozenset({"version", "sha256"}),
        Action.PLATE_WISHED: frozenset({"device", "number"}),
        Action.PLATE_FORGOTTEN: frozenset(),
        Action.KEYS_ROTATED: frozenset({"before"}),
        Action.ISSUING_RENEWED: frozenset({"before"}),
        Action.ROUNDS_LAUNCHED: frozenset({"clients", "rounds", "strategy", "parent_sha256"}),
        Action.ROUNDS_STOPPED: frozenset({"round"}),
        Action.ROUNDS_RESUMED: frozenset({"round"}),
        Action.DATABASE_BACKED_UP: frozenset({"size_bytes"}),
        Action.DATABASE_RESTORED: frozenset({"schema"}),
        Action.HISTORY_DROPPED: frozenset(
            {"minutes_days", "quarantine_days", "dropped", "forgotten"}
        ),
        Action.ALERT_MOVED: frozenset({"alert", "before", "after"}),
        Action.ANOMALY_REVIEWED: frozenset({"camera", "kind", "state", "note"}),
        Action.MODEL_REGISTERED: frozenset({"sha256", "run", "passed"}),
        Action.MODEL_PROPOSED: frozenset({"stage"}),
        Action.MODEL_PROMOTED: frozenset({"stage"}),
        Action.MODEL_REFUSED: frozenset({"stage", "why"}),
        Action.MODEL_DECLINED: frozenset({"stage"}),
        Action.RELEASES_RECEIVED: frozenset({"targets_version", "versions"}),
        Action.ROLLOUT_STARTED: frozenset({"version", "boxes", "canaries"}),
        Action.ROLLOUT_MOVED: frozenset({"state", "why"}),
        Action.ACCOUNT_ADDED: frozenset({"roles"}),
        Action.ACCOUNT_DISABLED: frozenset({"sessions"}),
        Action.ACCOUNT_ENABLED: frozenset(),
        Action.ACCOUNT_RESET: frozenset({"sessions"}),
        Action.ROLES_CHANGED: frozenset({"before", "after"}),
        Action.LINK_CREATED: frozenset({"purpose", "expires_at"}),
        Action.LINK_USED: frozenset({"purpose", "address"}),
        Action.PASSWORD_CHANGED: frozenset({"sessions"}),
        Action.FACTOR_CONFIRMED: frozenset({"replaces"}),
        Action.RECOVERY_CODES_MADE: frozenset({"codes"}),
        Action.SIGNED_IN: frozenset({"address", "how", "session"}),
        Action.SIGN_IN_FAILED: frozenset({"address", "step", "paused_s"}),
        Action.SESSION_ENDED: frozenset({"session", "why"}),
        Action.SERVICE_TOKEN_CREATED: frozenset({"roles", "scopes", "expires_at"}),
        Action.SERVICE_TOKEN_REVOKED: frozenset(),
    }
)
"""Action → what may be told of it; nothing else is ever stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How far a chain reaches: the number and the digest of an entry, 0 and zeros for none."""

    number: int = 0
    digest: str = GENESIS


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One entry, as it is stored and hashed.

    Attributes:
        tenant_id: Whose chain.
        number: From 1, without holes.
        previous: Digest of the entry before.
        at: ISO 8601 in UTC with microseconds.
        actor_kind: An ``ActorKind``.
        actor_name: Who.
        action: An ``Action``.
        subject: What it was done to.
        detail: Canonical JSON of what is told of the action.
        digest: Over everything else.
    """

    tenant_id: str
    number: int
    previous: str
    at: str
    actor_kind: str
    actor_name: str
    action: str
    subject: str
    detail: str
    digest: str

    @property
    def link(self) -> Link:
        """What the next entry builds on."""
        return Link(number=self.number, digest=self.digest)


ENTRY_FIELDS = tuple(field.name for field in fields(AuditEntry))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What somebody did, before it has a place in a chain.

    Attributes:
        actor: Who.
        action: What.
        subject: To what; cut where it is too long.
        detail: More of it; texts are cut where they are too long.
        at: When.
    """

    actor: Actor
    action: Action
    subject: str
    detail: Mapping[str, Value]
    at: datetime

    def __post_init__(self) -> None:
        """Only what is foreseen is kept."""
        unknown = set(self.detail) - DETAILS[self.action]
        if unknown:
            raise ValueError(f"{self.action} tells of {sorted(unknown)}, expected nothing else "
                             f"than {sorted(DETAILS[self.action])}")  # fmt: skip


def next_entry(tenant: str, deed: Deed, *, after: Link) -> AuditEntry:
    """The entry that follows ``after``."""
    detail = {name: _cut(value, MOST_VALUE_CHARACTERS) for name, value in deed.detail.items()}
    text = _canonical(detail)
    if len(text) > MOST_DETAIL_CHARACTERS:
        raise ValueError(f"detail of {len(text)} characters, expected {MOST_DETAIL_CHARACTERS}")
    facts: dict[str, str | int] = {
        "tenant_id": tenant,
        "number": after.number + 1,
        "previous": after.digest,
        "at": deed.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "actor_kind": deed.actor.kind.value,
        "actor_name": _printable(deed.actor.name, MOST_NAME_CHARACTERS),
        "action": deed.action.value,
        "subject": _printable(deed.subject, MOST_SUBJECT_CHARACTERS),
        "detail": text,
    }
    return AuditEntry(**facts, digest=_digest_of(facts))  # type: ignore[arg-type]


def read_entry(stored: Sequence[object]) -> AuditEntry | str:
    """A row of bytes and its number, in the order of ``ENTRY_FIELDS``, or what is wrong with it."""
    read: dict[str, str | int] = {}
    for name, value in zip(ENTRY_FIELDS, stored, strict=True):
        if name == "number" and isinstance(value, int):
            read[name] = value
        elif name != "number" and isinstance(value, bytes):
            try:
                read[name] = value.decode()
            except UnicodeDecodeError:
                return f"its {name} is no text"
        else:
            return f"its {name} is of another type"
    return AuditEntry(**read)  # type: ignore[arg-type]


def fault_of(entry: AuditEntry, *, after: Link) -> str:
    """Why ``entry`` is not the one that follows ``after``; empty when it is."""
    wanted = after.number + 1
    if entry.number != wanted:
        if entry.number < wanted:
            return f"its number {entry.number} comes after {after.number}"
        return f"it is missing, the next one is {entry.number}"
    facts: dict[str, str | int] = {name: getattr(entry, name) for name in ENTRY_FIELDS[:-1]}
    if entry.digest != _digest_of(facts):
        return "its digest does not match what it says"
    if entry.previous != after.digest:
        return "it does not follow from the entry before: one of the two was rewritten"
    return ""


def _canonical(facts: Mapping[str, Value]) -> str:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest_of(facts: Mapping[str, str | int]) -> str:
    return hashlib.sha256(_DOMAIN + _canonical(facts).encode()).hexdigest()


def _cut(value: Value, most: int) -> Value:
    if isinstance(value, str) and len(value) > most:
        return value[: most - 1] + "…"
    return value


def _printable(text: str, most: int) -> str:
    """One line that PostgreSQL takes and no terminal obeys."""
    kept = "".join(letter if letter.isprintable() else "?" for letter in text)
    return str(_cut(kept, most))
