"""An application in this process → answers, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
from fastapi import FastAPI


class AsgiClient:
    """Sends one request at a time; what crashes in the application is raised here."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def get(self, path: str, *, params: Mapping[str, Any] | None = None) -> httpx.Response:
        return asyncio.run(self._send("GET", path, params=params))

    def post(self, path: str, *, json: Any = None) -> httpx.Response:
        return asyncio.run(self._send("POST", path, json=json))

    async def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **more)
