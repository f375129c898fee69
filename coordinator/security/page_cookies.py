"""A session ↔ the cookie that a browser holds it with."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

_NAME = "its_session"


class PageCookies:
    """Puts, reads and takes away the one cookie of the pages."""

    def __init__(self, *, is_secure: bool) -> None:
        """With TLS the prefix ``__Host-`` binds the cookie to this host and to TLS."""
        self._is_secure = is_secure
        self.name = f"__Host-{_NAME}" if is_secure else _NAME

    def read(self, request: Request) -> str | None:
        """What the browser sent."""
        return request.cookies.get(self.name)

    def put(self, response: Response, value: str) -> None:
        """Have the browser hold the session until it is closed; how long it counts we decide."""
        response.set_cookie(
            self.name, value, httponly=True, secure=self._is_secure, samesite="strict", path="/"
        )

    def remove(self, response: Response) -> None:
        """Have the browser forget it."""
        response.delete_cookie(
            self.name, httponly=True, secure=self._is_secure, samesite="strict", path="/"
        )
