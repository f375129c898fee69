"""A day of every leg against the profiles of all legs → legs whose counts were exchanged.

After a camera was moved or a configuration was restored, two lines may have changed places:
every number is plausible, and wrong. So each leg's day is compared with every leg's profile,
and the assignment that fits best is looked for. It must fit far better than the names do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

MOST_PERMUTED = 7
"""Up to this many legs every assignment is tried; beyond, every exchange of two."""

FEWEST_HOURS = 12
_LEAST_MISFIT = 3.0
_MOST_SHARE_OF_MISFIT = 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LegDay:
    """Recent hours of one leg.

    Attributes:
        counted: Road users hour by hour, directions one after the other.
        expected: Medians of the same hours and directions in past weeks.
    """

    name: str
    counted: tuple[float, ...]
    expected: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegSwap:
    """Legs whose counts look like those of other legs.

    Attributes:
        exchanged: Name of a leg → name of the leg whose traffic it shows.
        misfit: Mean squared deviation per hour as named; 0.5 is chance.
        misfit_if_exchanged: The same after exchanging them.
    """

    exchanged: dict[str, str]
    misfit: float
    misfit_if_exchanged: float

    @property
    def score(self) -> float:
        """How many times better the exchange fits."""
        return self.misfit / max(self.misfit_if_exchanged, 0.1)


def find_leg_swap(legs: Sequence[LegDay]) -> LegSwap | None:
    """The exchange that explains the day, or None when the names do.

    Raises:
        ValueError: Legs differ in their number of hours.
    """
    lengths = {len(part) for leg in legs for part in (leg.counted, leg.expected)}
    if len(lengths) > 1:
        raise ValueError(f"legs have {sorted(lengths)} hours, expected the same of all")
    if len(legs) < 2 or lengths.pop() < FEWEST_HOURS:
        return None
    misfits = [[_misfit(leg, other) for other in legs] for leg in legs]
    best = min(
        _assignments(len(legs)),
        key=lambda order: sum(misfits[i][j] for i, j in enumerate(order)),
    )
    moved = [(i, j) for i, j in enumerate(best) if i != j]
    if not moved:
        return None
    as_named = sum(misfits[i][i] for i, _ in moved) / len(moved)
    exchanged = sum(misfits[i][j] for i, j in moved) / len(moved)
    if as_named < _LEAST_MISFIT or exchanged > _MOST_SHARE_OF_MISFIT * as_named:
        return None
    return LegSwap(
        exchanged={legs[i].name: legs[j].name for i, j in moved},
        misfit=as_named,
        misfit_if_exchanged=exchanged,
    )


def _misfit(leg: LegDay, other: LegDay) -> float:
    # Half the square of the GEH statistic: deviations in units of what chance makes.
    pairs = zip(leg.counted, other.expected, strict=True)
    return sum((x - p) ** 2 / (x + p + 1) for x, p in pairs) / len(leg.counted)


def _assignments(number: int) -> list[tuple[int, ...]]:
    if number <= MOST_PERMUTED:
        return list(permutations(range(number)))
    found = [tuple(range(number))]
    for a, b in combinations(range(number), 2):
        order = list(range(number))
        order[a], order[b] = b, a
        found.append(tuple(order))
    return found
