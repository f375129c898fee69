"""Every HTTP request → refused when it is too big or meant for another host, and counted.

The host is compared because browsers can be led to a loopback address under a foreign name
(DNS rebinding), and the API does not ask who is there.
"""

from __future__ import annotations

from collections.abc import Collection
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordinator.metrics import Metrics
from coordinator.problems import answer
from coordinator.security.actors import Actor, ActorKind, acting_as

MOST_BODY_BYTES = 1_048_576


class RequestGuard:
    """ASGI middleware around the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        hosts: Collection[str] | None,
        most_body_bytes: int = MOST_BODY_BYTES,
    ) -> None:
        """Guard ``app``.

        Args:
            app: What answers.
            metrics: Where requests are counted.
            hosts: Names that requests may be for; None for any.
            most_body_bytes: Larger bodies are refused, announced or not.
        """
        self._app = app
        self._metrics = metrics
        self._hosts = frozenset(hosts) if hosts is not None else None
        self._most = most_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = perf_counter()
        status = 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            headers: dict[bytes, bytes] = dict(scope["headers"])
            refusal = self._refusal(headers)
            if refusal is not None:
                await refusal(scope, receive, counted)
            else:
                with acting_as(_asker(scope)):
                    await self._limited(scope, receive, counted)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            self._metrics.requests.labels(scope["method"], route, status).inc()
            self._metrics.request_seconds.labels(route).observe(perf_counter() - started_s)

    def _refusal(self, headers: dict[bytes, bytes]) -> Any:
        host = headers.get(b"host", b"").decode("latin-1")
        if self._hosts is not None and _name_of(host) not in self._hosts:
            return answer(400, f"host {host[:64]!r}, expected one of {sorted(self._hosts)}")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._most:
            return _too_big(self._most)
        return None

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a body that was not announced and grows too big."""
        read_bytes = 0
        has_begun = False

        async def counted_receive() -> Message:
            nonlocal read_bytes
            message = await receive()
            read_bytes += len(message.get("body", b""))
            if read_bytes > self._most:
                raise _TooBigError
            return message

        async def watched_send(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, counted_receive, watched_send)
        except _TooBigError:
            if not has_begun:
                await _too_big(self._most)(scope, receive, send)


class _TooBigError(Exception):
    """Leaves the application from inside its reading of the body."""


def _asker(scope: Scope) -> Actor:
    """Until people sign in, where a request comes from is all that is known of them."""
    client = scope.get("client")
    return Actor(kind=ActorKind.ADDRESS, name=client[0] if client else "unknown")


def _too_big(most: int) -> Any:
    return answer(413, f"the request is too large, expected at most {most} bytes")


def _name_of(host: str) -> str:
    """The host without its port; an IPv6 address keeps its brackets."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
