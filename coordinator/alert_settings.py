"""The alerts section of the configuration → where alerts are told beyond the dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from coordinator.api_settings import is_loopback
from coordinator.setting_types import SettingsModel

_MOST_CHARACTERS = 2048


class WebhookSettings(SettingsModel):
    """An address that is sent each new alert as signed JSON."""

    url: str = Field(
        max_length=_MOST_CHARACTERS, description="https://…, or http:// to this machine alone"
    )
    secret_file: Path | None = Field(
        default=None,
        description="Shared with the receiver, 0600; default keys/webhook.key, made when missing",
    )

    @model_validator(mode="after")
    def _is_closed_to_others(self) -> Self:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if parts.username is not None or parts.password is not None:
            raise ValueError("the url has a password in it, expected the secret in secret_file")
        if parts.scheme == "https" and host:
            return self
        if parts.scheme == "http" and is_loopback(host):
            return self
        raise ValueError(f"url {parts.scheme}://{host}, expected https, or http to 127.0.0.1")


class AlertSettings(SettingsModel):
    """Who hears of alerts."""

    webhook: WebhookSettings | None = None

    @property
    def is_told(self) -> bool:
        """Whether anybody hears of them beyond the dashboard."""
        return self.webhook is not None

    def beside(self, folder: Path) -> AlertSettings:
        """With relative paths starting at ``folder``."""
        if self.webhook is None or self.webhook.secret_file is None:
            return self
        secret_file = folder / self.webhook.secret_file
        return self.model_copy(
            update={"webhook": self.webhook.model_copy(update={"secret_file": secret_file})}
        )
