"""A fault → its HTTP status and an ``application/problem+json`` body (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from common.errors import (
    ConfigError,
    ConflictError,
    ItsError,
    NotFoundError,
    TrustError,
    UnreachableError,
)
from common.logs import without_credentials
from coordinator.fleet.attempts import TooManyAttemptsError
from coordinator.security.refusals import SignInNeededError

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

STATUS: Mapping[type[ItsError], int] = MappingProxyType(
    {
        NotFoundError: 404,
        ConflictError: 409,
        TrustError: 403,
        SignInNeededError: 401,
        ConfigError: 422,
        TooManyAttemptsError: 429,
        UnreachableError: 503,
    }
)

_TITLES = MappingProxyType(
    {
        400: "Not understood",
        401: "Not signed in",
        403: "Not trusted",
        404: "Not found",
        405: "Method not allowed",
        409: "Wrong state",
        413: "Too large",
        422: "Not valid",
        429: "Too many requests",
        500: "Internal error",
        503: "Not available",
    }
)


class Problem(BaseModel):
    """What went wrong; ``hint`` says what to do next."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Not found",
                "status": 404,
                "detail": "device 'main-7kq2xa' is not known",
                "hint": "list the boxes with: its-camera-ai fleet list",
            }
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    hint: str = ""
    errors: Annotated[list[dict[str, str]], Field(default_factory=list)]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Documentation of the problem answers of a route, for ``responses=``."""
    return {
        status: {
            "description": _TITLES[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


COMMON = problems(400, 413, 422, 500, 503)
"""Every route may answer these."""


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every fault of this application with a problem body."""
    app.add_exception_handler(ItsError, _its_error)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unknown)


def answer(
    status: int,
    detail: str,
    *,
    hint: str = "",
    errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """One problem as a response."""
    problem = Problem(
        title=_TITLES.get(status, "Refused"),
        status=status,
        detail=without_credentials(detail),
        hint=without_credentials(hint),
        errors=errors or [],
    )
    return JSONResponse(
        problem.model_dump(), status_code=status, media_type=MEDIA_TYPE, headers=headers
    )


def status_of(error: ItsError) -> int:
    """HTTP status of one of our errors; the nearest class of the tree counts."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


async def _its_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ItsError):
        return await _unknown(request, error)
    status = status_of(error)
    if status >= 500:
        log.warning("request_failed", path=request.url.path, status=status, reason=str(error))
    # RFC 9110, 11.6.1: whoever answers 401 says how to sign in.
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return answer(status, str(error), hint=error.hint, headers=headers)


async def _not_valid(_request: Request, error: Exception) -> JSONResponse:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    # Never the input itself: it may hold a token.
    errors = [
        {"where": ".".join(str(part) for part in item["loc"]), "why": str(item["msg"])}
        for item in found
    ]
    shown = "; ".join(f"{item['where']}: {item['why']}" for item in errors[:5])
    return answer(422, shown or "the request is not valid", errors=errors)


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        return answer(500, "the request failed")
    return answer(error.status_code, str(error.detail), headers=error.headers)


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    log.error("request_crashed", path=request.url.path, exc_info=error)
    return answer(
        500, "the coordinator failed to answer", hint="look for request_crashed in its log"
    )
