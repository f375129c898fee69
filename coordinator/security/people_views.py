"""What the API takes and shows of people, their sessions and their second factors."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from common.security import Permission, Role, SecurityContext
from coordinator.security.access_tokens import LIFE_S
from coordinator.security.accounts_store import Account
from coordinator.security.factors import NewFactor
from coordinator.security.links import NewLink
from coordinator.security.own_account import ConfirmedFactor, OwnSession
from coordinator.security.sessions import Opened

Name = Annotated[str, Field(max_length=64, description="As people sign in")]
# More than any password may have: a longer one is refused in our words, not the parser's.
Secret = Annotated[str, Field(max_length=1024)]
Code = Annotated[str, Field(max_length=64, description="Six digits, or a recovery code")]
Roles = Annotated[frozenset[Role], Field(description="Jobs; none may do nothing")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SignInBody(_Body):
    """The first step."""

    name: Name
    password: Secret


class CodeBody(_Body):
    """The second step, or a first code of a new second factor."""

    code: Code


class RefreshBody(_Body):
    """A refresh token, good once."""

    refresh_token: Annotated[str, Field(max_length=128)]


class PasswordBody(_Body):
    """A new password."""

    current: Secret
    wished: Secret


class AccountBody(_Body):
    """Somebody new."""

    name: Name
    roles: Roles


class RolesBody(_Body):
    """All roles that somebody shall have."""

    roles: Roles


class SignInView(BaseModel):
    """How far a sign-in got, and what to show at the next request."""

    next: Annotated[
        Literal["code", "factor", "done"],
        Field(description="A code is asked for, or a second factor must be set up first"),
    ]
    access_token: Annotated[str, Field(description="For Authorization: Bearer")]
    expires_in_s: int
    refresh_token: str | None

    @classmethod
    def of(cls, opened: Opened) -> SignInView:
        """A session of the API as its holder sees it."""
        if opened.access is None:
            raise ValueError("a session without access token, expected one of the API")
        missing: Literal["code", "factor"] = "code" if opened.has_factor else "factor"
        return cls(
            next="done" if opened.is_complete else missing,
            access_token=opened.access.text,
            expires_in_s=LIFE_S,
            refresh_token=opened.refresh,
        )


class WhoView(BaseModel):
    """Who asks."""

    name: str
    tenant: str
    kind: Literal["person", "service"]
    level: Annotated[str, Field(description="password, multi_factor or fresh")]
    roles: list[Role]
    permissions: list[Permission]
    session_id: str

    @classmethod
    def of(cls, context: SecurityContext) -> WhoView:
        """A context as it is shown."""
        return cls(
            name=context.name,
            tenant=context.tenant,
            kind=context.kind,
            level=context.level.name.lower(),
            roles=sorted(context.roles),
            permissions=sorted(context.permissions),
            session_id=context.session_id,
        )


class SessionView(BaseModel):
    """One of somebody's own sessions."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    is_this_one: bool
    address: str
    agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, own: OwnSession) -> SessionView:
        """A session as its holder sees it."""
        return cls.model_validate(own)


class EndedView(BaseModel):
    """What a change of the password ended."""

    ended_sessions: int


class FactorView(BaseModel):
    """A seed for an authenticator; shown until its first code came."""

    seed: str
    uri: str
    qr_svg: str

    @classmethod
    def of(cls, new: NewFactor) -> FactorView:
        """A seed as it is shown."""
        return cls(seed=new.seed, uri=new.uri, qr_svg=new.qr_svg)


class RecoveryCodesView(BaseModel):
    """Codes for when the phone is lost, each good once; not shown again."""

    recovery_codes: list[str]
    sign_in: SignInView | None = None

    @classmethod
    def of(cls, confirmed: ConfirmedFactor) -> RecoveryCodesView:
        """What a confirmed factor brings; a first one completes the sign-in too."""
        opened = confirmed.opened
        return cls(
            recovery_codes=confirmed.recovery_codes,
            sign_in=SignInView.of(opened) if opened.access else None,
        )


class AccountView(BaseModel):
    """Somebody who may sign in."""

    name: str
    roles: list[Role]
    state: Literal["invited", "active", "disabled"]
    created_at: datetime
    signed_in_at: datetime | None

    @classmethod
    def of(cls, account: Account) -> AccountView:
        """An account as administrators see it."""
        return cls(
            name=account.name,
            roles=sorted(account.roles),
            state=account.state,
            created_at=account.created_at,
            signed_in_at=account.signed_in_at,
        )


class LinkView(BaseModel):
    """A one-time link; not shown again, so hand it over now."""

    name: str
    url: str
    expires_at: datetime

    @classmethod
    def of(cls, link: NewLink) -> LinkView:
        """A link as it is shown once."""
        return cls(name=link.name, url=link.url, expires_at=link.expires_at)
