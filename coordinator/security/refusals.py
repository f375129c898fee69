"""Somebody who may not → an error that says whether signing in, or somebody else, would help."""

from __future__ import annotations

from common.errors import TrustError
from common.security import Permission, SecurityLevel


class SignInNeededError(TrustError):
    """Nobody is signed in, or not any more, or in another organisation."""

    def __init__(self) -> None:
        """Say nothing of why: whoever holds a stolen token learns no more than that it is bad."""
        super().__init__(
            "nobody is signed in, expected a sign-in that has not expired",
            hint="sign in again; programs send Authorization: Bearer with a service token",
        )


class NotAllowedError(TrustError):
    """Somebody is signed in, and this is not theirs to do."""

    def __init__(self, permission: Permission) -> None:
        """Name what is missing."""
        super().__init__(
            f"this needs the permission {permission.value}",
            hint="ask an administrator for a role that has it",
        )
        self.permission = permission


class LevelNeededError(TrustError):
    """Somebody is signed in, and not surely enough for this.

    Attributes:
        level: What would be enough.
    """

    def __init__(self, level: SecurityLevel) -> None:
        """Name the level that would be enough."""
        wanted = (
            "the second factor, shown within the last ten minutes"
            if level is SecurityLevel.FRESH
            else "the second factor"
        )
        super().__init__(f"this needs {wanted}", hint="sign in with a code, then do it again")
        self.level = level
