"""Outbox, twin, cameras and release → the health report, and the moment in which it is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from common.messages import CameraState, HealthReport, LearningState
from common.release_state import ReleaseState
from common.timing import Clock
from common.wire import ClockState
from edge.deliver.outbox_rows import OutboxStatus
from edge.deliver.twin import TwinState

_MOST_COUNT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxFacts:
    """What a health report tells beside the deliveries.

    Attributes:
        cameras: Asked for the states of the cameras.
        disk_free_bytes: Asked for what the data folder's disk has left.
        temperature_c: Asked for the hottest part of the box, None where no sensor tells.
        learning: Asked for what the box could train with, None where it does not learn.
        release: Asked for what became of the wished release, None where none is taken.
    """

    software: str
    model: str
    cameras: Callable[[], tuple[CameraState, ...]]
    disk_free_bytes: Callable[[], int]
    temperature_c: Callable[[], float | None] = lambda: None
    learning: Callable[[], LearningState | None] = lambda: None
    release: Callable[[], ReleaseState | None] = lambda: None


class TwinWord(Protocol):
    """What is told of the desired configuration."""

    @property
    def version(self) -> int:
        """In effect, 0 for none."""
        ...

    @property
    def state(self) -> TwinState:
        """What became of the last one."""
        ...

    @property
    def seen(self) -> int:
        """The last one that was judged, 0 for none."""
        ...

    @property
    def reason(self) -> str | None:
        """Why it was refused or rolled back."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """What the sender knows when it tells."""

    status: OutboxStatus
    egress_head: str
    certificate_expires_at: datetime | None
    clock: ClockState


class HealthTeller:
    """Makes health reports, regularly and as soon as a wish was decided."""

    def __init__(self, facts: BoxFacts, twin: TwinWord, *, clock: Clock, every_s: float) -> None:
        self._facts = facts
        self._twin = twin
        self._clock = clock
        self._every_s = every_s
        self._started_s = clock.monotonic_s()
        self._due_s = self._started_s
        self._told: tuple[object, ...] = ()

    def is_due(self) -> bool:
        """True after a while, and at once when somebody waits for what there is to tell."""
        return self._clock.monotonic_s() >= self._due_s or self._told != self._decided()

    def report(self, deliveries: Deliveries) -> HealthReport:
        """How the box is doing; the next one is due after a while."""
        facts, twin, now_s = self._facts, self._twin, self._clock.monotonic_s()
        self._due_s, self._told = now_s + self._every_s, self._decided()
        status = deliveries.status
        return HealthReport(
            at=self._clock.now(),
            software=facts.software,
            model=facts.model,
            clock=deliveries.clock,
            uptime_s=max(0.0, now_s - self._started_s),
            outbox_reports=min(_MOST_COUNT, status.reports + status.bins),
            outbox_bytes=status.used_bytes,
            disk_free_bytes=facts.disk_free_bytes(),
            temperature_c=facts.temperature_c(),
            certificate_expires_at=deliveries.certificate_expires_at,
            egress_head=deliveries.egress_head,
            twin_version=twin.version,
            twin_state=twin.state,
            twin_seen=twin.seen,
            twin_reason=twin.reason,
            cameras=facts.cameras(),
            learning=facts.learning(),
            release=facts.release(),
        )

    def _decided(self) -> tuple[object, ...]:
        release = self._facts.release()
        step = (release.wanted_version, release.step) if release is not None else ()
        return self._twin.version, self._twin.state, self._twin.seen, *step
