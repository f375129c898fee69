"""How cameras and the process are doing → one small JSON file, always whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from common.logs import without_credentials
from common.timing import Clock
from edge.capture.outages import GapReason
from edge.keeping.stored import Loss

_MOST_TEXT = 300


class CameraState(StrEnum):
    """What a camera's thread is doing."""

    STARTING = "starting"
    RUNNING = "running"
    NO_FRAMES = "no_frames"
    """The agent works, the camera gives nothing; ``reason`` says why."""
    STUCK = "stuck"
    """The thread did nothing for too long."""
    FAILED = "failed"
    """It stopped with an error and is tried again; ``reason`` holds the error."""
    FINISHED = "finished"
    """A recording was read to its end."""
    STOPPED = "stopped"
    """The agent was told to stop, and everything is stored."""


HEALTHY = frozenset(
    {CameraState.STARTING, CameraState.RUNNING, CameraState.FINISHED, CameraState.STOPPED}
)

ADVICE: Mapping[str, str] = MappingProxyType(
    {
        GapReason.OFFLINE: "check power, cable, address and port of the camera",
        GapReason.STALLED: "restart the camera; look how many others watch it",
        GapReason.WRONG_PASSWORD: "correct user and password in the site file or secrets file",
        GapReason.WRONG_SETTING: "look up the path of the stream in the camera's own settings",
        GapReason.MISSING_FRAMES: "check the network between camera and box for losses",
        GapReason.OVERLOADED: "lower the camera's frame rate, or give the box fewer cameras",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraHealth:
    """One camera at one moment.

    Attributes:
        reason: Why it gives no numbers, empty while it does.
        advice: What to do about it.
        fps: Frames measured per second since the last report.
        last_frame_age_s: Time since the last measured frame, or None before the first.
        dropped_share: Of the frames read since the last report, in [0, 1], or None.
        quality: What is wrong with the picture.
        bins_stored: Since the agent started.
        bins_waiting: Refused by the disk, waiting for another try.
        restarts: How often the camera's thread began again after an error.
    """

    camera_id: str
    state: CameraState
    reason: str = ""
    advice: str = ""
    fps: float = 0.0
    last_frame_age_s: float | None = None
    dropped_share: float | None = None
    quality: tuple[str, ...] = ()
    bins_stored: int = 0
    bins_waiting: int = 0
    restarts: int = 0

    @property
    def is_healthy(self) -> bool:
        """False when somebody should look."""
        return self.state in HEALTHY and not self.quality and not self.bins_waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessHealth:
    """The agent as a process.

    Attributes:
        version: Of the product.
        model: Name and version of the model, and what runs it.
        rss_bytes: Resident memory, or None where the system does not tell.
        disk_free_bytes: Free for the data folder.
    """

    version: str
    model: str
    pid: int
    started_at: datetime
    rss_bytes: int | None
    disk_free_bytes: int


def report(
    process: ProcessHealth,
    cameras: Sequence[CameraHealth],
    *,
    losses: Sequence[Loss],
    now: datetime,
) -> dict[str, Any]:
    """Plain values for JSON; no text in it holds a password."""
    return {
        "written_at": _text(now),
        "status": "ok" if all(camera.is_healthy for camera in cameras) else "degraded",
        "process": {**asdict(process), "started_at": _text(process.started_at)},
        "cameras": {camera.camera_id: _camera(camera) for camera in cameras},
        "losses": [
            {
                "camera": loss.camera_id,
                "reason": loss.reason,
                "bins": loss.bins,
                "detail": loss.detail,
            }
            for loss in losses
        ],
    }


class HealthWriter:
    """Replace the health file in one step; a reader sees the old or the new one."""

    def __init__(
        self, path: Path, *, model: str, clock: Clock, losses: Callable[[], Sequence[Loss]]
    ) -> None:
        """Prepare; nothing is written yet.

        Args:
            path: The file; its folder also tells how much disk is free.
            model: Name and version of the model, and what runs it.
            clock: Tells when a report was written.
            losses: Asked for bins that are gone.
        """
        self._path = path
        self._model = model
        self._clock = clock
        self._losses = losses
        self._started_at = clock.now()

    def __call__(self, cameras: Sequence[CameraHealth]) -> None:
        """Write a report.

        Raises:
            OSError: The disk is full or failing.
            UnreachableError: The store cannot be read.
        """
        process = ProcessHealth(
            version=version("its-camera-ai"),
            model=self._model,
            pid=os.getpid(),
            started_at=self._started_at,
            rss_bytes=rss_bytes(),
            disk_free_bytes=disk_free_bytes(self._path.parent),
        )
        content = report(process, cameras, losses=self._losses(), now=self._clock.now())
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        fresh.replace(self._path)


def rss_bytes() -> int | None:
    """Resident memory of this process, or None where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def disk_free_bytes(folder: Path) -> int:
    """What the file system of a folder has left for us."""
    return shutil.disk_usage(folder).free


def _camera(camera: CameraHealth) -> dict[str, Any]:
    content = asdict(camera)
    del content["camera_id"]
    content["reason"] = without_credentials(camera.reason)[:_MOST_TEXT]
    content["advice"] = without_credentials(camera.advice)[:_MOST_TEXT]
    content["fps"] = round(camera.fps, 2)
    if camera.last_frame_age_s is not None:
        content["last_frame_age_s"] = round(camera.last_frame_age_s, 1)
    if camera.dropped_share is not None:
        content["dropped_share"] = round(camera.dropped_share, 4)
    return content


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
