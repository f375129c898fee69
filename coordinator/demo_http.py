"""A question of a person or a program → the coordinator's answer, over the loopback address."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from common.errors import ConflictError, NotFoundError, TrustError, UnreachableError

_TIMEOUT_S = 30
_REFUSALS = {403: TrustError, 404: NotFoundError, 409: ConflictError}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An answer that points elsewhere is the answer."""

    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        """Stay."""


_OPENER = urllib.request.build_opener(_NoRedirects)


def ask(
    url: str,
    *,
    method: str = "GET",
    body: Mapping[str, Any] | None = None,
    bearer: str | None = None,
) -> Any:
    """What the API answers, as JSON.

    Raises:
        ConflictError: 409, with the coordinator's own words.
        NotFoundError: 404.
        TrustError: 403.
        UnreachableError: No answer, or any other fault.
    """
    headers = {"Accept": "application/json"}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    content = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        content = json.dumps(body).encode()
    return json.loads(_answer(url, method, headers, content) or b"null")


def send_form(url: str, fields: Mapping[str, str]) -> None:
    """Send a form as a browser does; where the answer points to is not followed.

    Raises:
        UnreachableError: The coordinator did not take it.
    """
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    _answer(url, "POST", headers, urlencode(fields).encode())


def _answer(url: str, method: str, headers: dict[str, str], content: bytes | None) -> bytes:
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        url, data=content, headers=headers, method=method
    )
    try:
        with _OPENER.open(request, timeout=_TIMEOUT_S) as answer:
            told: bytes = answer.read()
    except urllib.error.HTTPError as error:
        if 300 <= error.code < 400:
            return b""
        kind = _REFUSALS.get(error.code, UnreachableError)
        raise kind(_words(error)) from error
    except OSError as error:
        raise UnreachableError(f"{method} {url} was not answered: {error}") from error
    return told


def _words(error: urllib.error.HTTPError) -> str:
    """The problem body's own words, else the number."""
    try:
        told = json.loads(error.read())
        return str(told.get("detail") or told["title"])
    except (ValueError, KeyError, AttributeError, OSError):
        return f"answered with {error.code}"
