"""A real database and somebody who is signed in → the real application, and ways to ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from dependency_injector import providers
from fastapi import FastAPI

from common.security import Role, SecurityContext
from common.timing import Clock
from coordinator.app import create_app
from coordinator.config import CoordinatorConfig, TenantSettings
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.database import Database
from coordinator.http_server import HttpAddress, HttpServer
from coordinator.security.access import RoleBasedAccessControl, access_of
from tests.fakes.lets_in import KeptEvents, Standing, somebody

CSRF = "token-of-a-test"


class WritesTokens:
    """Stands where the authenticator makes the token of forms."""

    def csrf_token(self, _context: SecurityContext) -> str:
        return CSRF


def dashboard_app(
    database: Database,
    clock: Clock,
    *,
    tenant: str,
    data_folder: Path,
    roles: Collection[Role] | None = (Role.ADMIN,),
) -> FastAPI:
    """Pages and API; with ``roles`` None nobody is signed in."""
    settings = CoordinatorConfig(data_folder=data_folder, tenant=TenantSettings(id=tenant))
    container = coordinator_container(settings)
    container.database.override(providers.Object(database))
    container.clock.override(providers.Object(clock))
    return pages_over(container, roles=roles)


def pages_over(
    container: CoordinatorContainer,
    *,
    roles: Collection[Role] | None,
    name: str = "Vera Brandt",
) -> FastAPI:
    """The same over a coordinator that exists already."""
    tenant = container.settings().tenant.id
    container.authenticator.override(providers.Object(WritesTokens()))
    app = create_app(container)
    who = None if roles is None else somebody(*roles, name=name, tenant=tenant)
    access = RoleBasedAccessControl(Standing(who), tenant=tenant, events=KeptEvents())
    app.dependency_overrides[access_of] = lambda: access
    return app


class PageClient:
    """Asks as a browser would, without a socket; what crashes inside is raised here."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.send("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.send("POST", path, **more)

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Accept": "text/html", **more.pop("headers", {})}

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1"
            ) as client:
                return await client.request(method, path, headers=headers, **more)

        return asyncio.run(asked())


@contextmanager
def served(app: FastAPI, port: int) -> Iterator[str]:
    """The application behind a real socket of this machine; its address."""
    server = HttpServer(app, HttpAddress(name="dashboard", host="127.0.0.1", port=port))
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
