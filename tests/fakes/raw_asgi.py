"""One request → status, headers and body of an application, without a client in between.

Thousands of requests of a table are asked this way; a client would take longer than the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def asked(
    app: Any,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Answer:
    """Ask as 127.0.0.1; what crashes inside is raised here."""
    told = {"host": "127.0.0.1", **{name.lower(): v for name, v in (headers or {}).items()}}
    path, _, query = path.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
        "method": method, "path": path, "raw_path": path.encode(), "root_path": "",
        "scheme": "http", "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in told.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    began: dict[str, Any] = {}
    parts: list[bytes] = []
    is_sent = False

    async def receive() -> dict[str, Any]:
        nonlocal is_sent
        if is_sent:
            return {"type": "http.disconnect"}
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            began.update(message)
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    found = {name.decode().lower(): value.decode() for name, value in began["headers"]}
    return Answer(began["status"], found, b"".join(parts))
