"""Frames → what their pictures are worth: dark, bright, blurred, frozen, blocked, shifted.

One look every half second at a thumbnail; a verdict stands until the next look.
States are entered and left with two thresholds and a time (``latches``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from edge.capture.frames import Frame
from edge.capture.latches import Latch, Reading, above, below
from edge.capture.looks import Look, look_at
from edge.capture.scene import LearnedScene


class QualityIssue(StrEnum):
    """What is wrong with the picture of a camera."""

    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    BLURRED = "blurred"
    FROZEN = "frozen"
    BLOCKED = "blocked"
    SHIFTED = "shifted"


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityLimits:
    """When a picture counts as bad, and why there.

    Levels run from 0 (black) to 1 (white). Each ``enter``/``leave`` pair leaves room
    for a picture to waver without a change of state.

    Attributes:
        check_every_s: Time between two looks, on the stream clock.
        hold_s: How long dark, bright, blurred and shifted must last. Longer than
            headlights sweep a lens or an exposure control needs to settle.
        leave_s: How long the picture must be good again.
        dark_enter: Median level below which nothing between the lamps is seen. Lit
            streets at night have 0.1 and more.
        dark_leave: Median level from which road users show again.
        bright_enter: Share of the picture at the white end. Overcast sky fills up to a
            third of a usual view; headlights a few per cent.
        bright_leave: Share at the white end that leaves enough road to see.
        blur_enter: Sharpness as a share of what this camera is used to. Half is what a
            Gaussian of 2 px does to a picture 640 px wide, where small cars merge.
        blur_leave: Share from which the picture is sharp again.
        blur_floor: Sharpness that no focused traffic camera falls below; catches one
            that was blurred from the start.
        frozen_after_s: How long the picture must stay the same. Longer than an encoder
            leaves an empty road untouched between two key frames.
        blocked_after_s: How long the lens must be covered. Longer than a lorry needs to
            pass close by.
        flat_cells_enter: Share of the usual detail that must be gone.
        flat_cells_leave: Share gone that still shows most of the scene.
        shift_enter: Displacement as a share of the picture's width. At 2.5 % a line
            drawn on a lane of a typical junction view lies beside it.
        shift_leave: Displacement that section lines tolerate.
    """

    check_every_s: float = 0.5
    hold_s: float = 5.0
    leave_s: float = 3.0
    dark_enter: float = 0.05
    dark_leave: float = 0.08
    bright_enter: float = 0.5
    bright_leave: float = 0.35
    blur_enter: float = 0.55
    blur_leave: float = 0.7
    blur_floor: float = 0.07
    frozen_after_s: float = 20.0
    blocked_after_s: float = 10.0
    flat_cells_enter: float = 0.8
    flat_cells_leave: float = 0.5
    shift_enter: float = 0.025
    shift_leave: float = 0.015


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityVerdict:
    """What the picture is worth at this moment.

    Attributes:
        issues: Everything that is wrong; empty when the picture is good.
        brightness: Mean level of the last look, 0 (black) to 1 (white).
        unchanged_s: How long the picture has been the same, in seconds; a frozen
            camera was frozen for that long before the issue was raised.
        shift: Displacement right and down against the learned view, as shares of width
            and height; None while it cannot be told.
    """

    issues: frozenset[QualityIssue]
    brightness: float
    unchanged_s: float = 0.0
    shift: tuple[float, float] | None = None

    @property
    def is_good(self) -> bool:
        """True when nothing is wrong with the picture."""
        return not self.issues


class QualityValidator:
    """Judge the frames of one camera, in time order."""

    def __init__(
        self, limits: QualityLimits, *, reference: NDArray[np.uint8] | None = None
    ) -> None:
        """Start with an unknown scene, or with one that was learned before.

        Args:
            limits: When a picture counts as bad.
            reference: Shape (h, 160), uint8, grey: ``reference`` of an earlier run, so
                that a camera that was moved while the box was off is still noticed.
        """
        self._limits = limits
        self._scene = LearnedScene(reference)
        self._latches = {
            issue: Latch(enter_after_s=_enter_s(issue, limits), leave_after_s=limits.leave_s)
            for issue in QualityIssue
        }
        self._still_thumb: NDArray[np.uint8] | None = None
        self._still_since_s = 0.0
        self._checked_s: float | None = None
        self._verdict = QualityVerdict(issues=frozenset(), brightness=0.0)

    @property
    def reference(self) -> NDArray[np.uint8] | None:
        """The scene as learned, shape (h, 160), uint8, grey, or None while learning."""
        return self._scene.reference

    def check(self, frame: Frame) -> QualityVerdict:
        """The verdict for this frame; looks at it only when a look is due."""
        at_s = frame.captured_s
        if self._checked_s is None or at_s - self._checked_s >= self._limits.check_every_s:
            self._checked_s = at_s
            self._verdict = self._judge(look_at(frame.image), at_s)
        return self._verdict

    def interrupt(self) -> None:
        """Note a time without frames: what was building up starts again."""
        self._still_thumb = None
        self._checked_s = None
        for latch in self._latches.values():
            latch.interrupt()

    def _judge(self, look: Look, at_s: float) -> QualityVerdict:
        self._scene.see(look, at_s)
        unchanged_s = self._unchanged_s(look, at_s)
        readings = {
            QualityIssue.TOO_DARK: self._dark(look),
            QualityIssue.TOO_BRIGHT: self._bright(look),
            QualityIssue.BLURRED: self._blurred(look),
            QualityIssue.FROZEN: self._frozen(look, unchanged_s),
            QualityIssue.BLOCKED: self._blocked(look),
            QualityIssue.SHIFTED: self._shifted(),
        }
        issues = frozenset(
            issue for issue, latch in self._latches.items() if latch.update(readings[issue], at_s)
        )
        # Neither a bad picture nor one that may be turning bad is what this camera is used to.
        if not issues and Reading.BAD not in readings.values():
            self._scene.learn(look)
        return QualityVerdict(
            issues=issues,
            brightness=look.brightness,
            unchanged_s=unchanged_s,
            shift=self._scene.shift,
        )

    def _dark(self, look: Look) -> Reading:
        return below(look.median, enter=self._limits.dark_enter, leave=self._limits.dark_leave)

    def _bright(self, look: Look) -> Reading:
        return above(
            look.saturated_share,
            enter=self._limits.bright_enter,
            leave=self._limits.bright_leave,
        )

    def _blurred(self, look: Look) -> Reading:
        limits = self._limits
        # An even, dark or burnt-out picture has no edges to be sharp.
        if np.isnan(look.sharpness) or self._dark(look) is Reading.BAD:
            return Reading.BETWEEN
        usual = self._scene.usual_sharpness or 0.0
        floor = limits.blur_floor
        return below(
            look.sharpness,
            enter=max(floor, usual * limits.blur_enter),
            leave=max(floor * 1.2, usual * limits.blur_leave),
        )

    def _frozen(self, look: Look, unchanged_s: float) -> Reading:
        if unchanged_s == 0:
            return Reading.GOOD
        # Black looks the same whether it is live or not.
        return Reading.BETWEEN if self._dark(look) is Reading.BAD else Reading.BAD

    def _blocked(self, look: Look) -> Reading:
        lost = self._scene.lost_detail(look)
        reading = above(
            lost, enter=self._limits.flat_cells_enter, leave=self._limits.flat_cells_leave
        )
        # Dusk takes the detail away too, but slowly, or from a scene that is dark already.
        if reading is Reading.BAD and not self._scene.lost_suddenly:
            return Reading.BETWEEN
        return reading

    def _shifted(self) -> Reading:
        if self._scene.is_elsewhere:
            return Reading.BAD
        if self._scene.shift is None:
            return Reading.BETWEEN
        distance = float(np.hypot(*self._scene.shift))
        return above(distance, enter=self._limits.shift_enter, leave=self._limits.shift_leave)

    def _unchanged_s(self, look: Look, at_s: float) -> float:
        still = self._still_thumb
        if still is None or still.shape != look.thumb.shape or _differ(still, look.thumb):
            self._still_thumb, self._still_since_s = look.thumb, at_s
        return at_s - self._still_since_s


def _enter_s(issue: QualityIssue, limits: QualityLimits) -> float:
    # The first look at a frozen picture is one interval into it.
    special = {
        QualityIssue.FROZEN: limits.frozen_after_s - limits.check_every_s,
        QualityIssue.BLOCKED: limits.blocked_after_s,
    }
    return special.get(issue, limits.hold_s)


def _differ(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> bool:
    # Compared with the first picture of the still time, so slow changes add up. One level
    # anywhere is what a recorder's re-encoding does to one and the same picture.
    change = np.abs(a.astype(np.int16) - b)
    return bool(change.max() > 2 or change.mean() > 0.25)
