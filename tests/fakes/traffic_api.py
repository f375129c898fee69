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


def bins_of(answer: Mapping[str, Any], place: int = 0) -> list[dict[str, Any]]:
    """What an answer about counts says of one series, bin by bin."""
    series = answer["series"][place]
    (watched,) = (one for one in answer["cameras"] if one["camera"] == series["camera"])
    bins = []
    for n, start in enumerate(answer["starts"]):
        counts = {name: numbers[n] for name, numbers in series["counts"].items()}
        bins.append(
            {
                "start": start,
                "state": series["state"][n],
                "counts": None if None in counts.values() else counts,
                "total": series["total"][n],
                "withheld_share": series["withheld_share"][n],
                **{name: watched[name][n] for name in ("coverage", "quality", "verdict")},
            }
        )
    return bins
