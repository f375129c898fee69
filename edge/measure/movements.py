"""Passages → the turning movement table of a junction: leg × movement × class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from common.road_users import RoadUser
from common.site import Flow, Movement
from edge.measure.events import FlowPassage


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementCount:
    """One cell of the table."""

    leg: str
    movement: Movement
    road_user: RoadUser
    count: int


class CountMovements:
    """Add up passages by the leg they came from."""

    def __init__(self, flows: Iterable[Flow]) -> None:
        self._legs = {flow.name: (flow.start, flow.movement) for flow in flows}
        self._counts: Counter[tuple[str, Movement, RoadUser]] = Counter()

    def add(self, passage: FlowPassage) -> None:
        """Count one passage.

        Raises:
            ValueError: The passage belongs to no flow of this camera.
        """
        if passage.flow not in self._legs:
            raise ValueError(f"flow {passage.flow!r}, expected one of {sorted(self._legs)}")
        leg, movement = self._legs[passage.flow]
        self._counts[leg, movement, passage.road_user] += 1

    def table(self) -> tuple[MovementCount, ...]:
        """Every leg, movement and class, zeros included, in the order of the site file."""
        return tuple(
            MovementCount(
                leg=leg,
                movement=movement,
                road_user=road_user,
                count=self._counts[leg, movement, road_user],
            )
            for leg, movement in dict.fromkeys(self._legs.values())
            for road_user in RoadUser
        )
