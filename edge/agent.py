"""Cameras of one box → threads that are watched, restarted and stopped with nothing lost.

The only place that catches everything: whatever ends one camera's thread is logged with
its traceback, the thread begins again, and the other cameras do not notice.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from common.errors import ItsError
from common.service_manager import ALIVE, READY, STOPPING, notify, watchdog_s
from common.timing import Clock
from edge.capture.reconnecting import BackOff
from edge.health import CameraHealth, CameraState
from edge.worker import CameraWorker

WriteHealth = Callable[[Sequence[CameraHealth]], None]

_LONGEST_TICK_S = 0.5
_Threads = Sequence[threading.Thread]

log = structlog.get_logger(__name__)


class Service(Protocol):
    """Something that runs beside the cameras and is not missed by them, such as the sender."""

    @property
    def name(self) -> str:
        """For the log and the thread."""
        ...

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; what it raises is logged, and it begins again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """How the agent watches over its cameras.

    Attributes:
        health_every_s: Time between two health reports.
        no_progress_s: A camera's thread that did nothing for so long is stuck.
        stop_within_s: Longest wait for the threads when stopping; a camera that is silent
            holds its reader for up to 10 s.
        back_off: How restarts of a camera's thread are spaced.
    """

    health_every_s: float = 10.0
    no_progress_s: float = 60.0
    stop_within_s: float = 30.0
    back_off: BackOff = field(default_factory=BackOff)


class Agent:
    """Runs until ``stop`` is set or every camera was a recording that ended."""

    def __init__(
        self,
        workers: Sequence[CameraWorker],
        *,
        write_health: WriteHealth,
        stop: threading.Event,
        clock: Clock,
        settings: AgentSettings | None = None,
    ) -> None:
        """Prepare; nothing runs yet.

        Args:
            workers: One per camera.
            write_health: Called from this object's own loop, never from a camera's thread.
            stop: Ends everything when set; the pipelines watch it too.
            clock: Tells how long threads have been idle.
            settings: How the agent watches over its cameras.
        """
        self._workers = tuple(workers)
        self._write_health = write_health
        self._stop = stop
        self._clock = clock
        self._settings = settings or AgentSettings()
        self._chance = random.Random()  # noqa: S311 - jitter, not a secret  # nosec B311
        self._states: dict[str, CameraState] = {}
        self._health_failed = False
        self._services: tuple[Service, ...] = ()
        # Later than the cameras' own, so that their last bins still leave.
        self._stop_services = threading.Event()

    def accompany(self, *services: Service) -> None:
        """Have these run beside the cameras, and a little longer; call it before ``run``."""
        self._services += services

    def run(self) -> bool:
        """Count until told to stop.

        Returns:
            True when every thread ended in time, so that every bin was stored.
        """
        threads = [
            threading.Thread(
                target=self._supervise, args=(worker,), name=f"camera-{worker.camera_id}"
            )
            for worker in self._workers
        ]
        services = [
            threading.Thread(target=self._serve, args=(service,), name=service.name)
            for service in self._services
        ]
        for thread in (*threads, *services):
            # A stuck thread must not keep the process alive after we gave it up.
            thread.daemon = True
            thread.start()
        notify(READY)
        log.info("agent_started", cameras=[worker.camera_id for worker in self._workers])
        try:
            self._watch(threads)
        finally:
            self._stop.set()
            notify(STOPPING)
            left = self._joined(threads)
            self._stop_services.set()
            left += self._joined(services)
        self._report()
        log.info("agent_stopped", stuck=left)
        return not left

    def _supervise(self, worker: CameraWorker) -> None:
        camera_log = log.bind(camera_id=worker.camera_id)
        back_off = self._settings.back_off
        failures = 0
        while not self._stop.is_set():
            began_s = self._clock.monotonic_s()
            try:
                worker.run()
            except ItsError as error:
                camera_log.error("camera_failed", error=str(error), hint=error.hint)
                worker.failed(error)
            except Exception as error:  # noqa: BLE001 - the supervisor: log, begin again
                camera_log.exception("camera_crashed")
                worker.failed(error)
            else:
                worker.ended(is_stopped=self._stop.is_set())
                return
            is_steady = self._clock.monotonic_s() - began_s >= back_off.steady_after_s
            failures = 1 if is_steady else failures + 1
            self._stop.wait(back_off.wait_s(failures, self._chance.random()))

    def _serve(self, service: Service) -> None:
        service_log = log.bind(service=service.name)
        back_off = self._settings.back_off
        failures = 0
        while not self._stop_services.is_set():
            began_s = self._clock.monotonic_s()
            try:
                service.run(self._stop_services)
            except ItsError as error:
                service_log.error("service_failed", error=str(error), hint=error.hint)
            except Exception:  # noqa: BLE001 - the supervisor: log, begin again
                service_log.exception("service_crashed")
            else:
                return
            is_steady = self._clock.monotonic_s() - began_s >= back_off.steady_after_s
            failures = 1 if is_steady else failures + 1
            self._stop_services.wait(back_off.wait_s(failures, self._chance.random()))

    def _watch(self, threads: _Threads) -> None:
        alive_every_s = watchdog_s()
        tick_s = min(self._settings.health_every_s, alive_every_s or _LONGEST_TICK_S)
        tick_s = min(tick_s, _LONGEST_TICK_S)
        health_due_s = alive_due_s = self._clock.monotonic_s()
        while True:
            now_s = self._clock.monotonic_s()
            if now_s >= health_due_s:
                health_due_s = now_s + self._settings.health_every_s
                self._report()
            # One stuck camera is told in health; only when all are, a restart helps.
            if alive_every_s is not None and now_s >= alive_due_s and not self._all_stuck():
                alive_due_s = now_s + alive_every_s
                notify(ALIVE)
            if self._stop.wait(tick_s) or not any(thread.is_alive() for thread in threads):
                return

    def _all_stuck(self) -> bool:
        return all(worker.is_stuck(self._settings.no_progress_s) for worker in self._workers)

    def _report(self) -> None:
        cameras = [
            worker.health(no_progress_s=self._settings.no_progress_s) for worker in self._workers
        ]
        for camera in cameras:
            if self._states.get(camera.camera_id) is not camera.state:
                self._states[camera.camera_id] = camera.state
                log.info(
                    "camera_state_changed",
                    camera_id=camera.camera_id,
                    state=camera.state.value,
                    reason=camera.reason,
                )
        try:
            self._write_health(cameras)
        except (OSError, ItsError) as error:
            if not self._health_failed:
                log.error("health_not_written", error=str(error))  # noqa: TRY400
            self._health_failed = True
        else:
            self._health_failed = False

    def _joined(self, threads: _Threads) -> list[str]:
        """Wait for the threads; names of those that did not end."""
        give_up_s = self._clock.monotonic_s() + self._settings.stop_within_s
        for thread in threads:
            thread.join(timeout=max(0.0, give_up_s - self._clock.monotonic_s()))
        return [thread.name for thread in threads if thread.is_alive()]
