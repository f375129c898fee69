"""Signing in over the API, and one's own sessions, password and second factor."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from common.security import Permission, SecurityLevel
from coordinator.problems import problems
from coordinator.security.access import ContextDep, may, public
from coordinator.security.people_dependencies import ApiVisitorDep, OwnAccountDep, SignInDep
from coordinator.security.people_views import (
    CodeBody,
    EndedView,
    FactorView,
    PasswordBody,
    RecoveryCodesView,
    RefreshBody,
    SessionView,
    SignInBody,
    SignInView,
    WhoView,
)

router = APIRouter(prefix="/session", tags=["session"])

# Whoever signs in is not signed in.
_ANYBODY = [public()]
_HALF_WAY = [may(Permission.OWN_ACCOUNT, level=SecurityLevel.PASSWORD)]
_OWN = [may(Permission.OWN_ACCOUNT)]
_FRESH = [may(Permission.OWN_ACCOUNT, level=SecurityLevel.FRESH)]

SessionPath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="Id of the session")]


@router.post("", dependencies=_ANYBODY, status_code=201, responses=problems(401, 429))
def sign_in(body: SignInBody, doors: SignInDep, visitor: ApiVisitorDep) -> SignInView:
    """Name and password: the first of two steps."""
    return SignInView.of(doors.with_password(body.name, body.password, visitor))


@router.post("/code", dependencies=_HALF_WAY, responses=problems(401, 403, 429))
def show_code(
    body: CodeBody, doors: SignInDep, context: ContextDep, visitor: ApiVisitorDep
) -> SignInView:
    """The second step; later once more, for what asks for a fresh second factor."""
    return SignInView.of(doors.with_code(context, body.code, visitor))


@router.post("/refresh", dependencies=_ANYBODY, responses=problems(401, 429))
def refresh(body: RefreshBody, doors: SignInDep, visitor: ApiVisitorDep) -> SignInView:
    """The next pair of tokens; a refresh token shown twice ends the session for everybody."""
    return SignInView.of(doors.refresh(body.refresh_token, visitor))


@router.get("", dependencies=_HALF_WAY, responses=problems(401, 403))
def who(context: ContextDep) -> WhoView:
    """Who asks, and what they may."""
    return WhoView.of(context)


@router.delete("", dependencies=_HALF_WAY, status_code=204, responses=problems(401, 403))
def sign_out(own: OwnAccountDep, context: ContextDep) -> None:
    """End the session that asks; its tokens count no more."""
    own.end_session(context, context.session_id)


@router.get("/list", dependencies=_OWN, responses=problems(401, 403))
def list_sessions(own: OwnAccountDep, context: ContextDep) -> list[SessionView]:
    """Own sessions, the last used first."""
    return [SessionView.of(one) for one in own.sessions(context)]


@router.post("/factor", dependencies=_HALF_WAY, responses=problems(401, 403))
def begin_factor(own: OwnAccountDep, context: ContextDep) -> FactorView:
    """A seed to scan; whoever has a second factor shows it before it is exchanged."""
    return FactorView.of(own.begin_factor(context))


@router.post("/factor/confirmation", dependencies=_HALF_WAY, responses=problems(401, 403, 409))
def confirm_factor(
    body: CodeBody, own: OwnAccountDep, context: ContextDep, visitor: ApiVisitorDep
) -> RecoveryCodesView:
    """A first code of the scanned seed; a first second factor completes the sign-in."""
    return RecoveryCodesView.of(own.confirm_factor(context, body.code, visitor))


@router.post("/recovery-codes", dependencies=_FRESH, responses=problems(401, 403, 409))
def new_recovery_codes(own: OwnAccountDep, context: ContextDep) -> RecoveryCodesView:
    """Ten new codes; those before count no more."""
    return RecoveryCodesView(recovery_codes=own.new_recovery_codes(context))


@router.put("/password", dependencies=_FRESH, responses=problems(401, 403, 422, 429))
def change_password(
    body: PasswordBody, own: OwnAccountDep, context: ContextDep, visitor: ApiVisitorDep
) -> EndedView:
    """Choose another password; every other session ends."""
    ended = own.change_password(context, body.current, body.wished, visitor)
    return EndedView(ended_sessions=ended)


@router.delete("/{session_id}", dependencies=_OWN, status_code=204, responses=problems(401, 404))
def end_session(session_id: SessionPath, own: OwnAccountDep, context: ContextDep) -> None:
    """End one of one's own sessions."""
    own.end_session(context, session_id)
