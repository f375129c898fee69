"""Counted flows of one camera and a choice of classes → leg × movement, and its drawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common.road_users import ROAD_USERS
from coordinator.dashboard.movement_diagram import Diagram, Turn, draw_movements
from coordinator.traffic.movement_views import FlowMatrixView
from coordinator.traffic.movements import MOVEMENT_ORDER
from coordinator.traffic.views import SceneView

VEHICLES = "vehicles"
"""The choice of all classes but people on foot."""

CHOICES: Sequence[tuple[str, str]] = (
    (VEHICLES, "All vehicles"),
    *((user.value, user.value.capitalize()) for user in ROAD_USERS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegRow:
    """One leg: a number for every movement of the table, then their sum."""

    leg: str
    counts: Sequence[int | None]
    drawn: Sequence[bool]
    total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Movements:
    """Turning movements of one camera over a range.

    Attributes:
        headings: Movements that are drawn anywhere, in the order in which sheets print them.
        cameras: Cameras with a drawn flow, of which ``camera`` is one.
        coverage: Watched share of the range; what was not watched is not in the numbers.
    """

    camera: str
    cameras: Sequence[str]
    choice: str
    headings: Sequence[str]
    rows: Sequence[LegRow]
    totals: Sequence[int | None]
    total: int | None
    coverage: float
    diagram: Diagram


def movements_of(
    scene: SceneView, matrix: FlowMatrixView, *, camera: str | None, choice: str
) -> Movements | None:
    """The table of one camera; None where no flow is drawn.

    Args:
        scene: Says which movement a flow is.
        matrix: What was counted.
        camera: Slug; the first camera with flows where it has none.
        choice: A class, or ``vehicles``.
    """
    movement = {
        (one.camera, series.name): series.movement
        for one in scene.cameras
        for series in one.series
        if series.kind == "flow" and series.movement is not None
    }
    cells = [cell for cell in matrix.cells if (cell.camera, cell.flow) in movement]
    cameras = list(dict.fromkeys(cell.camera for cell in cells))
    if not cameras:
        return None
    chosen = camera if camera in cameras else cameras[0]
    turns = [
        Turn(
            leg=cell.from_section,
            to_leg=cell.to_section,
            movement=str(movement[cell.camera, cell.flow]),
            count=_count(cell.counts, choice),
        )
        for cell in cells
        if cell.camera == chosen
    ]
    drawn = [m.value for m in MOVEMENT_ORDER if any(turn.movement == m.value for turn in turns)]
    rows = [_row(leg, turns, drawn) for leg in sorted({turn.leg for turn in turns})]
    return Movements(
        camera=chosen,
        cameras=cameras,
        choice=choice,
        headings=drawn,
        rows=rows,
        totals=[_sum(row.counts[n] for row in rows) for n in range(len(drawn))],
        total=_sum(row.total for row in rows),
        coverage=matrix.coverage,
        diagram=draw_movements(turns),
    )


def _row(leg: str, turns: Iterable[Turn], movements: Sequence[str]) -> LegRow:
    mine = [turn for turn in turns if turn.leg == leg]
    by_movement = [[turn for turn in mine if turn.movement == one] for one in movements]
    return LegRow(
        leg=leg,
        counts=[_sum(turn.count for turn in group) for group in by_movement],
        drawn=[bool(group) for group in by_movement],
        total=_sum(turn.count for turn in mine),
    )


def _count(counts: dict[str, int] | None, choice: str) -> int | None:
    if counts is None:
        return None
    if choice != VEHICLES:
        return counts.get(choice)
    return sum(counts[user.value] for user in ROAD_USERS if user.is_vehicle)


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
