"""Looks at one camera → its usual scene, and how far the present one is from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.capture.background import BackgroundPlate
from edge.capture.looks import Look, cell_detail, edges, offset_px

LEARNING_LOOKS = 20
"""Looks before the scene counts as learned: 10 s at the usual pace, so that traffic moves on."""
FOLLOW_SHARE = 1 / 1200
"""The scene follows light and seasons with a time constant of 10 min at two looks a second."""
SHARPNESS_SHARE = 1 / 600
FLAT_LEVELS = 3.0
"""A cell of an unknown scene with less deviation shows nothing."""
NOISE_LEVELS = 2.0
"""What sensor noise leaves in a thumbnail, where it is averaged out."""
DETAIL_LEVELS = 6.0
FLAT_SHARE = 0.35
FEWEST_CELLS = 8
TRUSTED_RESPONSE = 0.2
"""Real traffic views match themselves at 0.3 and above, unrelated pictures at 0.1 or less."""
SUDDEN_S = 60.0
"""Dusk takes twenty minutes; a hand, a sticker or a spider's web takes seconds."""
DARK_LEVEL = 0.08
LIT_LEVEL = 0.12
UNRELATED_RESPONSE = 0.12
SAME_LIGHT_LEVELS = 25.0
ELSEWHERE_AFTER_S = 20.0


class LearnedScene:
    """What a camera usually shows, learned from good pictures only."""

    def __init__(self, reference: NDArray[np.uint8] | None = None) -> None:
        """Start from nothing, or from a ``reference`` learned earlier."""
        self._plate = BackgroundPlate(most_samples=2 * LEARNING_LOOKS)
        self._sharpness: list[float] = []
        self._usual_sharpness: float | None = None
        self._mean: NDArray[np.float32] | None = None
        self._edges: NDArray[np.float32] | None = None
        self._cells: NDArray[np.float32] | None = None
        self._mean_level = 0.0
        self._shift: tuple[float, float] | None = None
        self._matched_s: float | None = None
        self._unmatched_s: float | None = None
        self._is_elsewhere = False
        self._seen_well_s: float | None = None
        self._lost_suddenly = False
        if reference is not None:
            self._adopt(reference.astype(np.float32))

    @property
    def reference(self) -> NDArray[np.uint8] | None:
        """The scene without traffic, shape (h, 160), uint8, grey, or None while learning."""
        return None if self._mean is None else self._mean.astype(np.uint8)

    @property
    def usual_sharpness(self) -> float | None:
        """What the camera is used to, or None while learning."""
        return self._usual_sharpness

    @property
    def shift(self) -> tuple[float, float] | None:
        """Displacement right and down as shares of width and height, None when unknown."""
        return self._shift

    @property
    def is_elsewhere(self) -> bool:
        """True when, in unchanged light, the view suddenly has nothing of the usual one."""
        return self._is_elsewhere

    @property
    def lost_suddenly(self) -> bool:
        """True when the detail that is missing now was there a minute before it went."""
        return self._lost_suddenly

    def see(self, look: Look, at_s: float) -> None:
        """Compare a look with the scene; call once for each look, before the questions."""
        if self._mean is not None and self._mean.shape != look.thumb.shape:
            self._forget()
        lost = self.lost_detail(look)
        self._compare(look, at_s, has_detail=lost < 0.5)
        if lost < 0.2 and look.median > LIT_LEVEL:
            self._seen_well_s = at_s
        if lost < 0.2:
            self._lost_suddenly = False
        elif lost > 0.8 and not self._lost_suddenly:
            recently = self._seen_well_s is not None and at_s - self._seen_well_s < SUDDEN_S
            # A lens covered before the agent started never showed anything; by day an
            # even picture has no other cause, by night darkness is one.
            never = self._cells is None and look.median > DARK_LEVEL
            self._lost_suddenly = recently or never

    def lost_detail(self, look: Look) -> float:
        """Share of the scene's usual detail that this look does not show, in [0, 1]."""
        if self._cells is None or self._cells.shape != look.cell_detail.shape:
            return float((look.cell_detail < FLAT_LEVELS).mean())
        structured = self._cells > DETAIL_LEVELS
        if structured.sum() < FEWEST_CELLS:
            return 0.0
        # Less light takes detail in proportion; a cover takes it out of proportion.
        light = min(1.0, float(look.thumb.mean()) / max(1.0, self._mean_level))
        lost = look.cell_detail < np.maximum(self._cells * FLAT_SHARE * light, NOISE_LEVELS)
        return float(lost[structured].mean())

    def learn(self, look: Look) -> None:
        """Take a good look into the scene."""
        if not np.isnan(look.sharpness):
            self._learn_sharpness(look.sharpness)
        if self._mean is not None:
            self._follow(look)
            return
        if self._plate.shape not in (None, look.thumb.shape):
            self._plate = BackgroundPlate(most_samples=2 * LEARNING_LOOKS)
        self._plate.add(look.thumb)
        if len(self._plate) >= LEARNING_LOOKS:
            self._adopt(self._plate.median().astype(np.float32))

    def _learn_sharpness(self, sharpness: float) -> None:
        if self._usual_sharpness is not None:
            self._usual_sharpness += SHARPNESS_SHARE * (sharpness - self._usual_sharpness)
            return
        self._sharpness.append(sharpness)
        if len(self._sharpness) >= LEARNING_LOOKS:
            self._usual_sharpness = float(np.median(self._sharpness))
            self._sharpness.clear()

    def _follow(self, look: Look) -> None:
        if self._mean is None or self._shift is None:
            return
        self._mean += np.float32(FOLLOW_SHARE) * (look.thumb - self._mean)
        self._refresh(self._mean)

    def _adopt(self, mean: NDArray[np.float32]) -> None:
        self._mean = mean
        self._refresh(mean)

    def _refresh(self, mean: NDArray[np.float32]) -> None:
        grey = mean.astype(np.uint8)
        self._edges, self._cells = edges(grey), cell_detail(grey)
        self._mean_level = float(mean.mean())

    def _forget(self) -> None:
        self._mean = self._edges = self._cells = None
        self._plate = BackgroundPlate(most_samples=2 * LEARNING_LOOKS)
        self._sharpness.clear()
        self._usual_sharpness = None

    def _compare(self, look: Look, at_s: float, *, has_detail: bool) -> None:
        self._shift = None
        if self._edges is None or self._mean is None:
            return
        right_px, down_px, response = offset_px(self._edges, edges(look.thumb))
        if response >= TRUSTED_RESPONSE:
            height, width = look.thumb.shape
            self._shift = right_px / width, down_px / height
            self._matched_s, self._unmatched_s = at_s, None
            self._is_elsewhere = False
            return
        # A camera by night resembles itself by day as little as another camera does, so
        # only a jump from resemblance to none, in the same light, means a turned camera.
        same_light = abs(float(look.thumb.mean() - self._mean.mean())) < SAME_LIGHT_LEVELS
        if not (same_light and has_detail) or self._matched_s is None:
            self._unmatched_s = None
            return
        is_unrelated = response < UNRELATED_RESPONSE
        if is_unrelated and self._unmatched_s is None and at_s - self._matched_s < SUDDEN_S:
            self._unmatched_s = at_s
        began_s = self._unmatched_s
        self._is_elsewhere |= began_s is not None and at_s - began_s >= ELSEWHERE_AFTER_S
