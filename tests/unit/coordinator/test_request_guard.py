import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from coordinator.metrics import Metrics
from coordinator.request_guard import RequestGuard

pytestmark = pytest.mark.unit


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def asked(
    headers: Sequence[tuple[bytes, bytes]], pieces: Sequence[bytes] = (b"",)
) -> tuple[int, bytes]:
    guard = RequestGuard(echo, metrics=Metrics(), hosts={"127.0.0.1", "[::1]"}, most_body_bytes=10)
    waiting = list(pieces)
    sent: list[Message] = []

    async def receive() -> Message:
        piece = waiting.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": "POST", "headers": list(headers)}
    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"127.0.0.1:8000", 200),
        (b"[::1]:8000", 200),
        (b"evil.example", 400),
        (b"127.0.0.1.evil.example", 400),
        (b"", 400),
    ],
)
def test_requests_under_a_foreign_name_are_refused(host: bytes, status: int) -> None:
    assert asked([(b"host", host)])[0] == status


@pytest.mark.parametrize(
    ("announced", "pieces", "status"),
    [
        pytest.param(b"10", [b"0123456789"], 200, id="just fits"),
        pytest.param(b"11", [b"0123456789a"], 413, id="announced too big"),
        pytest.param(b"1", [b"012345", b"6789a"], 413, id="grows too big"),
        pytest.param(b"ten", [b""], 413, id="announces nonsense"),
    ],
)
def test_big_bodies_are_refused(announced: bytes, pieces: list[bytes], status: int) -> None:
    headers = [(b"host", b"127.0.0.1"), (b"content-length", announced)]

    found, body = asked(headers, pieces)

    assert found == status
    assert status == 200 or json.loads(body)["status"] == status
