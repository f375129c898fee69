"""What a box found on the calibration set → figures, and whether the model may count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.release import reasons
from common.release.calibration import FrameBoxes
from common.release.manifest import Gate
from common.release_state import GateFigures
from edge.detect.decode import overlaps

LEAST_IOU = 0.5
"""Two boxes are of one road user from here on, as in PASCAL VOC and mAP50."""

COUNTED_SCORE = 0.25
"""What begins a track, roughly; weaker boxes only prolong one. Reference boxes below it are not
looked for: half precision alone moves them over the engine's floor and back."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Boxes that agree, and those of either side that are alone."""

    both: int = 0
    found_alone: int = 0
    wanted_alone: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(
            self.both + other.both,
            self.found_alone + other.found_alone,
            self.wanted_alone + other.wanted_alone,
        )

    @property
    def recall(self) -> float:
        """Share of the wanted ones that were found; 1 when none was wanted."""
        wanted = self.both + self.wanted_alone
        return self.both / wanted if wanted else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 when nothing was there and nothing found."""
        boxes = 2 * self.both + self.found_alone + self.wanted_alone
        return 2 * self.both / boxes if boxes else 1.0


def match_share(found: Sequence[FrameBoxes], reference: Sequence[FrameBoxes]) -> float:
    """Share of the reference's boxes that were found again."""
    wanted = [_above(frame, COUNTED_SCORE) for frame in reference]
    return _tally(found, wanted).recall


def f1(found: Sequence[FrameBoxes], truth: Sequence[FrameBoxes]) -> float:
    """F1 of what would be counted, over all frames and classes together."""
    return _tally([_above(frame, COUNTED_SCORE) for frame in found], truth).f1


def verdict(gate: Gate, figures: GateFigures) -> str | None:
    """Why the model may not count, or None when it may."""
    if figures.match < gate.least_match:
        return reasons.MISMATCH
    if figures.f1 < gate.least_f1:
        return reasons.LOW_F1
    if figures.active_f1 is not None and figures.f1 < figures.active_f1 - gate.most_f1_loss:
        return reasons.F1_LOSS
    return None


def _tally(found: Sequence[FrameBoxes], wanted: Sequence[FrameBoxes]) -> Tally:
    total = Tally()
    for one, other in zip(found, wanted, strict=True):
        for index in np.union1d(one.classes, other.classes):
            total += _matched(_of_class(one, index), _of_class(other, index))
    return total


def _matched(found: FrameBoxes, wanted: FrameBoxes) -> Tally:
    """Best-scored first, each takes the box it covers best among those that are left."""
    shares = overlaps(found.boxes_px, wanted.boxes_px)
    both = 0
    for row in np.argsort(-found.scores, kind="stable"):
        if not shares.shape[1]:
            break
        best = int(shares[row].argmax())
        if shares[row, best] >= LEAST_IOU:
            both += 1
            shares[:, best] = -1
    return Tally(both, len(found.scores) - both, len(wanted.scores) - both)


def _above(frame: FrameBoxes, score: float) -> FrameBoxes:
    return _kept(frame, frame.scores >= score)


def _of_class(frame: FrameBoxes, index: int) -> FrameBoxes:
    return _kept(frame, frame.classes == index)


def _kept(frame: FrameBoxes, rows: NDArray[np.bool_]) -> FrameBoxes:
    return FrameBoxes(
        boxes_px=frame.boxes_px[rows], classes=frame.classes[rows], scores=frame.scores[rows]
    )
