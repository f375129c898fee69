"""A box and its configuration → findings: what is right, what is not, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from common.errors import ItsError, UnreachableError
from common.site import Camera, Site, load_site
from edge.checks.box_checks import clock_state, disk_state, store_state
from edge.checks.camera_checks import Look, detect_s, look_at_camera
from edge.checks.learn_checks import look_at_learning
from edge.config import EdgeConfig, load_config
from edge.container import EdgeContainer, agent_container

_BUSY_SHARE = 0.9
_DARK = 0.05
_SHAPE_TOLERANCE = 0.02


class Verdict(StrEnum):
    """How bad it is, best first."""

    PASS = "pass"  # noqa: S105 - a verdict  # nosec B105
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: What was looked at, such as ``source north``.
        message: What was found.
        advice: What to do, empty where nothing is to do.
        exit_code: Of the process, when this is the worst finding.
    """

    check: str
    verdict: Verdict
    message: str
    advice: str = ""
    exit_code: int = 0

    def to_dict(self) -> dict[str, str]:
        """Plain values for JSON."""
        return {
            "check": self.check,
            "verdict": self.verdict.value,
            "message": self.message,
            "advice": self.advice,
        }


def examine(config_file: Path, *, offline: bool) -> Iterator[Finding]:
    """Look at everything, in the order in which one thing needs another.

    Args:
        config_file: The agent's configuration.
        offline: Contact no camera.
    """
    try:
        config = load_config(config_file)
        site = load_site(config.site_file)
        cameras = config.cameras_of(site)
    except ItsError as error:
        yield _failed("config", error)
    else:
        yield _passed("config", f"{config_file}: {_counted(site, cameras)}")
        container = agent_container(config)
        secrets = list(_check_secrets(container, cameras))
        yield from secrets
        detector = list(_check_detector(container, cameras))
        yield from (finding for finding, _ in detector)
        if not offline and not secrets:
            yield from _check_cameras(container, cameras, detector[-1][1])
        yield _check_disk(config)
        yield from _check_store(config)
        yield from _check_learning(config)
    yield _check_clock()


def exit_code(findings: Iterable[Finding]) -> int:
    """0 without a failure, else the code of the first one, which the others may follow from."""
    return next((f.exit_code for f in findings if f.verdict is Verdict.FAIL), 0)


def _check_secrets(container: EdgeContainer, cameras: Iterable[Camera]) -> Iterator[Finding]:
    for camera in cameras:
        try:
            container.passwords().filled(camera.source)
        except ItsError as error:
            yield _failed(f"secrets {camera.id}", error)


def _check_detector(
    container: EdgeContainer, cameras: tuple[Camera, ...]
) -> Iterator[tuple[Finding, float | None]]:
    """Model, then backend with the seconds it takes for a frame."""
    try:
        model = container.model()
        yield _passed("model", f"{model.name} {model.version}, {model.path}"), None
    except ItsError as error:
        yield _failed("model", error), None
        return
    try:
        engine = container.engine()
        frame_s = max(detect_s(engine, camera) for camera in cameras)
    except ItsError as error:
        yield _failed("backend", error), None
        return
    yield _passed("backend", f"{engine.info.backend}, {frame_s * 1000:.0f} ms a frame"), frame_s


def _check_cameras(
    container: EdgeContainer, cameras: Iterable[Camera], frame_s: float | None
) -> Iterator[Finding]:
    wanted_fps = 0.0
    for camera in cameras:
        check = f"source {camera.id}"
        try:
            look = look_at_camera(container, camera)
        except ItsError as error:
            yield _failed(check, error)
            continue
        wanted_fps += look.fps if look.is_live else 0.0
        yield _judged(check, camera, look)
    if frame_s is not None and wanted_fps * frame_s > _BUSY_SHARE:
        yield Finding(
            check="load",
            verdict=Verdict.WARN,
            message=f"the cameras send {wanted_fps:.0f} frames/s, this box manages about "
            f"{1 / frame_s:.0f}; the rest is dropped",
            advice="lower the cameras' frame rate to 10-15 fps, or use a faster backend",
        )


def _judged(check: str, camera: Camera, look: Look) -> Finding:
    width, height = look.native_size
    wanted_width, wanted_height = camera.frame_size
    message = f"{width}x{height}, {look.fps:.1f} fps, brightness {look.brightness:.2f}"
    if abs(width / height * wanted_height / wanted_width - 1) > _SHAPE_TOLERANCE:
        return Finding(
            check=check,
            verdict=Verdict.WARN,
            message=f"{message}; frame_size {wanted_width}x{wanted_height} has another shape",
            advice="set frame_size to the size of the picture that the sections were drawn on",
        )
    if look.brightness < _DARK:
        return Finding(
            check=check,
            verdict=Verdict.WARN,
            message=f"{message}: nothing can be seen",
            advice="check lens cap, exposure and, at night, the street lighting",
        )
    return _passed(check, message)


def _check_disk(config: EdgeConfig) -> Finding:
    try:
        disk = disk_state(config.data_folder, config.store_file)
    except UnreachableError as error:
        return _failed("disk", error)
    wanted = config.store.max_mb * 1e6 - disk.used_bytes
    message = f"{disk.free_bytes / 1e6:.0f} MB free for {config.data_folder}"
    if disk.free_bytes > wanted:
        return _passed("disk", message)
    return Finding(
        check="disk",
        verdict=Verdict.WARN,
        message=f"{message}, the store may grow by {wanted / 1e6:.0f} MB",
        advice="free disk space, or lower store.max_mb",
    )


def _check_store(config: EdgeConfig) -> Iterator[Finding]:
    if not config.store_file.exists():
        return
    try:
        state = store_state(config.store_file)
    except ItsError as error:
        yield _failed("store", error)
        return
    yield _passed("store", f"{state.bins} bins, newest {state.newest}")
    for loss in state.losses:
        yield Finding(
            check="store",
            verdict=Verdict.WARN,
            message=f"lost: {loss}",
            advice="raise store.max_mb or store.max_days, or check the disk",
        )


def _check_learning(config: EdgeConfig) -> Iterator[Finding]:
    for look in look_at_learning(config):
        if look.error is not None:
            yield _failed("learn", look.error)
        elif look.advice:
            yield Finding(
                check="learn", verdict=Verdict.WARN, message=look.message, advice=look.advice
            )
        else:
            yield _passed("learn", look.message)


def _check_clock() -> Finding:
    state = clock_state()
    if not state.is_plausible:
        return Finding(
            check="clock",
            verdict=Verdict.FAIL,
            message=f"the clock says {state.now:%Y-%m-%d %H:%M} UTC, which is long past",
            advice="set the clock, or let the box reach a time server",
            exit_code=ItsError.exit_code,
        )
    shown = f"{state.now:%Y-%m-%d %H:%M:%S} UTC"
    if state.is_synchronised:
        return _passed("clock", f"{shown}, synchronised")
    reason = (
        "not synchronised" if state.is_synchronised is False else "cannot tell whether synchronised"
    )
    return Finding(
        check="clock",
        verdict=Verdict.WARN,
        message=f"{shown}, {reason}",
        advice="run: timedatectl set-ntp true, and let the box reach a time server",
    )


def _counted(site: Site, cameras: tuple[Camera, ...]) -> str:
    return f"site {site.site}, cameras {', '.join(camera.id for camera in cameras)}"


def _passed(check: str, message: str) -> Finding:
    return Finding(check=check, verdict=Verdict.PASS, message=message)


def _failed(check: str, error: ItsError) -> Finding:
    return Finding(
        check=check,
        verdict=Verdict.FAIL,
        message=str(error),
        advice=error.hint,
        exit_code=error.exit_code,
    )
