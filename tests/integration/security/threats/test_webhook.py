"""Alerts told to a real receiver, which checks what it is sent."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from common.errors import ConfigError
from coordinator.alert_settings import AlertSettings, WebhookSettings
from coordinator.config import CoordinatorConfig
from coordinator.database import Database
from coordinator.security.events import EventKind, SecurityEvents
from coordinator.security.threats.engine import ThreatDetectionEngine
from coordinator.security.threats.receiver import open_webhook
from coordinator.security.threats.webhook import (
    MOST_ATTEMPTS,
    SIGNATURE_HEADER,
    AlertWebhook,
    Receiver,
    pause_after,
)
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
SECRET = b"shared with the receiver"


class Chat:
    """Takes webhooks, or answers as it is told to."""

    def __init__(self) -> None:
        self.status = 200
        self.taken: list[tuple[Message, bytes]] = []
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if chat.status == 200:
                    chat.taken.append((self.headers, body))
                self.send_response(chat.status)
                if chat.status == 302:
                    self.send_header("Location", f"http://127.0.0.1:{chat.port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing is logged."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def chat() -> Iterator[Chat]:
    chat = Chat()
    yield chat
    chat.close()


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(NOON)


@pytest.fixture
def webhook(database: Database, chat: Chat, clock: StandingClock) -> AlertWebhook:
    """With one alert that is to be told."""
    events = SecurityEvents(database, tenant="city", clock=clock)
    events.record(EventKind.REFRESH_REUSED, subject="anna", address="192.0.2.1")
    events.write()
    ThreatDetectionEngine(database, tenant="city", clock=clock, is_told=True).look()
    receiver = Receiver(url=chat.url, secret=SECRET)
    return AlertWebhook(database, receiver, tenant="city", clock=clock)


def test_an_alert_is_told_once_and_signed(webhook: AlertWebhook, chat: Chat) -> None:
    assert (webhook.send_due(), webhook.send_due()) == (1, 0)

    ((headers, body),) = chat.taken
    moment, _, digest = headers[SIGNATURE_HEADER].partition(",")
    signed = moment.removeprefix("t=").encode() + b"." + body
    told = json.loads(body)
    assert digest == f"v1={hmac.new(SECRET, signed, hashlib.sha256).hexdigest()}"
    assert moment == f"t={int(NOON.timestamp())}"
    assert (told["occasion"], told["tenant"], told["alert"]["severity"]) == (
        "opened",
        "city",
        "high",
    )
    assert told["alert"]["evidence"]["addresses"] == ["192.0.2.1"]


def test_a_receiver_that_is_away_is_asked_again_later_and_later(
    webhook: AlertWebhook, chat: Chat, clock: StandingClock
) -> None:
    chat.status = 503
    assert webhook.send_due() == 0
    chat.status = 200

    assert webhook.send_due() == 0
    clock.move(9.9)
    assert webhook.send_due() == 0
    clock.move(0.2)
    assert webhook.send_due() == 1


def test_a_receiver_that_never_comes_back_is_given_up(
    webhook: AlertWebhook, chat: Chat, clock: StandingClock
) -> None:
    chat.status = 500
    for attempt in range(1, MOST_ATTEMPTS + 1):
        webhook.send_due()
        clock.move(pause_after(attempt).total_seconds() + 1)
    chat.status = 200

    assert webhook.send_due() == 0
    assert chat.taken == []


def test_nobody_but_the_receiver_is_told(webhook: AlertWebhook, chat: Chat) -> None:
    """A receiver that sends us on could send us anywhere, with what only it may read."""
    chat.status = 302

    assert webhook.send_due() == 0
    assert chat.taken == []


def test_pauses_double_up_to_two_hours() -> None:
    pauses = [pause_after(attempt) for attempt in (1, 2, 3, 11, 12)]

    assert pauses == [
        timedelta(seconds=10),
        timedelta(seconds=20),
        timedelta(seconds=40),
        timedelta(hours=2),
        timedelta(hours=2),
    ]


@pytest.mark.parametrize(
    "url",
    [
        "http://chat.example.org/hook",
        "ftp://127.0.0.1/hook",
        "file:///etc/passwd",
        "https://user:secret@chat.example.org/",
        "https:///hook",
        "//chat.example.org",
    ],
)
def test_an_address_that_others_could_read_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        WebhookSettings(url=url)


def test_a_secret_is_made_once_and_closed_to_others(
    tmp_path: Path, database: Database, clock: StandingClock
) -> None:
    alerts = AlertSettings(webhook=WebhookSettings(url="https://chat.example.org/hook"))
    settings = CoordinatorConfig(data_folder=tmp_path, alerts=alerts)

    assert open_webhook(settings, database, clock) is not None
    key = tmp_path / "keys" / "webhook.key"
    made = key.read_bytes()
    open_webhook(settings, database, clock)

    assert key.read_bytes() == made
    assert oct(key.stat().st_mode & 0o777) == "0o600"


@pytest.mark.parametrize(("content", "mode"), [(b"short", 0o600), (b"x" * 40, 0o644)])
def test_a_bad_secret_stops_the_start(
    tmp_path: Path, database: Database, clock: StandingClock, content: bytes, mode: int
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    file.chmod(mode)
    webhook = WebhookSettings(url="https://chat.example.org/hook", secret_file=file)
    settings = CoordinatorConfig(data_folder=tmp_path, alerts=AlertSettings(webhook=webhook))

    with pytest.raises(ConfigError, match="webhook secret"):
        open_webhook(settings, database, clock)
