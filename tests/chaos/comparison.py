"""What boxes wrote down, and what the database holds → every difference, by name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.chaos.expected_rows import Key, Rows, Tables

_SUMMED = "_rollup"
_RELATIVE = 1e-9
_MOST_NAMED = 20


@dataclass(slots=True)
class Differences:
    """What is wrong, row by row.

    Attributes:
        lost: In a ledger, not in the database.
        as_told: Lost as well, and a loss report says so.
        twice: In the database, in no ledger.
        altered: In both, with another figure.
        compared: Rows that are the same.
    """

    lost: list[str] = field(default_factory=list)
    as_told: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    compared: int = 0

    @property
    def is_exact(self) -> bool:
        return not (self.lost or self.twice or self.altered)

    def add(self, other: Differences) -> None:
        self.lost += other.lost
        self.as_told += other.as_told
        self.twice += other.twice
        self.altered += other.altered
        self.compared += other.compared

    def first(self) -> dict[str, list[str]]:
        """Some of each, for people."""
        return {
            name: getattr(self, name)[:_MOST_NAMED]
            for name in ("lost", "as_told", "twice", "altered")
        }


def compare(
    expected: Tables, stored: Tables, *, box: str, losses: Sequence[Mapping[str, Any]] = ()
) -> Differences:
    """Compare every figure of every row.

    Args:
        expected: Of a box's ledger.
        stored: Of the database.
        box: For the names of differences.
        losses: What loss reports of this box say.
    """
    found = Differences()
    for table, rows in expected.items():
        _compare_table(f"{box} {table}", rows, stored.get(table, {}), losses, found)
    for table in stored.keys() - expected.keys():
        found.twice += [f"{box} {table} {_text(key)}" for key in stored[table]]
    return found


def _compare_table(
    name: str, expected: Rows, stored: Rows, losses: Sequence[Mapping[str, Any]], found: Differences
) -> None:
    for key, figures in expected.items():
        if key not in stored:
            (found.as_told if _is_told(key, losses) else found.lost).append(f"{name} {_text(key)}")
            continue
        wrong = list(_wrong(figures, stored[key], is_sum=name.endswith(_SUMMED)))
        if wrong:
            found.altered.append(f"{name} {_text(key)}: {', '.join(wrong)}")
        else:
            found.compared += 1
    found.twice += [f"{name} {_text(key)}" for key in stored.keys() - expected.keys()]


def _wrong(
    expected: Mapping[str, Any], stored: Mapping[str, Any], *, is_sum: bool
) -> Iterator[str]:
    for column in sorted(expected.keys() | stored.keys()):
        if column not in expected or column not in stored:
            yield f"{column} is known on one side only"
        elif not _same(expected[column], stored[column], is_sum=is_sum):
            yield f"{column} is {stored[column]!r}, the box wrote {expected[column]!r}"


def _same(expected: Any, stored: Any, *, is_sum: bool) -> bool:
    # None is None alone: a missing measurement is no 0.
    if is_sum and isinstance(expected, float) and isinstance(stored, int | float):
        # Sums of fractions depend on the order in which they are added.
        return math.isclose(expected, stored, rel_tol=_RELATIVE, abs_tol=_RELATIVE)
    return bool(expected == stored) and (expected is None) == (stored is None)


def _is_told(key: Key, losses: Sequence[Mapping[str, Any]]) -> bool:
    start = next(part for part in key if isinstance(part, datetime))
    return any(
        loss["camera"] in (None, key[0])
        and (loss["first_at"] is None or loss["first_at"] <= start)
        and (loss["last_at"] is None or start <= loss["last_at"])
        for loss in losses
    )


def _text(key: Key) -> str:
    return " ".join(
        part.strftime("%Y-%m-%dT%H:%MZ") if isinstance(part, datetime) else str(part)
        for part in key
    )
