"""Pages on which people sign in, set up their accounts, and leave."""

from __future__ import annotations

import base64
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from common.errors import ItsError
from common.security import Permission, SecurityLevel
from coordinator.dashboard.rendering import render
from coordinator.fleet.attempts import TooManyAttemptsError
from coordinator.problems import status_of
from coordinator.security.access import ContextDep, may, public
from coordinator.security.factors import NewFactor
from coordinator.security.links import LinkRefusedError, OpenLink
from coordinator.security.next_page import FIRST_PAGE, local_path, refuse_foreign_form
from coordinator.security.page_cookies import PageCookies
from coordinator.security.page_forms import CodeForm, SignInForm, WelcomeForm
from coordinator.security.password_rules import RefusedPasswordError
from coordinator.security.people_dependencies import DoorDep
from coordinator.security.sessions import Opened
from coordinator.security.sign_in import NotSignedInError

router = APIRouter(include_in_schema=False)

# Whoever signs in is not signed in.
_ANYBODY = [public()]
_HALF_WAY = [may(Permission.OWN_ACCOUNT, level=SecurityLevel.PASSWORD)]

Next = Annotated[str, Query(max_length=1024)]

_FACTOR_PAGE = "/welcome/factor"
UNLIKE = "The two passwords are not the same."


@router.get("/sign-in", response_class=HTMLResponse, dependencies=_ANYBODY)
def show_sign_in(request: Request, next: Next = FIRST_PAGE) -> HTMLResponse:  # noqa: A002 - a word of the address
    """Where name and password are asked for."""
    return render(request, "security/sign_in.html", next=local_path(next), name="", error="")


@router.post("/sign-in", response_class=HTMLResponse, dependencies=_ANYBODY)
def sign_in(
    request: Request,
    form: Annotated[SignInForm, Form()],
    door: DoorDep,
) -> Response:
    """The first step; the second has a page of its own."""
    refuse_foreign_form(request)
    target = local_path(form.next)
    try:
        opened = door.sign_in.with_password(form.name, form.password, door.visitor)
    except (NotSignedInError, TooManyAttemptsError) as error:
        said = {"next": target, "name": form.name, "error": told(error)}
        return render(request, "security/sign_in.html", status=status_of(error), **said)
    return _onward(door.cookies, opened, target)


@router.get("/sign-in/code", response_class=HTMLResponse, dependencies=_HALF_WAY)
def show_code(
    request: Request,
    context: ContextDep,
    door: DoorDep,
    next: Next = FIRST_PAGE,  # noqa: A002 - a word of the address
) -> Response:
    """Where a code is asked for; whoever has no second factor yet sets one up."""
    if not door.own.has_factor(context):
        return RedirectResponse(_FACTOR_PAGE, status_code=303)
    return render(request, "security/code.html", next=local_path(next), error="")


@router.post("/sign-in/code", response_class=HTMLResponse, dependencies=_HALF_WAY)
def take_code(
    request: Request,
    form: Annotated[CodeForm, Form()],
    door: DoorDep,
    context: ContextDep,
) -> Response:
    """The second step, or the second factor once more for what asks for it fresh."""
    target = local_path(form.next)
    try:
        opened = door.sign_in.with_code(context, form.code, door.visitor)
    except (NotSignedInError, TooManyAttemptsError) as error:
        said = {"next": target, "error": told(error)}
        return render(request, "security/code.html", status=status_of(error), **said)
    return _onward(door.cookies, opened, target)


@router.post("/sign-out", dependencies=_HALF_WAY)
def sign_out(door: DoorDep, context: ContextDep) -> Response:
    """End the session that asks."""
    door.own.end_session(context, context.session_id)
    answer = RedirectResponse("/sign-in", status_code=303)
    door.cookies.remove(answer)
    return answer


@router.get("/welcome", response_class=HTMLResponse, dependencies=_ANYBODY)
def show_welcome(
    request: Request,
    door: DoorDep,
    link: Annotated[str, Query(max_length=128)] = "",
) -> HTMLResponse:
    """What a one-time link leads to; programs that look at links in mails use nothing up."""
    try:
        found = door.own.look_at_link(link, door.visitor)
    except LinkRefusedError as error:
        return render(request, "security/link_refused.html", status=403, error=told(error))
    return _welcome(request, found, link)


@router.post("/welcome", response_class=HTMLResponse, dependencies=_ANYBODY)
def follow_link(
    request: Request,
    form: Annotated[WelcomeForm, Form()],
    door: DoorDep,
) -> Response:
    """Use the link up: choose a password, or be signed in."""
    refuse_foreign_form(request)
    try:
        if form.password != form.again:
            found = door.own.look_at_link(form.link, door.visitor)
            return _welcome(request, found, form.link, error=UNLIKE)
        opened = door.own.follow_link(form.link, form.password or None, door.visitor)
    except RefusedPasswordError as error:
        found = door.own.look_at_link(form.link, door.visitor)
        return _welcome(request, found, form.link, error=told(error))
    except LinkRefusedError as error:
        return render(request, "security/link_refused.html", status=403, error=told(error))
    return _onward(door.cookies, opened, FIRST_PAGE)


@router.get(_FACTOR_PAGE, response_class=HTMLResponse, dependencies=_HALF_WAY)
def show_factor(request: Request, door: DoorDep, context: ContextDep) -> HTMLResponse:
    """A seed to scan; whoever has a second factor shows it before it is exchanged."""
    return _factor(request, door.own.begin_factor(context))


@router.post(_FACTOR_PAGE, response_class=HTMLResponse, dependencies=_HALF_WAY)
def confirm_factor(
    request: Request,
    form: Annotated[CodeForm, Form()],
    door: DoorDep,
    context: ContextDep,
) -> Response:
    """A first code of the seed; then the recovery codes are shown, once."""
    try:
        confirmed = door.own.confirm_factor(context, form.code, door.visitor)
    except NotSignedInError as error:
        return _factor(request, door.own.begin_factor(context), error=told(error))
    answer = render(request, "security/recovery_codes.html", codes=confirmed.recovery_codes)
    if confirmed.opened.cookie is not None:
        door.cookies.put(answer, confirmed.opened.cookie)
    return answer


def told(error: ItsError) -> str:
    """A fault as a form says it, with what to do next."""
    text = str(error)
    said = [part[:1].upper() + part[1:] + "." for part in (text, error.hint) if part]
    return " ".join(said)


def _onward(cookies: PageCookies, opened: Opened, target: str) -> Response:
    """Where the next step is."""
    if not opened.is_complete:
        asked = urlencode({"next": target})
        target = f"/sign-in/code?{asked}" if opened.has_factor else _FACTOR_PAGE
    answer = RedirectResponse(target, status_code=303)
    if opened.cookie is not None:
        cookies.put(answer, opened.cookie)
    return answer


def _welcome(request: Request, found: OpenLink, link: str, *, error: str = "") -> HTMLResponse:
    return render(
        request,
        "security/welcome.html",
        status=422 if error else 200,
        name=found.account.name,
        wants_password=found.account.password_hash is None,
        link=link,
        error=error,
    )


def _factor(request: Request, new: NewFactor, *, error: str = "") -> HTMLResponse:
    drawn = base64.b64encode(new.qr_svg.encode()).decode()
    return render(
        request,
        "security/factor.html",
        status=422 if error else 200,
        qr=f"data:image/svg+xml;base64,{drawn}",
        seed=" ".join(new.seed[n : n + 4] for n in range(0, len(new.seed), 4)),
        error=error,
    )
