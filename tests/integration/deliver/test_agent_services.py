from __future__ import annotations

import threading
from typing import Any

import pytest

from common.errors import UnreachableError
from common.timing import SystemClock
from edge.agent import Agent, AgentSettings
from edge.capture.reconnecting import BackOff
from edge.health import CameraHealth, CameraState

pytestmark = pytest.mark.integration

QUICK = AgentSettings(
    health_every_s=0.05, stop_within_s=5, back_off=BackOff(base_s=0.01, cap_s=0.02)
)


class Camera:
    """A camera's worker that works until the agent stops, or until its recording ends."""

    camera_id = "north"

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self.has_ended = threading.Event()
        self.recording_ends = threading.Event()

    def run(self) -> None:
        while not (self._stop.wait(0.01) or self.recording_ends.is_set()):
            pass

    def ended(self, *, is_stopped: bool) -> None:  # noqa: ARG002
        self.has_ended.set()

    def is_stuck(self, no_progress_s: float) -> bool:  # noqa: ARG002
        return False

    def health(self, *, no_progress_s: float) -> CameraHealth:  # noqa: ARG002
        return CameraHealth(camera_id="north", state=CameraState.RUNNING)


class Service:
    """Fails as often as it is told to, then works, and notes what it saw."""

    name = "sender"

    def __init__(self, camera: Camera, faults: list[Exception]) -> None:
        self._camera = camera
        self._faults = faults
        self.works = threading.Event()
        self.runs = 0
        self.was_last = False

    def run(self, stop: threading.Event) -> None:
        self.runs += 1
        if self._faults:
            raise self._faults.pop(0)
        self.works.set()
        assert stop.wait(10)
        self.was_last = self._camera.has_ended.is_set()


def agent_with(camera: Any, service: Service, stop: threading.Event) -> Agent:
    agent = Agent(
        [camera], write_health=lambda _: None, stop=stop, clock=SystemClock(), settings=QUICK
    )
    agent.accompany(service)
    return agent


def test_a_service_begins_again_after_each_fault_while_the_cameras_go_on() -> None:
    stop = threading.Event()
    camera = Camera(stop)
    service = Service(camera, [UnreachableError("disk full"), RuntimeError("a bug of ours")])
    results: list[bool] = []
    agent = agent_with(camera, service, stop)
    thread = threading.Thread(target=lambda: results.append(agent.run()))
    thread.start()

    assert service.works.wait(5)
    assert not camera.has_ended.is_set()
    stop.set()
    thread.join(10)

    assert (results, service.runs) == ([True], 3)


@pytest.mark.parametrize("how", ["told to stop", "recordings ended"])
def test_a_service_stops_after_the_last_camera_so_that_its_last_bins_leave(how: str) -> None:
    stop = threading.Event()
    camera = Camera(stop)
    service = Service(camera, [])
    thread = threading.Thread(target=agent_with(camera, service, stop).run)
    thread.start()
    assert service.works.wait(5)

    (stop if how == "told to stop" else camera.recording_ends).set()
    thread.join(10)

    assert service.was_last


def test_a_service_that_will_not_stop_is_told_of() -> None:
    stop = threading.Event()
    camera = Camera(stop)
    never = threading.Event()

    class Stubborn(Service):
        def run(self, stop: threading.Event) -> None:  # noqa: ARG002
            self.works.set()
            never.wait(10)

    service = Stubborn(camera, [])
    agent = Agent(
        [camera],  # type: ignore[list-item]
        write_health=lambda _: None,
        stop=stop,
        clock=SystemClock(),
        settings=AgentSettings(health_every_s=0.05, stop_within_s=0.2),
    )
    agent.accompany(service)
    stop.set()

    is_clean = agent.run()
    never.set()

    assert not is_clean
