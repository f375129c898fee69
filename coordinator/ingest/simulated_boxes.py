"""A number → a box that seals and signs reports of invented traffic, for benchmarks and tests.

Its reports pass the same checks as real ones; nothing here is used to take reports in.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from common.encryption import EncryptionManager, SealingKey, SigningKey, UnsealedHeader
from common.geometry import Direction
from common.messages import BinReport, CameraBin, SectionCounts, UpMessage
from common.topics import Topic, Way
from common.wire import ClockState
from coordinator.ingest.devices import DeviceIdentity
from coordinator.ingest.verdicts import Received

LINES = ("north", "east", "south")


class SimulatedBox:
    """One box with one camera; its numbers are the same every time."""

    def __init__(self, number: int, *, tenant: str, site_id: int, sealing: SealingKey) -> None:
        """Make the box's keys."""
        self.device = f"box-{number:05d}"
        self.camera = "cam-1"
        self.signing = SigningKey.generate()
        self.identity = DeviceIdentity(
            device=self.device, tenant=tenant, site_id=site_id, key=self.signing.public
        )
        self._manager = EncryptionManager(signing=self.signing, sealing=sealing)
        self._random = random.Random(number)  # noqa: S311 - invented traffic  # nosec B311

    def seal(
        self, message: UpMessage, *, sequence: int, created_at: datetime, epoch: int = 1
    ) -> Received:
        """A message as the broker would deliver it."""
        header = UnsealedHeader(
            device=self.device,
            kind=message.kind,
            epoch=epoch,
            sequence=sequence,
            created_at=created_at,
            clock=ClockState.TRUSTED,
        )
        topic = str(Topic(self.device, Way.UP, message.kind))
        return Received(
            topic=topic, data=self._manager.seal(header, message.model_dump_json().encode())
        )

    def minute(self, start: datetime, **changes: object) -> CameraBin:
        """One minute of three lines in both directions: 36 counts, and how well it watched."""
        values: dict[str, object] = {
            "camera": self.camera,
            "start": start,
            "coverage_s": 60.0,
            "frames_seen": 900,
            "frames_dropped": self._random.randrange(3),
            "brightness": 120.5,
            "unassigned_share": 0.02,
            "quality": "good",
            "sections": tuple(
                self._section(line, direction) for line in LINES for direction in Direction
            ),
        }
        return CameraBin.model_validate(values | changes)

    def minutes(self, first: datetime, number: int) -> list[BinReport]:
        """One report a minute from ``first`` on."""
        return [BinReport(bins=(self.minute(first + timedelta(minutes=n)),)) for n in range(number)]

    def _section(self, line: str, direction: Direction) -> SectionCounts:
        counts = tuple(self._random.randrange(limit) for limit in (9, 5, 20, 3, 2, 4))
        return SectionCounts(section=line, direction=direction, counts=counts)
