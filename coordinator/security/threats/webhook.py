"""Alerts that wait → signed JSON at an address of the city's choice.

The receiver computes HMAC-SHA256 with the shared secret over the time, a full stop and the
body, compares it with ``v1`` of the header, and refuses times that are minutes old.
"""

from __future__ import annotations

import hmac
import http.client
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from common.errors import UnreachableError
from common.timing import Clock
from coordinator.database import Database
from coordinator.security.threats.alerts import Alert
from coordinator.security.threats.alerts_store import AlertStore
from coordinator.security.threats.deliveries_store import Delivery, DeliveryStore

log = structlog.get_logger(__name__)

SIGNATURE_HEADER = "X-ITS-Signature"
MOST_ATTEMPTS = 12
"""With the pauses below: the receiver may be away for about ten hours."""

_FIRST_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(hours=2)
_TIMEOUT_S = 5.0
_LEASE = timedelta(seconds=60)
_MOST_AT_ONCE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Who is told, and the secret that we share."""

    url: str
    secret: bytes


class AlertWebhook:
    """Tells of alerts, each until it is taken or given up."""

    def __init__(
        self, database: Database, receiver: Receiver, *, tenant: str, clock: Clock
    ) -> None:
        """Prepare; nothing is sent yet."""
        self._database = database
        self._receiver = receiver
        self._tenant = tenant
        self._clock = clock

    def send_due(self) -> int:
        """Send what is due, a few at once; returns how many were taken.

        Raises:
            UnreachableError: The database is away; a receiver that is away is tried again.
        """
        taken = 0
        for _ in range(_MOST_AT_ONCE):
            claimed = self._claim()
            if claimed is None:
                break
            taken += self._send(*claimed)
        return taken

    def _claim(self) -> tuple[Delivery, Alert] | None:
        now = self._clock.now()
        with self._database.session() as session:
            session.connection(execution_options={"its_read_only": True})
            due = DeliveryStore(session, self._tenant).due(now)
        if due is None:
            return None
        with self._database.session() as session:
            delivery = DeliveryStore(session, self._tenant).claim(due, now=now, lease=_LEASE)
            if delivery is None:
                return None
            return delivery, AlertStore(session, self._tenant).alert(delivery.alert)

    def _send(self, delivery: Delivery, alert: Alert) -> bool:
        """Nothing of the database is held meanwhile."""
        now = self._clock.now()
        body = body_of(delivery, alert, tenant=self._tenant)
        headers = {
            "Content-Type": "application/json",
            SIGNATURE_HEADER: signature(self._receiver.secret, body, at=now),
        }
        try:
            post(self._receiver.url, body, headers)
        except UnreachableError as error:
            self._put_off(delivery, str(error))
            return False
        with self._database.session() as session:
            DeliveryStore(session, self._tenant).done(delivery.id)
        log.info("alert_told", alert=alert.id, occasion=delivery.occasion.value)
        return True

    def _put_off(self, delivery: Delivery, reason: str) -> None:
        is_over = delivery.attempts >= MOST_ATTEMPTS
        with self._database.session() as session:
            store = DeliveryStore(session, self._tenant)
            if is_over:
                store.done(delivery.id)
            else:
                store.later(delivery.id, self._clock.now() + pause_after(delivery.attempts))
        event = "alert_given_up" if is_over else "alert_not_told"
        log.warning(event, alert=delivery.alert, attempts=delivery.attempts, reason=reason)


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts: each time twice as long."""
    return min(_FIRST_PAUSE * 2.0 ** (attempts - 1), _LONGEST_PAUSE)


def body_of(delivery: Delivery, alert: Alert, *, tenant: str) -> bytes:
    """What is told of an alert."""
    told: dict[str, Any] = {
        "version": 1,
        "delivery": delivery.id,
        "occasion": delivery.occasion.value,
        "tenant": tenant,
        "alert": {
            "id": alert.id,
            "kind": alert.kind.value,
            "subject": alert.subject,
            "severity": delivery.severity.value,
            "state": alert.state.value,
            "summary": alert.summary,
            "evidence": dict(alert.evidence),
            "first_at": alert.first_at.isoformat(),
            "last_at": alert.last_at.isoformat(),
        },
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def signature(secret: bytes, body: bytes, *, at: datetime) -> str:
    """Value of the header ``X-ITS-Signature``: the time in seconds, and the HMAC over both."""
    moment = int(at.timestamp())
    digest = hmac.digest(secret, f"{moment}.".encode() + body, "sha256").hex()
    return f"t={moment},v1={digest}"


def post(url: str, body: bytes, headers: dict[str, str]) -> None:
    """Send one body; no redirect is followed, no proxy asked, no answer read.

    Raises:
        UnreachableError: It was not taken, with any status of 200 to 299.
    """
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        _NoRedirect(),
    )
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - https or loopback, see WebhookSettings
    try:
        with opener.open(request, timeout=_TIMEOUT_S):
            return
    except urllib.error.HTTPError as error:
        raise UnreachableError(f"the webhook answered {error.code}, expected 200") from error
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"the webhook is away: {type(error).__name__}") from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The receiver is who the configuration names, and nobody that they name."""

    def redirect_request(self, *_: Any) -> None:
        return None
