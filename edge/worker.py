"""One camera of the agent: its pipeline → stored bins, and a word on how it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from common.errors import ItsError
from common.site import Camera
from common.timing import Clock
from edge.capture.frames import Frame
from edge.capture.ingestion import CaptureStatus
from edge.capture.quality import QualityVerdict
from edge.health import ADVICE, CameraHealth, CameraState
from edge.keeping.incident_board import IncidentBoard
from edge.keeping.keeper import BinKeeper
from edge.measure.bins import BIN_WIDTH
from edge.measure.stage import Measure
from edge.pipeline import CameraPipeline, Step
from edge.track.tracks import TrackedFrame


class Capture(Protocol):
    """What tells how a camera is doing; ``DataIngestionPipeline`` does."""

    @property
    def status(self) -> CaptureStatus:
        """Safe to ask from another thread."""
        ...


class Onlooker(Protocol):
    """Sees every frame with its tracks, such as whoever chooses samples; must not block."""

    def offer(self, frame: Frame, tracked: TrackedFrame, quality: QualityVerdict) -> None:
        """Look at a frame; the image is copied when it is wanted for longer."""
        ...

    def end_run(self) -> None:
        """No further frame of this run will come."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenedCamera:
    """A chain that is ready to run once, the capture at its head, and who looks on."""

    pipeline: CameraPipeline
    capture: Capture
    onlooker: Onlooker | None = None


OpenCamera = Callable[[Camera], OpenedCamera]


class CameraWorker:
    """Runs one camera's pipeline; health is asked from another thread."""

    def __init__(
        self,
        camera: Camera,
        *,
        open_camera: OpenCamera,
        keeper: BinKeeper,
        clock: Clock,
        incidents: IncidentBoard | None = None,
    ) -> None:
        """Prepare; ``incidents`` is told every single one, the bins only how many."""
        self.camera_id = camera.id
        self._camera = camera
        self._open_camera = open_camera
        self._keeper = keeper
        self._clock = clock
        self._incidents = incidents or IncidentBoard()
        self._started_at = clock.now()
        self._lock = threading.Lock()
        self._state = CameraState.STARTING
        self._error: tuple[str, str] = ("", "")
        self._capture: Capture | None = None
        self._quality: tuple[str, ...] = ()
        self._frames = 0
        self._restarts = 0
        self._progress_s = clock.monotonic_s()
        self._frame_s: float | None = None
        self._reported = _Reported(at_s=clock.monotonic_s())

    def run(self) -> None:
        """Measure until the stream ends or the agent stops; every minute ends up stored.

        Raises:
            ItsError: The camera, the model or the disk cannot be used now.
        """
        self._progress_s = self._clock.monotonic_s()
        opened = self._open_camera(self._camera)
        measure, onlooker = opened.pipeline.measure, opened.onlooker
        with self._lock:
            self._capture = opened.capture
            self._reported = _Reported(at_s=self._progress_s)
            self._frames = 0
            self._state = CameraState.RUNNING
        self._keeper.begin_run()
        self._catch_up(measure)
        is_complete = False
        try:
            for step in opened.pipeline:
                self._note(step)
                self._keeper.keep(step.bins)
                if step.measured.incidents:
                    self._incidents.note(self.camera_id, step.measured.incidents)
                if onlooker is not None:
                    _show(step, onlooker)
            is_complete = True
        finally:
            if not is_complete:
                _, bins = measure.finish()
                self._keeper.keep(bins)
            if onlooker is not None:
                onlooker.end_run()

    def ended(self, *, is_stopped: bool) -> None:
        """Note that the stream ended, of itself or because the agent stops."""
        with self._lock:
            self._state = CameraState.STOPPED if is_stopped else CameraState.FINISHED

    def failed(self, error: Exception) -> None:
        """Note why the pipeline ended, and that it will begin again."""
        message = str(error) if isinstance(error, ItsError) else f"{type(error).__name__}: {error}"
        advice = error.hint if isinstance(error, ItsError) else "report this with the agent's log"
        with self._lock:
            self._state = CameraState.FAILED
            self._error = (message, advice)
            self._restarts += 1

    def idle_s(self) -> float:
        """Seconds since something happened; a camera without frames still reports gaps."""
        return self._clock.monotonic_s() - self._progress_s

    def is_stuck(self, no_progress_s: float) -> bool:
        """True when the pipeline runs and nothing happened for so long."""
        return self._state is CameraState.RUNNING and self.idle_s() > no_progress_s

    def health(self, *, no_progress_s: float) -> CameraHealth:
        """How the camera does, with rates since the last call."""
        with self._lock:
            capture, state = self._capture, self._state
            now_s = self._clock.monotonic_s()
            status = capture.status if capture else None
            state, reason, advice = self._explained(state, status, no_progress_s)
            if not reason and self._keeper.trouble:
                reason, advice = self._keeper.trouble, "free disk space, or replace the disk"
            before, self._reported = self._reported, _Reported.of(now_s, self._frames, status)
            is_running = state is CameraState.RUNNING
            return CameraHealth(
                camera_id=self.camera_id,
                state=state,
                reason=reason,
                advice=advice,
                fps=self._reported.fps(before) if is_running else 0.0,
                last_frame_age_s=None if self._frame_s is None else now_s - self._frame_s,
                dropped_share=self._reported.dropped_share(before),
                quality=self._quality if is_running else (),
                bins_stored=self._keeper.stored,
                bins_waiting=self._keeper.waiting,
                restarts=self._restarts,
            )

    def _explained(
        self, state: CameraState, status: CaptureStatus | None, no_progress_s: float
    ) -> tuple[CameraState, str, str]:
        if state is CameraState.FAILED:
            return state, *self._error
        if state is CameraState.RUNNING and self.idle_s() > no_progress_s:
            return (
                CameraState.STUCK,
                f"nothing happened for {self.idle_s():.0f} s",
                "restart the agent; report this with the agent's log",
            )
        if state is CameraState.RUNNING and status is not None and status.reason is not None:
            reason = status.reason.value
            return CameraState.NO_FRAMES, reason, ADVICE.get(reason, "")
        return state, "", ""

    def _catch_up(self, measure: Measure) -> None:
        """Let the minutes that nobody watched, from the last one stored on, come out empty."""
        last = self._keeper.last_start
        since: datetime = self._started_at if last is None else last + BIN_WIDTH
        now = self._clock.now()
        if since <= now:
            measure.advance(since)
            measure.advance(now)

    def _note(self, step: Step) -> None:
        now_s = self._clock.monotonic_s()
        with self._lock:
            self._progress_s = now_s
            if step.frame is not None:
                self._frames += 1
                self._frame_s = now_s
            if step.quality is not None:
                self._quality = tuple(sorted(issue.value for issue in step.quality.issues))


def _show(step: Step, onlooker: Onlooker) -> None:
    if step.frame is not None and step.tracked is not None and step.quality is not None:
        onlooker.offer(step.frame, step.tracked, step.quality)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reported:
    """Counters at the last report."""

    at_s: float
    frames: int = 0
    read: int = 0
    dropped: int = 0

    @classmethod
    def of(cls, at_s: float, frames: int, status: CaptureStatus | None) -> _Reported:
        if status is None:
            return cls(at_s=at_s, frames=frames)
        return cls(at_s=at_s, frames=frames, read=status.frames_read, dropped=status.frames_dropped)

    def fps(self, before: _Reported) -> float:
        passed_s = self.at_s - before.at_s
        return max(0, self.frames - before.frames) / passed_s if passed_s > 0 else 0.0

    def dropped_share(self, before: _Reported) -> float | None:
        read = self.read - before.read
        return min(1.0, max(0, self.dropped - before.dropped) / read) if read > 0 else None
