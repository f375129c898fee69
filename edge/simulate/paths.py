"""Straights and arcs on the ground → positions and headings by distance."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from common.geometry import Point


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A way over the ground, sampled finely; tuples, since it is asked for one spot at a time.

    Attributes:
        points_m: Positions.
        along_m: Distance of each from the start.
    """

    points_m: tuple[Point, ...]
    along_m: tuple[float, ...]

    @classmethod
    def through(cls, points: Sequence[Point]) -> Path:
        """Straight pieces between points.

        Raises:
            ValueError: Fewer than two points.
        """
        if len(points) < 2:
            raise ValueError(f"a path needs two points, got {len(points)}")
        along = [0.0]
        for a, b in pairwise(points):
            along.append(along[-1] + math.hypot(b.x - a.x, b.y - a.y))
        return cls(tuple(points), tuple(along))

    @property
    def length_m(self) -> float:
        """Distance from start to end."""
        return self.along_m[-1]

    def at(self, distance_m: float) -> tuple[Point, float]:
        """Position and heading (anticlockwise from east); straight on beyond both ends."""
        i = min(max(bisect_right(self.along_m, distance_m) - 1, 0), len(self.along_m) - 2)
        a, b = self.points_m[i], self.points_m[i + 1]
        share = (distance_m - self.along_m[i]) / (self.along_m[i + 1] - self.along_m[i])
        spot = Point(a.x + (b.x - a.x) * share, a.y + (b.y - a.y) * share)
        return spot, math.atan2(b.y - a.y, b.x - a.x)


def corner(start: Point, control: Point, end: Point) -> list[Point]:
    """A turn as a rational quadratic: a circular arc when both arms are equally long."""
    t = np.linspace(0.0, 1.0, 41)[:, None]
    a, b, c = (np.asarray(p) for p in (start, control, end))
    arms = (b - a, c - b)
    cosine = float(arms[0] @ arms[1] / np.hypot(*arms[0]) / np.hypot(*arms[1]))
    weight = np.sqrt((1 + cosine) / 2)  # Piegl & Tiller, The NURBS Book, §7.3
    top = (1 - t) ** 2 * a + 2 * weight * t * (1 - t) * b + t**2 * c
    below = (1 - t) ** 2 + 2 * weight * t * (1 - t) + t**2
    return [Point(float(x), float(y)) for x, y in top / below]
