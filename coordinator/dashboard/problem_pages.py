"""Faults that a browser meets on a page → a page that says what happened and what to do.

Programs under ``/api`` and everybody who did not ask for HTML get the problem body as before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from common.errors import ItsError
from common.logs import without_credentials
from coordinator.dashboard.rendering import render
from coordinator.problems import status_of
from coordinator.security.refusals import LevelNeededError, NotAllowedError, SignInNeededError

_Handler = Callable[[Any, Any], Awaitable[Response]]

_TITLES = {
    403: "This is not open to you",
    404: "There is no such page",
    409: "That is not possible now",
    422: "That could not be understood",
    429: "Too many attempts",
    503: "Not available at the moment",
}
_OWN_PREFIXES = ("/api/", "/static/", "/health", "/metrics", "/openapi.json")


def wants_page(request: Request) -> bool:
    """True for a browser that asked for a page or a part of one."""
    is_page = not request.url.path.startswith(_OWN_PREFIXES)
    asked = request.headers.get("accept", "")
    return is_page and ("text/html" in asked or request.headers.get("HX-Request") == "true")


def add_problem_pages(app: FastAPI) -> None:
    """Put pages in front of the problem bodies; call after ``add_problem_handlers``."""
    for kind in (ItsError, RequestValidationError, HTTPException, Exception):
        known = app.exception_handlers.get(kind)
        if known is not None:
            app.add_exception_handler(kind, _paged(cast(_Handler, known)))


def _paged(known: _Handler) -> _Handler:
    async def handler(request: Request, error: Exception) -> Response:
        # The log, the status and the headers are those of the problem body.
        answer = await known(request, error)
        if not wants_page(request):
            return answer
        return _sent_on(request, error) or _page(request, error, answer)

    return handler


def _sent_on(request: Request, error: Exception) -> Response | None:
    """Where signing in would help."""
    target = _sign_in(request, error)
    if target is None:
        return None
    if request.headers.get("HX-Request") == "true":
        # A fragment cannot be a sign-in page: htmx loads the whole page instead.
        return Response(status_code=401, headers={"HX-Redirect": target})
    return RedirectResponse(target, status_code=303)


def _sign_in(request: Request, error: Exception) -> str | None:
    if isinstance(error, SignInNeededError):
        return f"/sign-in?{_next(request)}"
    if isinstance(error, LevelNeededError):
        return f"/sign-in/code?{_next(request)}"
    return None


def _next(request: Request) -> str:
    """Back to the page, with its own path only; what was posted is not posted again."""
    path = request.url.path
    if request.method == "GET" and request.headers.get("HX-Request") != "true":
        path += f"?{request.url.query}" if request.url.query else ""
    elif request.method != "GET":
        path = "/"
    return urlencode({"next": path})


def _page(request: Request, error: Exception, answer: Response) -> Response:
    status = answer.status_code
    if isinstance(error, ItsError):
        status = status_of(error)
    text, hint = _told(error)
    page = render(
        request,
        "problem.html",
        status=status,
        problem_title=_TITLES.get(status, "Something went wrong"),
        text=text,
        hint=hint,
        status_code=status,
    )
    for name, value in answer.headers.items():
        if name.lower() not in ("content-type", "content-length"):
            page.headers.setdefault(name, value)
    return page


def _told(error: Exception) -> tuple[str, str]:
    if isinstance(error, NotAllowedError):
        return (
            f"Your roles do not include the permission “{error.permission.value}”.",
            "An administrator can give you a role that has it.",
        )
    if isinstance(error, ItsError):
        return without_credentials(str(error)), without_credentials(error.hint)
    if isinstance(error, RequestValidationError):
        found = error.errors()[:5]
        told = (f"{'.'.join(str(p) for p in one['loc'][1:])}: {one['msg']}" for one in found)
        return "; ".join(told), "Correct the address or the form, and try again."
    if isinstance(error, HTTPException):
        return str(error.detail), ""
    return (
        "The coordinator failed to answer. Nothing was changed.",
        "Its log has an entry request_crashed with the reason.",
    )
