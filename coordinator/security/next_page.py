"""Where somebody wanted to go before signing in → a place of ours, or the first page."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request

from coordinator.security.authentication import ForgedRequestError

FIRST_PAGE = "/"
_MOST_CHARACTERS = 512
_OWN = frozenset({"same-origin", "none"})


def local_path(wanted: str) -> str:
    """The path, or the first page for whatever a browser could take for another place.

    Browsers read a doubled slash, a backslash and control characters in ways of their own.
    """
    is_plain = wanted.isprintable() and "\\" not in wanted and len(wanted) <= _MOST_CHARACTERS
    if not is_plain or not wanted.startswith("/") or wanted.startswith("//"):
        return FIRST_PAGE
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return FIRST_PAGE
    return FIRST_PAGE if parts.scheme or parts.netloc else wanted


def refuse_foreign_form(request: Request) -> None:
    """A form that nobody is signed in for has no CSRF token; where it came from is asked instead.

    Otherwise another site could sign its visitor in here as somebody else. Every browser sends
    one of the two headers; what sends neither is none, and holds nobody's cookies.

    Raises:
        ForgedRequestError: Sent by a page of another place.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None and site not in _OWN:
        raise ForgedRequestError
    if origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
        raise ForgedRequestError
