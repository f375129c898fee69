"""Footpaths and arrivals → people who walk, wait at the kerb and cross."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.simulate.catalogue import VARIANTS
from edge.simulate.config import SceneConfig
from edge.simulate.layouts import Footpath
from edge.simulate.traffic import STEP_S

_KEEP_M = 1.0
_MOST_WAITING = 4


@dataclass(slots=True, kw_only=True)
class Walker:
    """One person on foot."""

    id: int
    variant: int
    footpath: Footpath
    aside_m: float
    desired_mps: float
    along_m: float = 0.0
    before_m: float = 0.0
    speed_mps: float = 0.0

    @property
    def is_on_road(self) -> bool:
        """True from leaving the kerb until the other side is reached."""
        path = self.footpath
        if path.kerb_m is None or path.over_m is None:
            return False
        return path.kerb_m + 0.05 < self.along_m < path.over_m


class Walkers:
    """All people on foot of a scene."""

    def __init__(self, config: SceneConfig, footpaths: tuple[Footpath, ...]) -> None:
        self.walkers: list[Walker] = []
        self._footpaths = footpaths if not config.trips else ()
        self._rng = np.random.default_rng([config.seed, 21])
        self._rate_per_s = config.pedestrians_per_min / 60
        self._next_s = [self._pause() for _ in self._footpaths]

    def _pause(self) -> float:
        if self._rate_per_s == 0:
            return float("inf")
        return 1.5 + float(self._rng.exponential(1 / self._rate_per_s))

    @property
    def on_road(self) -> bool:
        """True while anybody is between the kerbs."""
        return any(w.is_on_road for w in self.walkers)

    @property
    def waiting(self) -> bool:
        """True while anybody stands at a kerb."""
        return any(
            w.speed_mps == 0 and w.footpath.kerb_m is not None and not w.is_on_road
            for w in self.walkers
        )

    def step(self, at_s: float, next_id: int, *, may_cross: bool) -> int:
        """Move everybody by one step; the number of people who arrived."""
        arrived = 0
        for i, footpath in enumerate(self._footpaths):
            if at_s >= self._next_s[i]:
                self._next_s[i] = at_s + self._pause()
                if sum(w.footpath is footpath for w in self.walkers) < 2 * _MOST_WAITING:
                    self.walkers.append(self._arrive(footpath, next_id + arrived))
                    arrived += 1
        for walker in self.walkers:
            self._move(walker, may_cross=may_cross)
        self.walkers = [w for w in self.walkers if w.along_m < w.footpath.path.length_m]
        return arrived

    def _arrive(self, footpath: Footpath, walker_id: int) -> Walker:
        return Walker(
            id=walker_id,
            variant=int(self._rng.integers(VARIANTS)),
            footpath=footpath,
            aside_m=float(self._rng.uniform(-0.25, 0.25)),
            desired_mps=float(np.clip(self._rng.normal(1.38, 0.12), 1.15, 1.7)),
        )

    def _move(self, walker: Walker, *, may_cross: bool) -> None:
        step = walker.desired_mps * STEP_S
        target = walker.along_m + step
        kerb = walker.footpath.kerb_m
        if kerb is not None and walker.along_m <= kerb < target and not may_cross:
            target = walker.along_m
        for other in self.walkers:
            ahead = other.along_m - walker.along_m
            if other.footpath is walker.footpath and 0 < ahead < _KEEP_M:
                target = min(target, max(walker.along_m, other.along_m - _KEEP_M))
        walker.speed_mps = (target - walker.along_m) / STEP_S
        walker.before_m, walker.along_m = walker.along_m, target
