"""A coordinator with people, an attacker's tools, and whoever watches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from dependency_injector import providers
from fastapi import FastAPI
from pwdlib.hashers.argon2 import Argon2Hasher

from coordinator.app import create_app
from coordinator.config import CoordinatorConfig, TenantSettings
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.security.passwords import Passwords
from coordinator.security.threats.alerts import AlertFilter
from coordinator.setting_up import set_up
from tests.fakes.asgi_client import ask
from tests.fakes.clocks import StandingClock

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
SESSION = "/api/v1/session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is attacked."""

    container: CoordinatorContainer
    app: FastAPI
    clock: StandingClock
    folder: Path

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return ask(self.app, method, path, **more)

    def sign_in(self, name: str, password: str) -> httpx.Response:
        return self.ask("POST", SESSION, json={"name": name, "password": password})

    def alerts(self) -> dict[str, str]:
        """Kind → severity of what the watch makes of it."""
        self.container.security_events().write()
        self.container.threats().look()
        return {
            alert.kind.value: alert.severity.value
            for alert in self.container.alerts().list(AlertFilter())
        }


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def town(tenant: str, folder: Path, clock: StandingClock) -> CoordinatorContainer:
    """A coordinator of one tenant; several may share a folder."""
    settings = CoordinatorConfig(data_folder=folder, tenant=TenantSettings(id=tenant))
    container = coordinator_container(settings)
    container.clock.override(providers.Object(clock))
    # The same algorithm, a thousandth of the work.
    quick = Passwords(Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1))
    container.people.passwords.override(providers.Object(quick))
    set_up(container)
    return container


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    clock = StandingClock(NOON)
    container = town("city", tmp_path / "data", clock)
    yield Target(
        container=container, app=create_app(container), clock=clock, folder=tmp_path / "data"
    )
    container.database().close()
