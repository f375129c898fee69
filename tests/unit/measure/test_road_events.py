"""Flows, headways, areas, incidents and conflicts on paths that a human can check."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from common.geometry import Direction, Point
from common.road_users import RoadUser
from common.site import Camera, Flow, Movement
from edge.measure.bins import MinuteBin
from edge.measure.events import ConflictKind, Crossing, IncidentKind, Speed
from edge.measure.flows import RecordFlows
from edge.measure.headway import MeasureHeadways
from edge.measure.incidents import IncidentLimits
from edge.measure.movements import CountMovements
from edge.measure.stage import Measure, Measured
from tests.fakes.road import START, Mover, Road, route, ticks

pytestmark = pytest.mark.unit

RIGHT, LEFT = Direction.RIGHT, Direction.LEFT
PERSON = {"road_user": RoadUser.PERSON, "size": (24.0, 60.0)}
ROAD = [[100, 100], [500, 100], [500, 400], [100, 400]]


def crossing(section: str, at_s: float, track_id: int = 1, **changes: object) -> Crossing:
    plain = Crossing(
        section=section,
        direction=RIGHT,
        road_user=RoadUser.CAR,
        track_id=track_id,
        at_s=at_s,
        at=START + timedelta(seconds=at_s),
        foot_px=Point(1, 1),
    )
    return replace(plain, **changes)


def camera(*sections: dict[str, object], **more: object) -> Camera:
    return Camera.model_validate(
        {"id": "cam", "frame_size": [640, 480], "sections": list(sections), **more}
    )


def measured(
    on: Camera, movers: list[Mover], until_s: float, limits: IncidentLimits | None = None
) -> tuple[list[Measured], list[MinuteBin]]:
    measure = Measure(on, limits)
    found = [measure.update(frame) for frame in Road(movers).frames(ticks(until_s, fps=10))]
    last, bins = measure.finish()
    return [*found, last], measure.bins_ready() + bins


FLOWS = [
    Flow.model_validate({"name": "N-S", "from": "north", "to": "south", "movement": "thru"}),
    Flow.model_validate({"name": "N-E", "from": "north", "to": "east", "movement": "left"}),
    Flow.model_validate({"name": "N-N", "from": "north", "to": "north", "movement": "u_turn"}),
]


@pytest.mark.parametrize(
    ("crossings", "expected"),
    [
        pytest.param([crossing("north", 1), crossing("south", 4)], ["N-S"], id="in order"),
        pytest.param([crossing("south", 4), crossing("north", 1)], ["N-S"], id="told late"),
        pytest.param([crossing("south", 1), crossing("north", 4)], [], id="the other way"),
        pytest.param([crossing("north", 1), crossing("south", 4, 2)], [], id="another track"),
        pytest.param([crossing("north", 1), crossing("east", 3)], ["N-E"], id="turns left"),
        pytest.param(
            [crossing("north", 1), crossing("north", 5, direction=LEFT)], ["N-N"], id="turns round"
        ),
        pytest.param([crossing("north", 1), crossing("north", 5)], [], id="same way twice"),
        pytest.param([crossing("north", 1), crossing("south", 1000)], [], id="parked in between"),
        pytest.param(
            [crossing(s, t) for s, t in (("north", 1), ("south", 4), ("north", 60), ("south", 64))],
            ["N-S", "N-S"],
            id="comes again",
        ),
    ],
)
def test_a_flow_is_its_start_and_then_its_end(
    crossings: list[Crossing], expected: list[str]
) -> None:
    flows = RecordFlows(FLOWS)

    passages = [p for c in crossings for p in flows.update([c])]

    assert [p.flow for p in passages] == expected


def test_the_movement_table_has_every_cell() -> None:
    movements = CountMovements(FLOWS)
    for passage in RecordFlows(FLOWS).update([crossing("north", 1), crossing("south", 4)]):
        movements.add(passage)

    cells = {(c.leg, c.movement, c.road_user): c.count for c in movements.table()}

    assert cells["north", Movement.THRU, RoadUser.CAR] == 1
    assert sum(cells.values()) == 1
    assert len(cells) == 3 * len(RoadUser)


def test_headway_is_the_time_between_vehicles_of_one_stream() -> None:
    headways = MeasureHeadways()
    stream = [
        crossing("a", 10),
        crossing("a", 11, direction=LEFT),
        crossing("a", 11.5, road_user=RoadUser.PERSON),
        crossing("a", 12.5),
        crossing("a", 900),
    ]

    found = [spacing and spacing.headway_s for spacing in map(headways.update, stream)]
    assert found == [None, None, None, 2.5, None]


@pytest.mark.parametrize(
    ("leader_kmh", "gap_s"),
    [
        pytest.param(32.4, 1.5, id="4.5 m at 9 m/s take half a second"),
        pytest.param(None, None, id="unknown speed, unknown gap"),
        pytest.param(0.5, None, id="a leader that stands has no time of its own"),
    ],
)
def test_the_gap_is_the_headway_without_the_leaders_own_length(
    leader_kmh: float | None, gap_s: float | None
) -> None:
    headways = MeasureHeadways()
    speed = None if leader_kmh is None else Speed(kmh=leader_kmh, error_kmh=1)
    headways.update(replace(crossing("a", 10), speed=speed))

    spacing = headways.update(crossing("a", 12))

    assert spacing is not None
    assert spacing.gap_s == (None if gap_s is None else pytest.approx(gap_s))


def test_occupancy_dwell_and_queue_of_an_approach() -> None:
    approach = {"name": "approach", "polygon": ROAD, "use": "approach"}
    waiting = [
        Mover(id=i, foot=route((0, 300, y)), seen_s=(10, 40), jitter=0.005)
        for i, y in ((1, 200), (2, 280), (3, 360))
    ]

    _, (minute, *_) = measured(camera(approach), waiting, 60)
    (area,) = minute.areas

    assert area.occupied_share == pytest.approx(0.5, abs=0.01)
    assert area.queue_most == 3
    assert area.queue_most_m is None
    assert area.dwell_mean_s == pytest.approx(30, abs=0.3)


def test_queue_length_in_metres_needs_a_calibration() -> None:
    approach = {"name": "approach", "polygon": ROAD, "use": "approach"}
    corners = [[0, 0], [100, 0], [100, 100], [0, 100]]
    calibration = {"points_px": corners, "points_m": [[x / 10, y / 10] for x, y in corners]}
    waiting = [Mover(id=i, foot=route((0, 300, y)), jitter=0.005) for i, y in ((1, 200), (2, 360))]

    _, (minute, *_) = measured(camera(approach, calibration=calibration), waiting, 10)

    assert minute.areas[0].queue_most_m == pytest.approx(16, abs=0.3)


@pytest.mark.parametrize(
    ("path", "user", "walks"),
    [
        pytest.param(route((0, 80, 250), (6, 520, 250)), PERSON, 1, id="walks across"),
        pytest.param(route((0, 80, 250), (2, 160, 250), (4, 80, 250)), PERSON, 0, id="turns back"),
        pytest.param(route((0, 80, 250), (6, 520, 250)), {}, 0, id="a car"),
    ],
)
def test_a_walk_goes_over_the_crosswalk(path: object, user: dict[str, object], walks: int) -> None:
    crosswalk = {"name": "zebra", "polygon": ROAD, "use": "crosswalk"}

    _, (minute, *_) = measured(camera(crosswalk), [Mover(id=1, foot=path, **user)], 8)

    assert minute.areas[0].walks == walks


ROADWAY = {"name": "road", "polygon": ROAD, "use": "carriageway"}
ZEBRA = {
    "name": "zebra",
    "polygon": [[100, 200], [500, 200], [500, 300], [100, 300]],
    "use": "crosswalk",
}
APPROACH = {**ZEBRA, "name": "approach", "use": "approach"}
STANDS = route((0, 300, 250))


@pytest.mark.parametrize(
    ("sections", "mover", "expected"),
    [
        pytest.param(
            [ROADWAY], Mover(id=1, foot=STANDS), [IncidentKind.STOPPED_VEHICLE], id="stands"
        ),
        pytest.param([ROADWAY, APPROACH], Mover(id=1, foot=STANDS), [], id="waits in a queue"),
        pytest.param(
            [ROADWAY], Mover(id=1, foot=route((0, 300, 110), (12, 300, 390))), [], id="drives"
        ),
        pytest.param(
            [ROADWAY],
            Mover(id=1, foot=STANDS, **PERSON),
            [IncidentKind.PEDESTRIAN_ON_CARRIAGEWAY],
            id="a person on the road",
        ),
        pytest.param(
            [ROADWAY, ZEBRA], Mover(id=1, foot=STANDS, **PERSON), [], id="a person on the zebra"
        ),
        pytest.param(
            [ROADWAY],
            Mover(id=1, foot=STANDS, seen_s=(1, 1.4), **PERSON),
            [],
            id="a person that flickers",
        ),
    ],
)
def test_an_incident_is_reported_once(
    sections: list[dict[str, object]], mover: Mover, expected: list[IncidentKind]
) -> None:
    steps, bins = measured(camera(*sections), [mover], 12, IncidentLimits(stopped_s=8))

    assert [i.kind for step in steps for i in step.incidents] == expected
    assert sum(n for _, n in bins[0].incidents or ()) == len(expected)


@pytest.mark.parametrize(
    ("allowed", "user", "expected"),
    [
        pytest.param("left", {}, [IncidentKind.WRONG_WAY], id="against the arrow"),
        pytest.param("right", {}, [], id="with the arrow"),
        pytest.param("left", PERSON, [], id="a person may"),
    ],
)
def test_wrong_way_needs_a_line_with_an_allowed_way(
    allowed: str, user: dict[str, object], expected: list[IncidentKind]
) -> None:
    line = {"name": "one-way", "line": [[100, 300], [500, 300]], "allowed": allowed}
    mover = Mover(id=1, foot=route((0, 300, 200), (4, 300, 400)), **user)

    steps, _ = measured(camera(line), [mover], 6)

    assert [i.kind for step in steps for i in step.incidents] == expected


@pytest.mark.parametrize(
    ("second_s", "expected_s"),
    [pytest.param(2.0, 2.0, id="near"), pytest.param(8.0, None, id="far")],
)
def test_post_encroachment_time_is_the_time_between_two_at_one_place(
    second_s: float, expected_s: float | None
) -> None:
    first = Mover(id=1, foot=route((0, 120, 250), (4, 480, 250)), jitter=0.0)
    second = Mover(
        id=2,
        foot=route((second_s, 300, 120), (second_s + 4, 300, 380)),
        seen_s=(second_s, second_s + 4),
        jitter=0.0,
    )

    steps, _ = measured(camera(ROADWAY), [first, second], 14)

    conflicts = [c for step in steps for c in step.conflicts]
    if expected_s is None:
        assert conflicts == []
    else:
        (conflict,) = conflicts
        assert conflict.kind is ConflictKind.PET
        assert conflict.value_s == pytest.approx(expected_s, abs=0.1)
        assert conflict.track_ids == (1, 2)


@pytest.mark.parametrize(
    ("x", "has_conflict"),
    [pytest.param(300, True, id="same lane"), pytest.param(400, False, id="next lane")],
)
def test_time_to_collision_needs_a_common_course(x: float, has_conflict: bool) -> None:
    corners = [[0, 0], [100, 0], [100, 100], [0, 100]]
    calibration = {"points_px": corners, "points_m": [[a / 10, b / 10] for a, b in corners]}
    fast = Mover(id=1, foot=route((0, 300, 110), (2, 300, 310), (4, 300, 320)), jitter=0.0)
    parked = Mover(id=2, foot=route((0, x, 350)), jitter=0.0)

    steps, _ = measured(camera(ROADWAY, calibration=calibration), [fast, parked], 6)

    kinds = [c.kind for step in steps for c in step.conflicts]
    assert kinds == ([ConflictKind.TTC] if has_conflict else [])


def test_an_area_may_end_a_flow() -> None:
    line = {"name": "in", "line": [[50, 80], [550, 80]]}
    flow = {"name": "into", "from": "in", "to": "road"}
    car = Mover(id=1, foot=route((0, 300, 20), (6, 300, 470)))

    steps, bins = measured(camera(line, ROADWAY, flows=[flow]), [car], 6)

    assert [p.flow for step in steps for p in step.passages] == ["into"]
    assert sum(bins[0].flows[0].counts or ()) == 1
