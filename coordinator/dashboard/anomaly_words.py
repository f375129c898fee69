"""An anomaly → the sentence that says what was seen, and what to look at next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from coordinator.dashboard.filters import duration, number
from coordinator.traffic.anomaly_store import AnomalyKind, ReviewState

KINDS: Mapping[AnomalyKind, str] = MappingProxyType(
    {
        AnomalyKind.LEG_SWAP: "Legs swapped",
        AnomalyKind.LEVEL_SHIFT: "Level shift",
        AnomalyKind.SILENT_CLASS: "Silent class",
    }
)
STATES: Mapping[ReviewState, tuple[str, str]] = MappingProxyType(
    {
        ReviewState.OPEN: ("Open", "watch"),
        ReviewState.CONFIRMED: ("Confirmed", "bad"),
        ReviewState.DISMISSED: ("Dismissed", "none"),
    }
)
"""State → its name and tone."""

_ADVICE = MappingProxyType(
    {
        AnomalyKind.LEG_SWAP: (
            "Look whether the camera was turned or remounted, or an older site file was put "
            "back. If so, correct the names of the lines; the counts since then belong to the "
            "other legs."
        ),
        AnomalyKind.LEVEL_SHIFT: (
            "Works, a closure, a new timetable or holidays may explain it. If nothing does, "
            "look whether the view or the line has moved, or something stands in the way."
        ),
        AnomalyKind.SILENT_CLASS: (
            "Look whether the part of the view where they pass is covered, and whether the "
            "box has had another model since then."
        ),
    }
)
_ALMOST_NOTHING = 0.02
_MANY_TIMES = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An anomaly in words.

    Attributes:
        sentence: What was seen, with its numbers.
        advice: What to do about it.
        lasted: How long it went on.
    """

    sentence: str
    advice: str
    lasted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a detector found, as the services tell it."""

    kind: AnomalyKind
    subject: str
    start: datetime
    end: datetime
    detail: Mapping[str, Any]


def tell(seen: Seen) -> Told:
    """The words of one anomaly."""
    sentence = {
        AnomalyKind.LEG_SWAP: _leg_swap,
        AnomalyKind.LEVEL_SHIFT: _level_shift,
        AnomalyKind.SILENT_CLASS: _silent_class,
    }[seen.kind](seen)
    lasted = duration((seen.end - seen.start).total_seconds())
    return Told(sentence=sentence, advice=_ADVICE[seen.kind], lasted=lasted)


def _level_shift(seen: Seen) -> str:
    name, _, direction = seen.subject.rpartition(" ")
    where = f"{name} ({direction})" if name else seen.subject
    ratio = _known(seen.detail, "ratio")
    if ratio is None:
        return f"Counts on {where} stay away from what is usual there."
    if ratio < _ALMOST_NOTHING:
        return f"Almost nothing is counted on {where} any more."
    if ratio >= _MANY_TIMES:
        return f"Counts on {where} stay at {number(ratio, 1)} times what is usual there."
    change = abs(ratio - 1) * 100
    side = "above" if ratio >= 1 else "below"
    return f"Counts on {where} stay {change:.0f} % {side} what is usual there."


def _leg_swap(seen: Seen) -> str:
    exchanged = seen.detail.get("looks_like")
    pairs = exchanged if isinstance(exchanged, dict) else {}
    told = " and ".join(f"{leg} shows the traffic of {other}" for leg, other in pairs.items())
    before, after = _known(seen.detail, "misfit"), _known(seen.detail, "misfit_if_exchanged")
    fit = ""
    if before is not None and after is not None:
        times = before / max(after, 0.1)
        fit = f" With the names exchanged the day fits {number(times)} times better."
    return (told[:1].upper() + told[1:] if told else f"Lines changed places: {seen.subject}") + (
        f".{fit}"
    )


def _silent_class(seen: Seen) -> str:
    expected = _known(seen.detail, "expected")
    usual = f"; about {number(expected)} would have been usual" if expected else ""
    return f"No {seen.subject} was counted in {_hours(seen)}{usual}."


def _hours(seen: Seen) -> str:
    return duration((seen.end - seen.start).total_seconds())


def _known(detail: Mapping[str, Any], name: str) -> float | None:
    value = detail.get(name)
    return float(value) if isinstance(value, int | float) else None
