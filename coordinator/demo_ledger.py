"""Truth, box and database of one demo camera → the same rows side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Row = tuple[str, str, str]
"""Line, direction, class."""

Tally = Counter[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One class over one line in one direction, as three sources know it."""

    row: Row
    true: int
    box: int
    stored: int


def true_tally(truth: Mapping[str, Any]) -> Tally:
    """Crossings in the truth file of a simulated scene."""
    return Counter(
        (line["name"], event["direction"], event["class"])
        for line in truth["lines"]
        for event in line["events"]
    )


def box_tally(bins: Iterable[Mapping[str, Any]]) -> Tally:
    """Crossings in the minutes that a box keeps (``edge bins --json``)."""
    tally: Tally = Counter()
    for one in bins:
        for section in one["sections"]:
            _add(tally, section["section"], section["direction"], section["counts"])
    return tally


def stored_tally(answer: Mapping[str, Any]) -> Tally:
    """Crossings that the coordinator answers (``/api/v1/sites/…/counts``)."""
    tally: Tally = Counter()
    for series in answer["series"]:
        if series["kind"] == "line":
            for road_user, counts in series["counts"].items():
                tally[(series["name"], series["direction"], road_user)] += sum(
                    count or 0 for count in counts
                )
    return tally


def side_by_side(true: Tally, box: Tally, stored: Tally) -> list[LedgerRow]:
    """Every row that one of the three knows, in order."""
    rows = sorted(row for row in {*true, *box, *stored} if true[row] or box[row] or stored[row])
    return [LedgerRow(row=row, true=true[row], box=box[row], stored=stored[row]) for row in rows]


def _add(tally: Tally, line: str, direction: str, counts: Mapping[str, int] | None) -> None:
    for road_user, count in (counts or {}).items():
        tally[(line, direction, road_user)] += count
