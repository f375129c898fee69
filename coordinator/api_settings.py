"""Sections ``api`` and ``sign_in`` → where people reach the coordinator, and how long they stay."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from pydantic import Field

from common.errors import ConfigError
from coordinator.setting_types import Host, Names, Port, SettingsModel

_HTTPS_PORT = 443


class TlsSettings(SettingsModel):
    """A certificate that browsers believe, with its chain, and its key (mode 0600)."""

    certificate_file: Path
    key_file: Path


class ApiSettings(SettingsModel):
    """Pages and API: on this machine alone, or by TLS, or behind a proxy that speaks it."""

    host: Host = "127.0.0.1"
    port: Port = 8000
    names: Names = Field(
        default=("127.0.0.1", "localhost"),
        description="What browsers may call it; the first stands in links",
    )
    tls: TlsSettings | None = Field(default=None, description="None: plain HTTP")
    behind_proxy: bool = Field(
        default=False,
        description="A proxy speaks TLS before it; its X-Forwarded-For is believed from loopback",
    )

    @property
    def is_secure(self) -> bool:
        """True where browsers reach it by TLS."""
        return self.tls is not None or self.behind_proxy

    @property
    def url(self) -> str:
        """What links begin with."""
        name = f"[{self.names[0]}]" if ":" in self.names[0] else self.names[0]
        if self.behind_proxy:
            return f"https://{name}"
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{name}" + ("" if self.port == _HTTPS_PORT else f":{self.port}")

    @property
    def hosts(self) -> frozenset[str]:
        """Names that requests may be for, as browsers write them."""
        ours = {"localhost", "127.0.0.1", "::1", self.host, *self.names}
        return frozenset(f"[{name}]" if ":" in name else name.lower() for name in ours)

    def beside(self, folder: Path) -> ApiSettings:
        """The same with files that start at ``folder``."""
        if self.tls is None:
            return self
        moved = TlsSettings(
            certificate_file=folder / self.tls.certificate_file,
            key_file=folder / self.tls.key_file,
        )
        return self.model_copy(update={"tls": moved})


class SignInSettings(SettingsModel):
    """How long somebody stays signed in."""

    session_hours: float = Field(default=12, gt=0, le=720, description="However busy")
    idle_minutes: float = Field(default=60, gt=0, le=43_200, description="Without a request")


def refuse_open_api(api: ApiSettings) -> None:
    """Passwords never cross a network in the clear.

    Raises:
        ConfigError: The API would listen beyond this machine without TLS.
    """
    if is_loopback(api.host) or api.is_secure:
        return
    raise ConfigError(
        f"api.host is {api.host!r} and nothing encrypts what is sent to it, expected a loopback "
        "address such as 127.0.0.1, a certificate, or a proxy that has one",
        hint="name api.tls.certificate_file and key_file, or set api.behind_proxy: true "
        "when a proxy before it speaks TLS",
    )


def is_loopback(host: str) -> bool:
    """True for addresses that only this machine can reach."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
