"""Counts of a series in the bins of a page → lists of states, classes and totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from common.road_users import ROAD_USERS, RoadUser
from coordinator.traffic.coverage import State, Watched, state_of

_PLACES = {user: place for place, user in enumerate(ROAD_USERS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class CountColumns:
    """One series, or several added up; every list has a value for every bin of a page.

    Attributes:
        cells: Road users per class in the order of ``ROAD_USERS``; None when nothing was
            watched or everything was withheld.
        bins: Reported bins that were summed.
        withheld_bins: How many of them were withheld, so that ``cells`` misses them.
    """

    cells: Sequence[tuple[int, ...] | None]
    bins: Sequence[int]
    withheld_bins: Sequence[int]

    def of(self, road_user: RoadUser) -> list[int | None]:
        """Road users of one class."""
        place = _PLACES[road_user]
        return [None if cell is None else cell[place] for cell in self.cells]

    def total(self, road_users: Sequence[RoadUser]) -> list[int | None]:
        """Road users of some classes together."""
        if len(road_users) == len(ROAD_USERS):
            return [None if cell is None else sum(cell) for cell in self.cells]
        places = [_PLACES[user] for user in road_users]
        return [
            None if cell is None else sum(cell[place] for place in places) for cell in self.cells
        ]

    def states(self, watched: Sequence[Watched]) -> list[State]:
        """Whether there is a number, and if not, why; ``watched`` has every bin too."""
        measured = State.MEASURED
        return [
            measured
            if cell is not None
            else state_of(has_number=False, withheld_bins=withheld, watched=how)
            for cell, withheld, how in zip(self.cells, self.withheld_bins, watched, strict=True)
        ]

    @property
    def withheld_shares(self) -> list[float]:
        """Share of the reported bins that are not in the numbers."""
        return [
            round(withheld / bins, 4) if withheld else 0.0
            for withheld, bins in zip(self.withheld_bins, self.bins, strict=True)
        ]


def add_columns(parts: Sequence[CountColumns]) -> CountColumns:
    """Class by class and bin by bin; None where any part is: the sum would be too small."""
    return CountColumns(
        cells=[_add(cells) for cells in zip(*(part.cells for part in parts), strict=True)],
        bins=[sum(bins) for bins in zip(*(part.bins for part in parts), strict=True)],
        withheld_bins=[
            sum(bins) for bins in zip(*(part.withheld_bins for part in parts), strict=True)
        ],
    )


def _add(cells: Sequence[tuple[int, ...] | None]) -> tuple[int, ...] | None:
    known = [cell for cell in cells if cell is not None]
    if len(known) < len(cells):
        return None
    return tuple(map(sum, zip(*known, strict=True)))
