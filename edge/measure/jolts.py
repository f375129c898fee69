"""Points around a cut → whether the road user moved, or the picture under it did."""

from __future__ import annotations

from edge.measure.counting_lines import CountingLine, Cut
from edge.measure.foot import FootPath

# What a camera that is knocked or sways in the wind does to a parked car beside a line: it
# stands, is somewhere else within half a second, and stands again. A step explains such a
# path much better than steady motion does; whoever walks slowly over a line walks steadily.
_STEP_S = 0.25
_AROUND_S = 1.0
_FEWEST_POINTS = 3
_BETTER = 0.65
# A queue that creeps moves by a metre or more, two thirds of a car's height.
_JOLT_SHARE = 0.4
_GONE_SHARE = 1.0


def was_jolted(path: FootPath, line: CountingLine, cut: Cut) -> bool:
    """True when the road user stood before the cut, stands after it, and is hardly elsewhere."""
    before: list[tuple[float, float]] = []
    after: list[tuple[float, float]] = []
    for point in path.points:
        since_s = point.at_s - cut.at_s
        if _STEP_S <= abs(since_s) <= _AROUND_S:
            (before if since_s < 0 else after).append((since_s, line.distance(*point.raw)))
    if min(len(before), len(after)) < _FEWEST_POINTS:
        return False
    jump = abs(_mean([d for _, d in after]) - _mean([d for _, d in before]))
    if jump > _JOLT_SHARE * line.extent(path.last):
        return False
    step_error = _scatter([d for _, d in before]) + _scatter([d for _, d in after])
    return step_error < _BETTER * _ramp_error(before + after)


def has_gone_on(path: FootPath, line: CountingLine, cut: Cut) -> bool:
    """True when a road user whose cut looked like a jolt has driven away from the line since."""
    if path.last.at_s <= cut.at_s:
        return False
    return abs(line.distance(path.last.x, path.last.y)) >= _GONE_SHARE * line.extent(path.last)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _scatter(values: list[float]) -> float:
    middle = _mean(values)
    return sum((value - middle) ** 2 for value in values)


def _ramp_error(samples: list[tuple[float, float]]) -> float:
    middle_s, middle = _mean([t for t, _ in samples]), _mean([d for _, d in samples])
    spread = sum((t - middle_s) ** 2 for t, _ in samples)
    pace = sum((t - middle_s) * d for t, d in samples) / spread
    return sum((d - middle - pace * (t - middle_s)) ** 2 for t, d in samples)
