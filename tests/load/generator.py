"""Enrolled boxes → all connected at once, one report a minute each, every answer waited for."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from common.encryption import VerifyingKey
from tests.load.device import Broker, Device, Tally
from tests.load.enrolling import EnrolledBox

_PING_EVERY_S = 25.0
_SWEEP_EVERY_S = 1.0
_AT_ONCE = 20
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorSettings:
    """How the load is made.

    Attributes:
        rounds: Reports of each device in the counted time; one before makes it known.
        every_s: Time between two reports of a device.
        connect_s: Connecting is spread over so long.
        at_once: Handshakes at a time.
        answers_within_s: How long answers are waited for after the last report.
    """

    rounds: int
    every_s: float = 60.0
    connect_s: float
    at_once: int = 32
    answers_within_s: float = 120.0


@dataclass(slots=True)
class Course:
    """What happened to the generator as a whole.

    Attributes:
        connected: Devices when the counted time began.
        refused: Devices that did not get in after several attempts.
        connected_after: Devices when the last answer was there.
        behind_most_s: How late the latest report was made.
    """

    connect_s: float = 0.0
    connected: int = 0
    refused: int = 0
    connected_after: int = 0
    reconnected: int = 0
    behind_most_s: float = 0.0
    reported_s: float = 0.0
    waited_for_answers_s: float = 0.0


class Generator:
    """One load generator on one event loop."""

    def __init__(
        self,
        boxes: Sequence[EnrolledBox],
        *,
        port: int,
        trust_file: Path,
        order_keys: Mapping[str, VerifyingKey],
        settings: GeneratorSettings,
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(trust_file)
        self.tally, self.course = Tally(), Course()
        broker = Broker("127.0.0.1", port, context, order_keys, self.tally)
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        self._first_minute = now - timedelta(minutes=settings.rounds + 1)
        self.devices = [Device(each.box, each.certificate_file, broker) for each in boxes]
        self._settings = settings

    async def run(
        self, *, on_connected: Callable[[], None], on_answered: Callable[[], None]
    ) -> None:
        """Connect all, report, wait for the last answers, leave.

        Args:
            on_connected: Called when the counted time begins.
            on_answered: Called when the last answer is there, everybody still connected.
        """
        async with asyncio.TaskGroup() as tasks:
            pinging = tasks.create_task(self._ping())
            await self._connect_all()
            on_connected()
            keeping = tasks.create_task(self._keep_connected())
            await self._report()
            await self._wait_for_answers()
            self.course.connected_after = self._connected
            on_answered()
            for task in (pinging, keeping):
                task.cancel()
        for device in self.devices:
            device.close()

    @property
    def _connected(self) -> int:
        return sum(device.is_connected for device in self.devices)

    async def _connect_all(self) -> None:
        began_s, waiting = perf_counter(), deque(enumerate(self.devices))
        pause_s = self._settings.connect_s / len(self.devices)

        async def connect() -> None:
            while waiting:
                number, device = waiting.popleft()
                await asyncio.sleep(max(0.0, began_s + number * pause_s - perf_counter()))
                for _ in range(_ATTEMPTS):
                    try:
                        await device.connect()
                        device.report(self._first_minute)
                        break
                    except OSError as error:
                        self.tally.reasons.add(f"connecting: {error}"[:120])
                else:
                    self.course.refused += 1

        await asyncio.gather(*(connect() for _ in range(self._settings.at_once)))
        self.course.connected = self._connected
        self.course.connect_s = round(perf_counter() - began_s, 2)

    async def _report(self) -> None:
        """Each device at its own moment of every round, all evenly spread."""
        began_s = perf_counter()
        rounds, between_s = self._settings.rounds, self._settings.every_s / len(self.devices)
        for number in range(rounds * len(self.devices)):
            due_s = began_s + number * between_s
            # Others get their turn now and then even when this one is behind.
            if due_s > perf_counter() or number % _AT_ONCE == 0:
                await asyncio.sleep(max(0.0, due_s - perf_counter()))
            self.course.behind_most_s = max(self.course.behind_most_s, perf_counter() - due_s)
            minute, device = divmod(number, len(self.devices))
            self.devices[device].report(self._first_minute + timedelta(minutes=minute + 1))
        self.course.behind_most_s = round(self.course.behind_most_s, 3)
        self.course.reported_s = round(perf_counter() - began_s, 2)

    async def _wait_for_answers(self) -> None:
        began_s = perf_counter()
        while any(device.unanswered for device in self.devices):
            if perf_counter() - began_s > self._settings.answers_within_s:
                break
            await asyncio.sleep(0.1)
        self.course.waited_for_answers_s = round(perf_counter() - began_s, 2)

    async def _keep_connected(self) -> None:
        """Devices that lost their broker come back; unanswered reports are sent again."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_EVERY_S)
            for device in self.devices:
                if device.is_connected:
                    device.send_due(loop.time())
                elif random.random() < 0.2:  # noqa: S311 - not all in one second
                    try:
                        await device.connect()
                        self.course.reconnected += 1
                    except OSError as error:
                        self.tally.reasons.add(f"reconnecting: {error}"[:120])

    async def _ping(self) -> None:
        """All in turn, as many at a time as are due: handshakes may hold up the loop."""
        began_s, pinged, devices = perf_counter(), 0, len(self.devices)
        while True:
            await asyncio.sleep(_PING_EVERY_S / min(devices, 500))
            due = int((perf_counter() - began_s) / _PING_EVERY_S * devices)
            for number in range(pinged, due):
                self.devices[number % devices].ping()
            pinged = due
