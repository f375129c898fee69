"""The alerts section of the configuration → who is told of alerts, with the shared secret."""

from __future__ import annotations

import secrets
from pathlib import Path

from common.errors import ConfigError
from common.private_files import create_private, make_private_folder, read_private
from common.timing import Clock
from coordinator.config import CoordinatorConfig
from coordinator.database import Database
from coordinator.security.threats.webhook import AlertWebhook, Receiver

KEY_NAME = "webhook.key"

_SECRET_BYTES = 32
_LEAST_SECRET_BYTES = 16


def open_webhook(
    settings: CoordinatorConfig, database: Database, clock: Clock
) -> AlertWebhook | None:
    """Who is told; None where the configuration names nobody.

    Raises:
        ConfigError: The secret cannot be used.
    """
    webhook = settings.alerts.webhook
    if webhook is None:
        return None
    own = settings.keys_folder / KEY_NAME
    if webhook.secret_file is None and not own.exists():
        make_private_folder(own.parent)
        create_private(own, secrets.token_urlsafe(_SECRET_BYTES).encode() + b"\n")
    receiver = Receiver(url=webhook.url, secret=_secret(webhook.secret_file or own))
    return AlertWebhook(database, receiver, tenant=settings.tenant.id, clock=clock)


def _secret(path: Path) -> bytes:
    secret = read_private(path, what="webhook secret").strip()
    if len(secret) < _LEAST_SECRET_BYTES:
        raise ConfigError(
            f"webhook secret {path} has {len(secret)} bytes, "
            f"expected at least {_LEAST_SECRET_BYTES}",
            hint="make one with: openssl rand -base64 32",
        )
    return secret
