"""One camera's frames → detections → tracks → measurements, as one readable chain."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from common.site import Camera
from edge.capture.frames import Frame
from edge.capture.ingestion import CapturedFrame
from edge.capture.outages import Gap
from edge.capture.quality import QualityIssue, QualityVerdict
from edge.detect.detections import Detections
from edge.detect.side_by_side import SideBySide
from edge.measure.bins import MinuteBin
from edge.measure.filling import FrameAccount
from edge.measure.stage import Measure, Measured
from edge.track.tracker import Tracker
from edge.track.tracks import TrackedFrame

# Nothing new is seen in such a picture: its time is a gap. In a dark, blurred or shifted one
# road users still show; their counts are flagged instead.
_UNUSABLE = frozenset({QualityIssue.BLOCKED, QualityIssue.FROZEN})

_DETECTED_AHEAD = 2
"""Frames that may wait between the network and the tracker, so that the two overlap."""


class Detector(Protocol):
    """What finds road users in a frame: the engine, or the batches several cameras share."""

    def detect(self, frame: Frame, *, frame_size: tuple[int, int]) -> Detections:
        """Boxes in pixels of ``frame_size`` (width, height)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """What one frame, or one gap, led to.

    Attributes:
        frame: The frame, or None for a gap.
        gap: The gap, or None for a frame.
        quality: What the picture is worth, None for a gap.
        tracked: The frame's tracks, None for a gap.
        measured: What became certain, empty for a gap.
        bins: Minutes that closed, oldest first; also while the camera is away.
    """

    frame: Frame | None = None
    gap: Gap | None = None
    quality: QualityVerdict | None = None
    tracked: TrackedFrame | None = None
    measured: Measured
    bins: tuple[MinuteBin, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stages:
    """What one camera's frames pass through.

    Attributes:
        detector: May be shared between cameras.
        tracker: This camera's own.
        measure: This camera's own; holds the bins.
        in_flight: Frames that the detector may work on at one time.
    """

    detector: Detector
    tracker: Tracker
    measure: Measure
    in_flight: int = 1


class CameraPipeline:
    """Everything that happens to one camera's frames; iterate it once."""

    def __init__(
        self,
        *,
        camera: Camera,
        capture: Iterable[CapturedFrame | Gap],
        stages: Stages,
        stop: threading.Event,
    ) -> None:
        """Prepare; nothing runs yet.

        Args:
            camera: Its sections are in pixels of its ``frame_size``.
            capture: Frames and gaps in time order.
            stages: What they pass through.
            stop: Ends the iteration when set.
        """
        self._camera = camera
        self._capture = capture
        self._detector = stages.detector
        self._tracker = stages.tracker
        self._in_flight = stages.in_flight
        self._stop = stop
        self._last_index = -1
        self.measure = stages.measure

    def __iter__(self) -> Iterator[Step]:
        """Yield one step per frame or gap, and a last one with what was still held."""
        seen = SideBySide(
            self._capture,
            self._detected,
            lanes=self._in_flight,
            ahead=_DETECTED_AHEAD,
            stop=self._stop,
        )
        with closing(iter(seen)) as items:
            for item, detections in items:
                if isinstance(item, Gap):
                    yield self._interrupted(item)
                elif detections is not None:
                    yield self._followed(item, detections)
        self._tracker.finish()
        measured, bins = self.measure.finish()
        yield Step(measured=measured, bins=tuple(bins))

    def _detected(self, item: CapturedFrame | Gap) -> Detections | None:
        """What is in a frame; nothing is in a gap."""
        if isinstance(item, Gap):
            return None
        return self._detector.detect(item.frame, frame_size=self._camera.frame_size)

    def _followed(self, captured: CapturedFrame, detections: Detections) -> Step:
        frame, quality = captured.frame, captured.quality
        tracked = self._tracker.update(detections)
        dropped = max(frame.index - self._last_index - 1, 0)
        self._last_index = frame.index
        account = FrameAccount(
            captured_s=frame.captured_s,
            captured_at=frame.captured_at,
            is_usable=not quality.issues & _UNUSABLE,
            brightness=quality.brightness * 255,
            dropped=dropped,
            detected=len(tracked.points) + tracked.unassigned,
            unassigned=tracked.unassigned,
            flags=tuple(sorted(issue.value for issue in quality.issues)),
        )
        measured = self.measure.update(tracked, account)
        return Step(
            frame=frame,
            quality=quality,
            tracked=tracked,
            measured=measured,
            bins=tuple(self.measure.bins_ready()),
        )

    def _interrupted(self, gap: Gap) -> Step:
        self.measure.advance(gap.until_at)
        return Step(gap=gap, measured=Measured(), bins=tuple(self.measure.bins_ready()))
