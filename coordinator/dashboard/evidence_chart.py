"""Evidence of an anomaly → small charts: what was counted, what is usual, and hours unwatched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from coordinator.dashboard.filters import day_time
from coordinator.traffic.anomaly_evidence import Curve, Evidence

WIDE, HIGH = 1000, 100
"""The chart is stretched to its place; lines keep their width."""

_HOUR = timedelta(hours=1)
_HEADROOM = 1.08


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A span of time, in per cent of the width."""

    left: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallChart:
    """One curve as it is drawn.

    Attributes:
        counted: SVG path; broken where nobody watched.
        usual: SVG path of what is usual.
        other: SVG path of what is usual for the leg that this one looks like, or empty.
        unwatched: Hours without a number.
        most: What the top of the chart stands for.
        sentence: The same for people who do not see it.
    """

    name: str
    counted: str
    usual: str
    other: str
    other_name: str
    unwatched: tuple[Band, ...]
    most: float
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceChart:
    """All curves over one axis of time.

    Attributes:
        suspect: The hours that the anomaly is about.
        first: Text at the left end of the axis.
        last: Text at its right end.
    """

    charts: tuple[SmallChart, ...]
    suspect: Band
    first: str
    last: str


def draw_evidence(evidence: Evidence) -> EvidenceChart:
    """What to draw of an anomaly."""
    starts, finding = evidence.starts, evidence.anomaly.finding
    first, end = starts[0], starts[-1] + _HOUR
    zone = evidence.scene.site.timezone
    left = _share(max(finding.start, first), first, end)
    right = _share(min(finding.end, end), first, end)
    return EvidenceChart(
        charts=tuple(_draw(curve, evidence) for curve in evidence.curves),
        suspect=Band(left=left, width=round(right - left, 3)),
        first=day_time(first, zone),
        last=day_time(end, zone),
    )


def _draw(curve: Curve, evidence: Evidence) -> SmallChart:
    other = next((one for one in evidence.curves if one.name == curve.looks_like), None)
    others = other.usual if other else ()
    known = [value for value in (*curve.counted, *curve.usual, *others) if value is not None]
    most = max(known, default=0.0) or 1.0
    return SmallChart(
        name=curve.name,
        counted=_path(curve.counted, most * _HEADROOM),
        usual=_path(curve.usual, most * _HEADROOM),
        other=_path(others, most * _HEADROOM) if other else "",
        other_name=other.name if other else "",
        unwatched=tuple(_unwatched(curve.counted)),
        most=most,
        sentence=_sentence(curve, evidence),
    )


def _path(values: Sequence[float | None], top: float) -> str:
    """Steps, an hour wide each: a count belongs to its whole hour."""
    wide = WIDE / len(values)
    parts: list[str] = []
    is_drawing = False
    for place, value in enumerate(values):
        if value is None:
            is_drawing = False
            continue
        left, right, high = place * wide, (place + 1) * wide, HIGH * (1 - value / top)
        parts.append(f"{'L' if is_drawing else 'M'}{left:.1f} {high:.2f}H{right:.1f}")
        is_drawing = True
    return "".join(parts)


def _unwatched(values: Sequence[float | None]) -> Iterator[Band]:
    wide, began = 100 / len(values), None
    for place, value in enumerate([*values, 0.0]):
        if value is None and began is None:
            began = place
        elif value is not None and began is not None:
            yield Band(left=round(began * wide, 3), width=round((place - began) * wide, 3))
            began = None


def _sentence(curve: Curve, evidence: Evidence) -> str:
    finding = evidence.anomaly.finding
    counted = usual = 0.0
    pairs = zip(evidence.starts, curve.counted, curve.usual, strict=True)
    for start, number, expected in pairs:
        if finding.start <= start < finding.end and number is not None and expected is not None:
            counted, usual = counted + number, usual + expected
    return f"{curve.name}: {counted:.0f} counted in the marked hours, {usual:.0f} usual"


def _share(at: datetime, first: datetime, end: datetime) -> float:
    return round(100 * (at - first).total_seconds() / (end - first).total_seconds(), 3)
