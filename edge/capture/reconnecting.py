"""A camera that comes and goes → its newest frames on one clock, and why there are none."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from common.errors import ConfigError, UnreachableError
from edge.capture.clocks import SMALLEST_STEP_S, WallClock
from edge.capture.frames import Frame, FrameSource
from edge.capture.handover import NewestFrame
from edge.capture.outages import (
    CAMERA_LOST,
    CameraLostError,
    GapReason,
    StalledError,
    WrongPasswordError,
    reason_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """How long to leave a camera alone before the next attempt.

    Exponential with full jitter (Brooker, "Exponential backoff and jitter", AWS
    Architecture Blog 2015): after a power cut, a city's boxes must not knock at one
    switch in step. A refused password waits the longest time at once, because many
    cameras lock the account after a few wrong ones.

    Attributes:
        base_s: Longest wait after the first failure.
        cap_s: Longest wait at all.
        steady_after_s: A connection that held for this long clears the record.
    """

    base_s: float = 1.0
    cap_s: float = 60.0
    steady_after_s: float = 10.0

    def wait_s(self, failures: int, chance: float) -> float:
        """Seconds to wait after ``failures`` failures in a row, ``chance`` in [0, 1)."""
        return chance * min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, 30))

    def refused_wait_s(self, chance: float) -> float:
        """Seconds to wait after a refused password."""
        return self.cap_s * (0.5 + 0.5 * chance)


class Reconnecting:
    """Keep one camera open in the calling thread and hand over its newest frame.

    Frames of all connections share one clock: ``captured_s`` counts from the making of
    ``wall``, and ``index`` goes on.
    """

    def __init__(
        self,
        open_camera: Callable[[], FrameSource],
        *,
        camera_id: str,
        wall: WallClock,
        back_off: BackOff,
    ) -> None:
        self.newest = NewestFrame()
        self._open_camera = open_camera
        self._wall = wall
        self._back_off = back_off
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._source: FrameSource | None = None
        self._reason = GapReason.OFFLINE
        self._connections = 0
        self._read = 0
        self._last_s = 0.0
        self._chance = random.Random()  # noqa: S311 - jitter, not a secret  # nosec B311
        self._log = structlog.get_logger(__name__).bind(camera_id=camera_id)

    @property
    def reason(self) -> GapReason:
        """Why there would be no frame now."""
        return self._reason

    @property
    def connections(self) -> int:
        """How often the camera was opened with success."""
        return self._connections

    @property
    def read(self) -> int:
        """Frames read from all connections, taken or not."""
        return self._read

    def run(self, first: FrameSource | CameraLostError) -> None:
        """Read, and open again whatever fails, until closed.

        Args:
            first: What the first attempt to open the camera brought.

        Raises:
            ConfigError: The source can never work as written.
        """
        failures = 0
        source: FrameSource | None = None
        if isinstance(first, ConfigError | UnreachableError):
            failures = 1
            self._wait(first, failures)
        else:
            source = first
        try:
            while not self._closing.is_set():
                opened_s = self._wall.now_s()
                try:
                    self._read_one(source or self._open_camera())
                except CAMERA_LOST as error:
                    held_s = self._wall.now_s() - opened_s
                    failures = 1 if held_s >= self._back_off.steady_after_s else failures + 1
                    self._wait(error, failures)
                source = None
        finally:
            self.newest.close()

    def hang_up(self) -> None:
        """Give up the present connection, as when it is silent; a new one follows."""
        with self._lock:
            source = self._source
            self._reason = GapReason.STALLED
        if source is not None:
            source.close()

    def close(self) -> None:
        """Stop for good and wake everybody; safe to call twice and from another thread."""
        self._closing.set()
        self.newest.close()
        with self._lock:
            source = self._source
        if source is not None:
            source.close()

    def _read_one(self, source: FrameSource) -> None:
        with self._lock:
            self._source = source
            self._connections += 1
            self._reason = GapReason.MISSING_FRAMES
        self._log.info("camera_connected", connection=self._connections)
        try:
            if not self._closing.is_set():
                self._hand_over(source)
            if not self._closing.is_set():
                raise self._ended()
        finally:
            with self._lock:
                self._source = None
            source.close()

    def _hand_over(self, source: FrameSource) -> None:
        moved_s = 0.0
        first_index = self._read
        is_first = True
        for frame in source.frames():
            if is_first:
                moved_s = max(self._wall.now_s(), self._last_s + SMALLEST_STEP_S) - frame.captured_s
                is_first = False
            self._last_s = frame.captured_s + moved_s
            self._read = first_index + frame.index + 1
            # While a camera sends nothing, STALLED may have been noted; this is over.
            self._reason = GapReason.MISSING_FRAMES
            self.newest.put(self._placed(frame, first_index))
            if self._closing.is_set():
                return

    def _ended(self) -> UnreachableError:
        if self._reason is GapReason.STALLED:
            return StalledError(
                "the camera sent nothing for too long, expected frames",
                hint="Check cable, switch and the camera's load.",
            )
        return UnreachableError(
            "the camera ended its stream, expected it to go on",
            hint="Look whether the camera restarts or serves too many viewers.",
        )

    def _placed(self, frame: Frame, first_index: int) -> Frame:
        return replace(
            frame,
            index=first_index + frame.index,
            captured_s=self._last_s,
            captured_at=self._wall.at(self._last_s),
        )

    def _wait(self, error: CameraLostError, failures: int) -> None:
        self._reason = reason_of(error)
        chance = self._chance.random()
        refused = isinstance(error, WrongPasswordError)
        wait_s = (
            self._back_off.refused_wait_s(chance)
            if refused
            else self._back_off.wait_s(failures, chance)
        )
        self._log.warning(
            "camera_lost",
            reason=self._reason.value,
            error=str(error),
            hint=error.hint,
            failures=failures,
            wait_s=round(wait_s, 2),
        )
        self._closing.wait(wait_s)
