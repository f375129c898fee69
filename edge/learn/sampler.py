"""Frames and tracks of one camera → the few pictures worth keeping, with labels from the tracks.

The camera's thread calls this for every frame: it does arithmetic on a few tracks, and copies
a picture only when it is the best of its window so far. Everything slow is left to whoever
takes the finished ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

import numpy as np
from numpy.typing import NDArray

from edge.capture.frames import Frame
from edge.capture.pixels import Bgr
from edge.capture.quality import QualityIssue, QualityVerdict
from edge.learn.histories import TrackHistories
from edge.learn.marks import Marks
from edge.learn.pseudo_labels import TrackRules, labels_at
from edge.learn.selection import BETTER_BY, FrameWatch, Quotas, Reason, chance, worth
from edge.learn.settings import SamplingSettings
from edge.track.tracks import TrackedFrame

# Nothing can be learned from a covered lens or a picture that stands still; darkness and rain
# are what a detector should learn.
_UNUSABLE = frozenset({QualityIssue.BLOCKED, QualityIssue.FROZEN})

SETTLE_S = 6.0
"""Longer than a standing track waits for its road user (4 s) and a moving one is found again."""
LEAST_SETTLE_S = 1.5
"""By then most road users that the detector hesitates about have been confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen:
    """A picture to keep.

    Attributes:
        image: Shape (h, w, 3), uint8, BGR, our own copy.
        frame_size: Width and height that the marks refer to.
        marks: What the tracks say of it.
    """

    camera_id: str
    taken_at: datetime
    image: NDArray[np.uint8]
    frame_size: tuple[int, int]
    marks: Marks
    reasons: tuple[Reason, ...]
    value: float


@dataclass(slots=True, eq=False)
class _Held:
    """The best picture of a window; ``marks`` once its road users have shown what they do."""

    frame: Frame
    strengths: Mapping[Reason, float]
    value: float
    marks: Marks | None = None


class Sampler:
    """One camera's choice in one run of it; used by that camera's thread alone."""

    def __init__(
        self,
        *,
        frame_size: tuple[int, int],
        settings: SamplingSettings,
        quotas: Quotas,
        zone: tzinfo,
        take: Callable[[Chosen], None],
    ) -> None:
        """Prepare.

        Args:
            frame_size: Width and height that the tracks refer to.
            settings: How many, how far apart.
            quotas: Told what earlier runs kept.
            zone: Of hours and days.
            take: Given each finished picture; must not block.
        """
        self._frame_size = frame_size
        self._settings = settings
        self._quotas = quotas
        self._zone = zone
        self._take = take
        self._histories = TrackHistories()
        self._watch = FrameWatch()
        self._held: _Held | None = None
        self._closed: _Held | None = None
        self._window = -1

    def offer(self, frame: Frame, tracked: TrackedFrame, quality: QualityVerdict) -> None:
        """Look at the next frame; its picture is copied only when it is chosen."""
        now_s = tracked.captured_s
        self._histories.update(tracked)
        strengths = self._watch.strengths(tracked, unseen=len(self._histories.unseen()))
        window = int(now_s // self._settings.window_s)
        if window != self._window:
            self._close_window()
            self._window = window
        for held in (self._held, self._closed):
            if held and held.marks is None and self._is_settled(held, now_s):
                self._mark(held)
        if self._closed and self._closed.marks is not None:
            self._finish()
        if not quality.issues & _UNUSABLE:
            self._consider(frame, strengths)

    def end_run(self) -> None:
        """Finish what is held with what is known by now."""
        self._close_window()
        self._finish()

    def _consider(self, frame: Frame, strengths: Mapping[Reason, float]) -> None:
        at = frame.captured_at.astimezone(self._zone)
        if not self._quotas.allows(at) or not (left := self._quotas.left_of(strengths, at)):
            return
        value = worth(left) + chance(self._settings.seed, frame.camera_id, frame.captured_s)
        if self._held is None or value > self._held.value + BETTER_BY:
            kept = replace(frame, pixels=Bgr(frame.image.copy()))
            self._held = _Held(frame=kept, strengths=left, value=value)

    def _is_settled(self, held: _Held, now_s: float) -> bool:
        waited_s = now_s - held.frame.captured_s
        if waited_s >= SETTLE_S:
            return True
        until_s = held.frame.captured_s + TrackRules().edge_s
        return waited_s >= LEAST_SETTLE_S and self._histories.are_settled(until_s)

    def _mark(self, held: _Held) -> None:
        held.marks = labels_at(self._histories.lives(), held.frame.captured_s, self._frame_size)

    def _close_window(self) -> None:
        self._finish()
        self._closed, self._held = self._held, None
        if self._closed:
            at = self._closed.frame.captured_at.astimezone(self._zone)
            self._quotas.note(at, frozenset(self._closed.strengths))

    def _finish(self) -> None:
        held, self._closed = self._closed, None
        if held is None:
            return
        if held.marks is None:
            self._mark(held)
        marks = held.marks or Marks()
        strengths = dict(held.strengths)
        if not marks.has_gap:
            strengths.pop(Reason.TRACK_GAP, None)  # nobody came back: no mistake is proven
        self._take(
            Chosen(
                camera_id=held.frame.camera_id,
                taken_at=held.frame.captured_at,
                image=held.frame.image,
                frame_size=self._frame_size,
                marks=marks,
                reasons=tuple(sorted(strengths)),
                value=worth(strengths),
            )
        )
