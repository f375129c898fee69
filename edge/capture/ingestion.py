"""A camera of the site file → frames with a quality verdict, and gaps where there are none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile

from common.timing import Clock
from edge.capture.clocks import WallClock
from edge.capture.frames import Frame, FrameSource
from edge.capture.handover import ReadAhead
from edge.capture.outages import (
    CAMERA_LOST,
    CameraLostError,
    Gap,
    GapKeeper,
    GapReason,
    reason_of,
)
from edge.capture.quality import QualityLimits, QualityValidator, QualityVerdict
from edge.capture.reconnecting import BackOff, Reconnecting

LONGEST_TAKE_S = 0.2
"""How late a stop event is noticed while a camera is silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSettings:
    """How patient and how careful capture is.

    Attributes:
        gap_after_s: A shorter time between two frames is no gap.
        gap_piece_s: A long gap is reported in pieces of about this length.
        stall_after_s: A connection that is silent for longer is opened anew.
        keeps_trying: False makes the first failure to open the camera final.
        read_ahead_frames: How far a recording is decoded ahead in a thread of its own; 0
            decodes in the thread that asks, which is better where several ask in turn.
        back_off: How attempts to reconnect are spaced.
        quality: When a picture counts as bad.
    """

    gap_after_s: float = 3.0
    gap_piece_s: float = 5.0
    stall_after_s: float = 10.0
    keeps_trying: bool = True
    read_ahead_frames: int = 4
    back_off: BackOff = field(default_factory=BackOff)
    quality: QualityLimits = field(default_factory=QualityLimits)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CapturedFrame:
    """A frame and what its picture is worth."""

    frame: Frame
    quality: QualityVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureStatus:
    """What health reports and the end of a run tell about a camera.

    Attributes:
        is_connected: Frames are coming.
        reason: Why not, or None.
        frames_read: Frames that the source gave or that were damaged.
        frames_handed_on: Frames that left the pipeline.
        connections: How often the source was opened with success.
    """

    is_connected: bool
    reason: GapReason | None
    frames_read: int
    frames_handed_on: int
    connections: int

    @property
    def frames_dropped(self) -> int:
        """Frames read and not handed on: damaged, late, or overtaken by a newer one."""
        return self.frames_read - self.frames_handed_on


class DataIngestionPipeline:
    """Iterate once over what one camera sees.

    A recording is read to its end, every frame of it. A live camera is read in a thread
    of its own, the newest frame wins, and it is opened again whenever it fails, until
    ``stop`` is set. Time without frames comes out as ``Gap``, never as nothing.
    """

    def __init__(
        self,
        open_camera: Callable[[], FrameSource],
        *,
        camera_id: str,
        clock: Clock,
        stop: threading.Event,
        settings: CaptureSettings | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            open_camera: Opens the source, each time anew.
            camera_id: Camera it belongs to.
            clock: Tells live cameras the time.
            stop: Ends the iteration when set.
            settings: How patient and how careful capture is.
        """
        self._open_camera = open_camera
        self._camera_id = camera_id
        self._stop = stop
        self._settings = settings or CaptureSettings()
        self._wall = WallClock(clock)
        self._quality = QualityValidator(self._settings.quality)
        self._gaps = GapKeeper(
            gap_after_s=self._settings.gap_after_s, piece_s=self._settings.gap_piece_s
        )
        self._camera: Reconnecting | None = None
        self._reason: GapReason | None = GapReason.OFFLINE
        self._read = 0
        self._handed_on = 0
        self._covered_at: datetime | None = None
        self._native_size: tuple[int, int] | None = None
        self._expected_frames: int | None = None

    @property
    def status(self) -> CaptureStatus:
        """How the camera is doing; safe to ask from another thread."""
        camera = self._camera
        return CaptureStatus(
            is_connected=self._reason is None,
            reason=self._reason,
            frames_read=camera.read if camera else self._read,
            frames_handed_on=self._handed_on,
            connections=camera.connections if camera else int(self._native_size is not None),
        )

    @property
    def native_size(self) -> tuple[int, int] | None:
        """Width and height of the stream in pixels, or None before the first frame."""
        return self._native_size

    @property
    def expected_frames(self) -> int | None:
        """How many frames a recording has, or None: live, or not opened yet."""
        return self._expected_frames

    def __iter__(self) -> Iterator[CapturedFrame | Gap]:
        """Yield frames in time order, and a gap for each time without them.

        Raises:
            ConfigError: The source can never work as written.
            UnreachableError: A recording could not be read on, or a camera not be
                opened while ``keeps_trying`` is False.
        """
        try:
            source = self._open_camera()
        except CAMERA_LOST as error:
            if not self._settings.keeps_trying:
                raise
            self._reason = reason_of(error)
            yield from self._live(error)
            return
        if source.is_live:
            yield from self._live(source)
        else:
            yield from self._recorded(source)

    def _recorded(self, source: FrameSource) -> Iterator[CapturedFrame | Gap]:
        self._expected_frames = source.expected_frames
        self._reason = None
        try:
            for frame in self._read_ahead(source.frames()):
                self._read = frame.index + 1
                yield from self._checked(frame, GapReason.MISSING_FRAMES)
        finally:
            source.close()
            self._reason = GapReason.OFFLINE

    def _read_ahead(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        depth = self._settings.read_ahead_frames
        if depth:
            return iter(ReadAhead(frames, depth=depth, stop=self._stop))
        return takewhile(lambda _: not self._stop.is_set(), frames)

    def _live(self, first: FrameSource | CameraLostError) -> Iterator[CapturedFrame | Gap]:
        camera = Reconnecting(
            self._open_camera,
            camera_id=self._camera_id,
            wall=self._wall,
            back_off=self._settings.back_off,
        )
        self._camera = camera
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix=self._camera_id) as pool:
            reading = pool.submit(camera.run, first)
            try:
                yield from self._watched(camera, reading)
            finally:
                camera.close()
                self._reason = GapReason.OFFLINE
        reading.result()

    def _watched(
        self, camera: Reconnecting, reading: Future[None]
    ) -> Iterator[CapturedFrame | Gap]:
        settings = self._settings
        take_s = min(LONGEST_TAKE_S, settings.gap_after_s / 2)
        seen_s = self._wall.now_s()
        dropped = 0
        while not (self._stop.is_set() or reading.done()):
            frame = camera.newest.take(timeout_s=take_s)
            now_s = self._wall.now_s()
            if frame is not None:
                was_busy = camera.newest.dropped > dropped
                dropped = camera.newest.dropped
                seen_s = now_s
                reason = GapReason.OVERLOADED if was_busy else self._reason
                self._reason = None
                yield from self._checked(frame, reason or camera.reason)
                continue
            if now_s - seen_s >= settings.stall_after_s and camera.reason in _STANDING:
                camera.hang_up()
                seen_s = now_s
            if now_s - seen_s >= settings.gap_after_s or camera.reason not in _STANDING:
                self._reason = _silent(camera.reason)
            piece = self._gaps.silence(now_s)
            if piece is not None:
                until_at = self._wall.at(piece[1])
                yield self._gap(piece, until_at, self._reason or _silent(camera.reason))

    def _checked(self, frame: Frame, reason: GapReason) -> Iterator[CapturedFrame | Gap]:
        if self._gaps.is_late(frame.captured_s):
            return
        gap = self._gaps.frame(frame.captured_s)
        if gap is not None:
            self._quality.interrupt()
            yield self._gap(gap, frame.captured_at, reason)
        self._covered_at = frame.captured_at
        self._native_size = frame.native_size
        self._handed_on += 1
        yield CapturedFrame(frame=frame, quality=self._quality.check(frame))

    def _gap(self, piece: tuple[float, float], until_at: datetime, reason: GapReason) -> Gap:
        since_s, until_s = piece
        # Before the first frame nothing is covered; counting back from the end is right
        # for recordings too, which have their own time.
        since_at = self._covered_at or until_at - timedelta(seconds=until_s - since_s)
        self._covered_at = until_at
        return Gap(
            camera_id=self._camera_id,
            since_s=since_s,
            until_s=until_s,
            since_at=since_at,
            until_at=until_at,
            reason=reason,
        )


_STANDING = frozenset({GapReason.MISSING_FRAMES, GapReason.STALLED})


def _silent(reason: GapReason) -> GapReason:
    return GapReason.STALLED if reason is GapReason.MISSING_FRAMES else reason
