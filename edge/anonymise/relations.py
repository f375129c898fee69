"""A camera's lines and flows → the sums that an outsider can try on its counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from common.geometry import Direction
from common.site import Camera, Section, Use


class Row(NamedTuple):
    """One row of a bin: a line in one direction, a flow, or the people who crossed an area."""

    kind: Literal["line", "flow", "area"]
    name: str
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """``whole`` may equal the sum of ``parts``, class by class."""

    whole: Row
    parts: tuple[Row, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """All of them."""
        return (self.whole, *self.parts)


def relations_of(camera: Camera) -> tuple[Relation, ...]:
    """Every sum that holds when each road user finishes a flow inside one bin.

    The traffic over a line is the sum of the flows that begin there, or end there. Which
    direction of the line that is follows from the scene, and an outsider may know it; both are
    listed, so that more is withheld rather than less. An area at a crosswalk may hold the same
    people as any crosswalk line.
    """
    found = []
    for section in camera.sections:
        if section.area is not None:
            continue
        name = section.name
        starting = tuple(Row("flow", flow.name) for flow in camera.flows if flow.start == name)
        ending = tuple(Row("flow", flow.name) for flow in camera.flows if flow.end == name)
        for direction in Direction:
            line = Row("line", name, direction)
            found += [Relation(line, flows) for flows in (starting, ending) if flows]
    return (*found, *_at_crosswalks(camera.sections))


def _at_crosswalks(sections: Iterable[Section]) -> Iterable[Relation]:
    crosswalks = [section for section in sections if section.use is Use.CROSSWALK]
    lines = [section for section in crosswalks if section.area is None]
    for area in (section for section in crosswalks if section.area is not None):
        for line in lines:
            both = tuple(Row("line", line.name, direction) for direction in Direction)
            yield Relation(Row("area", area.name), both)
