"""The broker's traffic → which keys each box signs with and seals to, as anybody there can read."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from functools import partial
from types import TracebackType
from typing import Self

from common.encryption import parse_envelope
from common.topics import Way, every_device
from common.wire import Kind
from coordinator.broker.access import INGEST_NAMES
from coordinator.container import CoordinatorContainer, broker_login
from coordinator.ingest.broker_link import mqtt_links
from coordinator.ingest.verdicts import Received

_READY_S = 30.0


class Eavesdropper:
    """Listens beside the ingest, under a name of the coordinator that no worker uses."""

    def __init__(self, container: CoordinatorContainer) -> None:
        self.minutes: Counter[str] = Counter()
        self.signed_by: set[tuple[str, str]] = set()
        self.sealed_to: set[tuple[str, str]] = set()
        login = partial(
            broker_login, container.settings(), container.certificates(), INGEST_NAMES[-1]
        )
        self._links = mqtt_links(login, wanted=every_device(Way.UP))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_READY_S), "nothing to listen to"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_READY_S)

    def _hear(self, message: Received) -> None:
        header = parse_envelope(message.data).header
        self.minutes[header.device] += header.kind is Kind.BINS
        self.signed_by.add((header.device, header.signed_by))
        self.sealed_to.add((header.device, header.sealed_to))

    async def _listen(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._links(self._hear):
            self._ready.set()
            await self._stop.wait()
