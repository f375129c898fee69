"""Frames of several cameras → shared batches with a bounded wait.

One engine serves every camera of a box. While it works, newly arriving frames gather;
when it is free they run together. A lone camera never waits for company.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from common.errors import ConflictError
from common.timing import Clock, SystemClock
from edge.capture.frames import Frame
from edge.detect.detections import Detections
from edge.detect.engine import Request


class BatchDetector(Protocol):
    """What looks at several frames in one go; ``InferenceEngine`` is one."""

    def detect_batch(self, requests: Sequence[Request]) -> list[Detections]:
        """One result per request, in the same order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """How long and for how many a batch is held open.

    A GPU gains from batches. Two CPU cores do not (equal time per image for 1, 2 and 4):
    ``max_frames=1`` there gives each camera its result sooner.

    Attributes:
        max_frames: Most frames in one batch.
        wait_s: Longest wait for another active camera, counted from the oldest frame.
        active_s: A camera that sent nothing for so long is not waited for.
    """

    max_frames: int = 4
    wait_s: float = 0.010
    active_s: float = 1.0

    def __post_init__(self) -> None:
        """Refuse limits that would never let a batch go."""
        if self.max_frames < 1 or self.wait_s < 0 or self.active_s < 0:
            raise ValueError(
                f"batch of {self.max_frames} after {self.wait_s} s from cameras active within "
                f"{self.active_s} s, expected 1 or more and no negative time"
            )


@dataclass(slots=True)
class _Waiting:
    request: Request
    result: Future[Detections]
    since_s: float


class BatchingDetector:
    """Share one engine between camera threads; at most one frame of a camera waits."""

    def __init__(
        self,
        engine: BatchDetector,
        *,
        limits: BatchLimits | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Start the thread that forms batches; ``close`` ends it."""
        self._engine = engine
        self._limits = limits or BatchLimits()
        self._clock = clock or SystemClock()
        self._changed = threading.Condition()
        self._waiting: dict[str, _Waiting] = {}
        self._last_seen_s: dict[str, float] = {}
        self._is_closed = False
        # An executor keeps what the engine raises, so that it reaches whoever waits.
        self._runner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="detect-run")
        self._worker = threading.Thread(target=self._serve, name="detect-batch", daemon=True)
        self._worker.start()

    def __enter__(self) -> Self:
        """The detector itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def submit(self, request: Request, *, newest_wins: bool) -> Future[Detections]:
        """Hand in a frame.

        Args:
            request: The frame and the pixels its boxes are wanted in.
            newest_wins: True replaces this camera's waiting frame and cancels its
                result (live); False waits until that frame was taken (files).

        Returns:
            The coming result; it raises what the engine raised.

        Raises:
            ConflictError: The detector was closed.
        """
        camera_id = request.frame.camera_id
        coming: Future[Detections] = Future()
        with self._changed:
            self._last_seen_s[camera_id] = self._clock.monotonic_s()
            if not newest_wins:
                self._changed.wait_for(lambda: self._is_closed or camera_id not in self._waiting)
            if self._is_closed:
                raise ConflictError("the detector was closed, expected it open")
            now_s = self._clock.monotonic_s()
            waiting = self._waiting.get(camera_id)
            if waiting:
                # The newer frame keeps the older one's place: the wait stays bounded.
                now_s = waiting.since_s
                waiting.result.cancel()
            self._waiting[camera_id] = _Waiting(request, coming, now_s)
            self._changed.notify_all()
        return coming

    def detect(self, frame: Frame, *, frame_size: tuple[int, int]) -> Detections:
        """Hand in a frame and wait for its result; as ``InferenceEngine.detect``.

        Raises:
            ConflictError: The detector was closed.
        """
        request = Request(frame=frame, frame_size=frame_size)
        return self.submit(request, newest_wins=False).result()

    def close(self) -> None:
        """Finish the running batch, cancel what waits and stop; safe to call twice."""
        with self._changed:
            self._is_closed = True
            for waiting in self._waiting.values():
                waiting.result.cancel()
            self._waiting.clear()
            self._changed.notify_all()
        self._worker.join()
        self._runner.shutdown()

    def _serve(self) -> None:
        while batch := self._next_batch():
            if not self._answer(batch):
                # One camera's frame must not cost the others theirs: each on its own.
                for waiting in batch:
                    self._answer([waiting], is_last_try=True)

    def _answer(self, batch: Sequence[_Waiting], *, is_last_try: bool = False) -> bool:
        """Run a batch and deliver; False when it failed and a smaller one is worth a try."""
        running = self._runner.submit(
            self._engine.detect_batch, [waiting.request for waiting in batch]
        )
        error = running.exception()
        if error is None:
            for waiting, detections in zip(batch, running.result(), strict=True):
                waiting.result.set_result(detections)
            return True
        if len(batch) > 1 and not is_last_try:
            return False
        for waiting in batch:
            waiting.result.set_exception(error)
        return True

    def _next_batch(self) -> list[_Waiting]:
        """Frames to run now; empty once closed."""
        with self._changed:
            while not self._is_closed:
                patience_s = self._patience_s()
                if patience_s == 0 and (batch := self._taken()):
                    return batch
                self._changed.wait(patience_s)
            return []

    def _patience_s(self) -> float | None:
        """Seconds worth waiting for company: 0 to go now, None while there is no frame."""
        if not self._waiting:
            return None
        now_s = self._clock.monotonic_s()
        active = sum(
            now_s - seen_s <= self._limits.active_s for seen_s in self._last_seen_s.values()
        )
        if len(self._waiting) >= min(self._limits.max_frames, active):
            return 0.0
        oldest_s = min(waiting.since_s for waiting in self._waiting.values())
        return max(0.0, oldest_s + self._limits.wait_s - now_s)

    def _taken(self) -> list[_Waiting]:
        camera_ids = list(self._waiting)[: self._limits.max_frames]
        taken = [self._waiting.pop(camera_id) for camera_id in camera_ids]
        self._changed.notify_all()
        return [waiting for waiting in taken if waiting.result.set_running_or_notify_cancel()]
