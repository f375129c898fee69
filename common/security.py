"""roles and levels → what a signed-in person or program may do.

Shared vocabulary alone: ``coordinator/security/authentication.py`` finds out who somebody is, and
routes declare what they ask for through ``coordinator/security/access.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Literal


class Role(StrEnum):
    """A job somebody does with the system; one account may hold several."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    TECHNICIAN = "technician"
    ML_ENGINEER = "ml_engineer"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Permission(StrEnum):
    """One thing a route asks for; the value is also the scope of a service token."""

    OWN_ACCOUNT = "account:own"
    TRAFFIC_READ = "traffic:read"
    TRAFFIC_EXPORT = "traffic:export"
    QUALITY_READ = "quality:read"
    QUALITY_REVIEW = "quality:review"
    MAINTENANCE_ANNOUNCE = "maintenance:announce"
    FLEET_READ = "fleet:read"
    FLEET_MANAGE = "fleet:manage"
    SECTIONS_EDIT = "sections:edit"
    QUARANTINE_READ = "quarantine:read"
    ROUNDS_READ = "rounds:read"
    ROUNDS_RUN = "rounds:run"
    MODELS_READ = "models:read"
    MODELS_MANAGE = "models:manage"
    MODELS_APPROVE = "models:approve"
    ROLLOUTS_RUN = "rollouts:run"
    AUDIT_READ = "audit:read"
    ALERTS_READ = "alerts:read"
    ALERTS_MANAGE = "alerts:manage"
    USERS_MANAGE = "users:manage"
    METRICS_READ = "metrics:read"


# What a person may do with no more than an account: see how the city moves and what measures it.
_LOOKING = frozenset(
    {
        Permission.OWN_ACCOUNT,
        Permission.TRAFFIC_READ,
        Permission.QUALITY_READ,
        Permission.FLEET_READ,
        Permission.MODELS_READ,
    }
)

GRANTS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.VIEWER: _LOOKING,
        Role.ANALYST: _LOOKING
        | {
            Permission.TRAFFIC_EXPORT,
            Permission.QUALITY_REVIEW,
            Permission.MAINTENANCE_ANNOUNCE,
        },
        Role.TECHNICIAN: _LOOKING
        | {
            Permission.FLEET_MANAGE,
            Permission.SECTIONS_EDIT,
            Permission.MAINTENANCE_ANNOUNCE,
            Permission.QUARANTINE_READ,
            Permission.ALERTS_READ,
        },
        Role.ML_ENGINEER: _LOOKING
        | {
            Permission.ROUNDS_READ,
            Permission.ROUNDS_RUN,
            Permission.MODELS_MANAGE,
            Permission.MODELS_APPROVE,
            Permission.ROLLOUTS_RUN,
            Permission.METRICS_READ,
        },
        Role.AUDITOR: _LOOKING
        | {
            Permission.AUDIT_READ,
            Permission.ALERTS_READ,
            Permission.QUARANTINE_READ,
            Permission.ROUNDS_READ,
        },
        # Everything; where a second person must approve, an administrator is still one person.
        Role.ADMIN: frozenset(Permission),
    }
)


class SecurityLevel(IntEnum):
    """How surely we know who is asking; higher includes lower.

    ``PASSWORD`` is the first factor alone and may only finish signing in. ``FRESH`` means that the
    second factor was shown within the last ten minutes.
    """

    NONE = 0
    PASSWORD = 1
    MULTI_FACTOR = 2
    FRESH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityContext:
    """Who asks, in one request.

    Attributes:
        user_id: Id of the account, or of the service token.
        name: Name people know the account by; this is what the audit log writes.
        tenant: The organisation whose things may be seen.
        roles: The jobs held at this moment, looked up anew for each request.
        level: How surely we know who it is.
        session_id: The session that was shown; for a program the id of its token.
        kind: A person, or a program with a service token.
        scopes: For a program, the permissions that its token was narrowed to; ``None`` leaves
            all that its roles grant.
    """

    user_id: str
    name: str
    tenant: str
    roles: frozenset[Role]
    level: SecurityLevel
    session_id: str
    kind: Literal["person", "service"]
    scopes: frozenset[Permission] | None = None

    @property
    def permissions(self) -> frozenset[Permission]:
        """Everything the roles grant, narrowed to the scopes where there are any."""
        granted = frozenset[Permission]().union(*(GRANTS[role] for role in self.roles))
        return granted if self.scopes is None else granted & self.scopes

    def may(self, permission: Permission) -> bool:
        """Tell whether ``permission`` is granted; the level is asked for separately."""
        return permission in self.permissions
