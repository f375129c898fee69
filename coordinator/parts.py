"""Parts of one process → started in order, watched, and stopped in the opposite order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import structlog

from common.errors import ItsError, UnreachableError
from common.service_manager import ALIVE, READY, STOPPING, notify
from coordinator.metrics import Metrics

log = structlog.get_logger(__name__)

_WATCH_S = 1.0
_STOP_S = 10.0


class Part(Protocol):
    """Something with a thread of its own."""

    @property
    def is_alive(self) -> bool:
        """True while it does its work."""
        ...

    def start(self) -> None:
        """Begin; returns when it works.

        Raises:
            ItsError: It cannot.
        """
        ...

    def stop(self) -> None:
        """End gracefully, within seconds; safe to call twice."""
        ...


class Parts:
    """Everything that runs in this process, by name."""

    def __init__(self) -> None:
        self._parts: dict[str, Part] = {}
        self._conditions: dict[str, Callable[[], str]] = {}
        self._started: list[str] = []

    def add(self, name: str, part: Part, *, condition: Callable[[], str] | None = None) -> None:
        """Run this too, after those that were added before.

        Args:
            name: What people call it.
            part: What to run.
            condition: Says ``ok``, or why a part that lives cannot do its work now.
        """
        self._parts[name] = part
        if condition is not None:
            self._conditions[name] = condition

    def states(self) -> dict[str, str]:
        """Name → ``ok`` or ``stopped``."""
        return {name: "ok" if p.is_alive else "stopped" for name, p in self._parts.items()}

    def conditions(self) -> dict[str, str]:
        """Name → ``ok``, ``stopped``, or why it cannot do its work now."""
        states = self.states()
        return states | {
            name: condition()
            for name, condition in self._conditions.items()
            if states[name] == "ok"
        }

    def run(self, stop: threading.Event) -> None:
        """Start all, wait for ``stop``, stop all.

        Raises:
            UnreachableError: A part ended by itself; a supervisor should start us again.
            ItsError: A part could not start.
        """
        try:
            for name, part in self._parts.items():
                self._started.append(name)
                part.start()
            log.info("coordinator_started", parts=list(self._parts))
            notify(READY)
            while not stop.wait(_WATCH_S):
                ended = [name for name, state in self.states().items() if state != "ok"]
                if ended:
                    raise UnreachableError(
                        f"{', '.join(ended)} ended unexpectedly",
                        hint="look at the log before this line; a supervisor starts us again",
                    )
                notify(ALIVE)
        finally:
            notify(STOPPING)
            for name in reversed(self._started):
                self._parts[name].stop()
                log.info("part_stopped", part=name)


class Loop:
    """One action again and again in a thread; our own faults are logged and tried again."""

    def __init__(
        self, name: str, action: Callable[[], object], *, every_s: float, metrics: Metrics
    ) -> None:
        self._name = name
        self._action = action
        self._every_s = every_s
        self._metrics = metrics
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_alive(self) -> bool:
        """False after a fault that is not ours to explain."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin with the first round."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the round end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        is_failing = False
        while True:
            try:
                self._action()
                is_failing = False
            except ItsError as error:
                self._metrics.loop_failures.labels(self._name).inc()
                # Once, not every two seconds of a night without a database.
                if not is_failing:
                    log.warning("loop_failed", loop=self._name, reason=str(error), hint=error.hint)
                is_failing = True
            if self._stop.wait(self._every_s):
                return
