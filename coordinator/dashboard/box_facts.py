"""What is known of a box → words with a tone, and what somebody should look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from common.messages import CameraState, HealthReport
from common.release_state import ReleaseState, Step
from common.wire import ClockState
from coordinator.dashboard.filters import duration, number, words
from coordinator.fleet.overview import BoxOverview
from coordinator.fleet.states import DeviceState
from coordinator.fleet.views import TwinView

ONLINE_WITHIN = timedelta(minutes=3)
"""A box says how it does once a minute: three reports in a row may not be missing."""

_LATE_SHARE = 4
"""Boxes renew when a third of a certificate's life is left; at a quarter that has failed."""

_GIB = 1024**3
_DISK_LOW, _DISK_OUT = 5 * _GIB, 1 * _GIB
_WARM_C, _HOT_C = 80.0, 90.0
"""Fanless boxes slow down from about 85 to 100 degrees on, and with them the counting."""

_OUTBOX_LATE = 60
"""Reports; a box makes about one a minute and camera."""

_CAMERA_TONES: Mapping[str, str] = MappingProxyType(
    {
        "running": "good",
        "starting": "info",
        "finished": "info",
        "no_frames": "bad",
        "stuck": "bad",
        "failed": "bad",
        "stopped": "none",
    }
)
_STEP_TONES: Mapping[Step, str] = MappingProxyType(
    {
        Step.IDLE: "none",
        Step.CONFIRMED: "good",
        Step.REFUSED: "bad",
        Step.ROLLED_BACK: "bad",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A state in a word or two, and how it is meant."""

    text: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxFacts:
    """One box as pages show it.

    Attributes:
        cameras: Each with its state.
        concerns: What somebody should look at, in sentences; empty when all is well.
    """

    box: BoxOverview
    presence: Word
    cameras: tuple[tuple[CameraState, Word], ...]
    certificate: Word
    configuration: Word
    release: Word
    learning: Word
    disk: Word
    temperature: Word
    outbox: Word
    concerns: tuple[str, ...]

    @property
    def running(self) -> int:
        """Cameras that count."""
        return sum(1 for _, word in self.cameras if word.tone == "good")


def facts_of(box: BoxOverview, *, now: datetime, certificate_life: timedelta) -> BoxFacts:
    """The words of one box, whose certificates are good for ``certificate_life``."""
    health = box.health
    presence = _presence(box, now)
    cameras = tuple((one, _camera(one, presence)) for one in health.cameras) if health else ()
    found = BoxFacts(
        box=box,
        presence=presence,
        cameras=cameras,
        certificate=_certificate(
            box.device.certificate_expires_at, now, certificate_life / _LATE_SHARE
        ),
        configuration=configuration(box.twin),
        release=release(health.release if health else None),
        learning=_learning(health),
        disk=_disk(health),
        temperature=_temperature(health),
        outbox=_outbox(health),
        concerns=(),
    )
    if box.device.state is not DeviceState.ENROLLED:
        return found
    return replace(found, concerns=tuple(_concerns(found)))


def configuration(twin: TwinView) -> Word:
    """Desired against reported configuration."""
    if not twin.desired_version:
        return Word(text="As installed", tone="none")
    if twin.reported_version < twin.desired_version:
        return Word(text=f"Waiting for v{twin.desired_version}", tone="info")
    text = f"{words(twin.reported_state)} v{twin.desired_version}"
    tone = {"applied": "good", "refused": "bad", "rolled_back": "bad"}.get(
        twin.reported_state, "none"
    )
    return Word(text=text, tone=tone)


def release(state: ReleaseState | None) -> Word:
    """Where a wished model is on its way into the box."""
    if state is None:
        return Word(text="Takes no releases", tone="none")
    if state.step is Step.IDLE or state.wanted_version is None:
        return Word(text=f"{state.active_version} ({state.slot.value})", tone="none")
    tone = _STEP_TONES.get(state.step, "info")
    return Word(text=f"{state.wanted_version}: {words(state.step.value).lower()}", tone=tone)


def _concerns(found: BoxFacts) -> Iterator[str]:
    if found.presence.tone != "good":
        yield found.presence.text
    for camera, word in found.cameras:
        if word.tone == "bad":
            yield f"Camera {camera.camera}: {word.text.lower()}"
    named = {
        "Certificate": found.certificate,
        "Configuration": found.configuration,
        "Model": found.release,
        "Disk": found.disk,
        "Temperature": found.temperature,
        "Outbox": found.outbox,
    }
    for name, word in named.items():
        if word.tone in ("bad", "watch"):
            yield f"{name}: {word.text}"
    health = found.box.health
    if health is not None and health.clock is ClockState.UNSURE:
        yield "Clock: the box does not know the time"


def _presence(box: BoxOverview, now: datetime) -> Word:
    if box.device.state is not DeviceState.ENROLLED:
        return Word(text=words(box.device.state.value), tone="none")
    seen = box.device.last_seen_at
    if seen is None:
        return Word(text="Never heard of", tone="watch")
    if now - seen <= ONLINE_WITHIN:
        return Word(text="Online", tone="good")
    return Word(text=f"Silent for {duration((now - seen).total_seconds())}", tone="bad")


def _camera(camera: CameraState, presence: Word) -> Word:
    if presence.tone != "good":
        return Word(text=f"Was {words(camera.state).lower()}", tone="none")
    return Word(text=words(camera.state), tone=_CAMERA_TONES.get(camera.state, "none"))


def _certificate(expires_at: datetime | None, now: datetime, late: timedelta) -> Word:
    if expires_at is None:
        return Word(text="None in force", tone="none")
    left = expires_at - now
    if left <= timedelta():
        return Word(text=f"Expired {duration(-left.total_seconds())} ago", tone="bad")
    tone = "watch" if left < late else "good"
    return Word(text=f"{duration(left.total_seconds())} left", tone=tone)


def _learning(health: HealthReport | None) -> Word:
    state = health.learning if health else None
    if state is None:
        return Word(text="Keeps no samples", tone="none")
    samples = f"{number(state.samples)} samples"
    if state.is_ready:
        return Word(text=f"Ready, {samples}", tone="good")
    return Word(text=f"Not now, {samples}", tone="info")


def _disk(health: HealthReport | None) -> Word:
    if health is None:
        return Word(text="–", tone="none")
    free = health.disk_free_bytes
    tone = "bad" if free < _DISK_OUT else "watch" if free < _DISK_LOW else "good"
    return Word(text=f"{number(free / _GIB, 1)} GiB free", tone=tone)


def _temperature(health: HealthReport | None) -> Word:
    if health is None or health.temperature_c is None:
        return Word(text="–", tone="none")
    degrees = health.temperature_c
    tone = "bad" if degrees >= _HOT_C else "watch" if degrees >= _WARM_C else "good"
    return Word(text=f"{number(degrees)} °C", tone=tone)


def _outbox(health: HealthReport | None) -> Word:
    if health is None:
        return Word(text="–", tone="none")
    waiting = health.outbox_reports
    tone = "watch" if waiting > _OUTBOX_LATE else "good"
    return Word(text=f"{number(waiting)} waiting" if waiting else "Nothing waits", tone=tone)
