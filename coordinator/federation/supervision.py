"""Processes that must run → started, started again after a pause, and ended together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from common.timing import Clock
from coordinator.federation.processes import LastingProcess, ProcessOrder

log = structlog.get_logger(__name__)

_MOST_PAUSE_S = 60.0
_STEADY_S = 60.0


@dataclass(slots=True)
class Supervised:
    """One process, and when it may be started again.

    Attributes:
        order: What to run; asked before each start, because certificates change.
    """

    order: Callable[[], ProcessOrder]
    clock: Clock
    process: LastingProcess | None = None
    failures: int = 0
    started_s: float = 0.0

    @property
    def is_alive(self) -> bool:
        """True while it runs."""
        return self.process is not None and self.process.is_alive

    def look(self, *, may_restart: bool) -> bool:
        """Start it when it is not there, or when it should be another.

        Args:
            may_restart: False while a restart for another certificate would disturb a run.

        Returns:
            True when it was started now.

        Raises:
            ItsError: It cannot be started.
        """
        order = self.order()
        process = self.process = self.process or LastingProcess(order)
        if process.is_alive and (self._is_as(process, order) or not may_restart):
            return False
        if process.is_alive:
            log.info("process_changes", name=order.name)
            process.stop()
        elif self.started_s and not self._may_start(order.name):
            return False
        process.order = order
        process.start()
        self.started_s = self.clock.monotonic_s()
        return True

    def stop(self) -> None:
        """End it, whoever started it; safe to call twice."""
        process = self.process or LastingProcess(self.order())
        process.stop()

    def _is_as(self, process: LastingProcess, order: ProcessOrder) -> bool:
        process.order = order
        return process.is_as_ordered

    def _may_start(self, name: str) -> bool:
        """After a pause that doubles with each failure; a minute of life forgives them all."""
        now_s = self.clock.monotonic_s()
        pause_s = min(_MOST_PAUSE_S, 2.0**self.failures)
        if now_s - self.started_s < pause_s:
            return False
        has_lived = now_s - self.started_s > _STEADY_S + pause_s
        self.failures = 1 if has_lived else self.failures + 1
        log.warning("process_ended", name=name, failures=self.failures)
        return True


@dataclass(slots=True)
class Supervision:
    """Processes in the order in which they are started."""

    processes: Sequence[Supervised] = field(default_factory=tuple)

    def look(self, *, may_restart: bool = True) -> list[str]:
        """Start what is missing; gives the names of what was started now.

        Raises:
            ItsError: One cannot be started.
        """
        return [each.order().name for each in self.processes if each.look(may_restart=may_restart)]

    def missing(self) -> list[str]:
        """Names of what does not run."""
        return [each.order().name for each in self.processes if not each.is_alive]

    def stop(self) -> None:
        """End all, the last one first."""
        for each in reversed(self.processes):
            each.stop()
