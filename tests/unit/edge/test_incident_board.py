from __future__ import annotations

from datetime import UTC, datetime

import pytest

from common.road_users import RoadUser
from edge.keeping.incident_board import IncidentBoard
from edge.measure.events import Incident, IncidentKind

pytestmark = pytest.mark.unit


def stop_of(track_id: int) -> Incident:
    return Incident(
        kind=IncidentKind.STOPPED_VEHICLE,
        section="junction",
        road_user=RoadUser.CAR,
        track_id=track_id,
        since_s=1.0,
        at=datetime(2026, 3, 1, 6, 0, tzinfo=UTC),
    )


def test_each_incident_is_taken_once_in_the_order_it_was_noted() -> None:
    board = IncidentBoard()
    board.note("north", [stop_of(1), stop_of(2)])
    board.note("south", [stop_of(3)])

    taken = board.take()

    assert [(camera, incident.track_id) for camera, incident in taken] == [
        ("north", 1),
        ("north", 2),
        ("south", 3),
    ]
    assert board.take() == []


def test_without_a_reader_the_oldest_make_room() -> None:
    board = IncidentBoard(most=2)

    board.note("north", [stop_of(1), stop_of(2), stop_of(3)])

    assert [incident.track_id for _, incident in board.take()] == [2, 3]
