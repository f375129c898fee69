"""Small counts stay on the box, and so does what would let somebody compute them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.geometry import Direction
from common.messages import CameraBin
from common.site import Camera
from edge.anonymise.engine import PrivacyEngine
from edge.anonymise.relations import Relation, Row, relations_of
from edge.anonymise.settings import CameraPrivacy
from edge.anonymise.withholding import Values, determined, rows_to_withhold
from edge.measure.bins import AreaBin, SectionBin
from tests.unit.anonymise.stored_bins import STREET, cars, line, stored

pytestmark = pytest.mark.unit

NORTH = Row("line", "north", Direction.RIGHT)
SOUTH = Row("line", "south", Direction.RIGHT)
EAST = Row("line", "east", Direction.RIGHT)
N_S, N_E = Row("flow", "N-S"), Row("flow", "N-E")

FLOWS = [Relation(NORTH, (N_S, N_E)), Relation(SOUTH, (N_S,)), Relation(EAST, (N_E,))]
"""Everybody comes from the north; some leave to the south, some to the east."""


def told(bin_: CameraBin) -> set[str]:
    """Names of the rows whose counts leave."""
    rows = {row.section for row in bin_.sections if row.counts is not None}
    return rows | {row.flow for row in bin_.flows if row.counts is not None}


def published(*lines: SectionBin, camera: Camera = STREET, **content: object) -> CameraBin:
    engine = PrivacyEngine({"cam": CameraPrivacy(withhold_below=5)}, cameras=[camera])
    (bin_,) = engine.bins([stored(lines=lines, **content)])
    return bin_


@pytest.mark.parametrize(
    ("number", "is_withheld"),
    [
        pytest.param(0, False, id="nobody came"),
        pytest.param(1, True, id="one"),
        pytest.param(4, True, id="just below"),
        pytest.param(5, False, id="enough"),
    ],
)
def test_counts_from_one_to_below_the_limit_are_withheld(number: int, is_withheld: bool) -> None:
    (row,) = published(line("north", cars(number))).sections

    assert row.withheld is is_withheld
    assert row.counts == (None if is_withheld else cars(number))


def test_one_small_class_withholds_its_row_with_every_detail() -> None:
    (row,) = published(
        line(
            "north",
            cars(20, bus=1),
            speeds=((40, 20),),
            speed_sum_kmh=850.0,
            headways=19,
            headway_sum_s=55.0,
            inferred=6,
        )
    ).sections

    assert row.withheld
    assert (row.counts, row.speeds, row.speed_sum_kmh) == (None, (), 0.0)
    assert (row.headways, row.headway_sum_s, row.inferred) == (0, 0.0, 0)


def test_withheld_is_neither_unwatched_nor_zero() -> None:
    unwatched, nothing, small = published(
        line("north", None), line("south", cars(0)), line("east", cars(2))
    ).sections

    assert (unwatched.counts, unwatched.withheld) == (None, False)
    assert (nothing.counts, nothing.withheld) == (cars(0), False)
    assert (small.counts, small.withheld) == (None, True)


def test_a_published_row_keeps_speeds_only_of_enough_road_users() -> None:
    crowd = line("north", cars(12), speeds=((40, 6), (45, 6)), speed_sum_kmh=510.0)
    outlier = line("south", cars(12), speeds=((40, 11), (90, 1)), speed_sum_kmh=550.0)

    first, second = published(crowd, outlier).sections

    assert (first.speeds, first.speed_sum_kmh) == (((40, 6), (45, 6)), 510.0)
    assert (second.counts, second.speeds, second.speed_sum_kmh) == (cars(12), (), 0.0)


def test_the_shortest_headway_belongs_to_one_driver_and_stays() -> None:
    (row,) = published(
        line("north", cars(12), headways=11, headway_sum_s=44.0, headway_least_s=0.6)
    ).sections

    assert (row.headways, row.headway_sum_s, row.headway_least_s) == (11, 44.0, None)


def test_incidents_of_small_number_are_withheld_with_a_flag() -> None:
    bin_ = published(incidents=(("stopped_vehicle", 1), ("wrong_way", 0)))

    assert bin_.incidents is None
    assert bin_.flags == ("incidents_withheld",)
    assert bin_.conflicts == {"time_to_collision": 0}


@pytest.mark.parametrize(
    ("area", "is_withheld"),
    [
        pytest.param(AreaBin(section="a", queue_most=0, walks=0), False, id="nobody"),
        pytest.param(AreaBin(section="a", walks=3), True, id="three people walked"),
        pytest.param(AreaBin(section="a", queue_most=2), True, id="two cars queued"),
        pytest.param(AreaBin(section="a", queue_most=0, occupied_share=0.02), True, id="one drove"),
        pytest.param(AreaBin(section="a", queue_most=9, occupied_share=0.8), False, id="a queue"),
        pytest.param(AreaBin(section="a", queue_most=0, walks=9), False, id="many walked"),
        pytest.param(AreaBin(section="a", queue_most=2, walks=9), True, id="two among many"),
    ],
)
def test_areas_are_told_when_enough_road_users_made_them(area: AreaBin, is_withheld: bool) -> None:
    (row,) = published(areas=(area,)).areas

    assert row.withheld is is_withheld


def test_a_mean_stay_of_nobody_knows_how_many_is_not_told() -> None:
    area = AreaBin(section="a", queue_most=9, occupied_share=0.8, queue_most_m=60, dwell_mean_s=31)

    (row,) = published(areas=(area,)).areas

    assert (row.queue_most, row.occupied_share, row.queue_most_m) == (9, 0.8, 60)
    assert (row.dwell_mean_s, row.withheld) == (None, False)


def test_a_small_flow_cannot_be_had_by_subtraction_from_its_line() -> None:
    bin_ = published(
        line("north", cars(20)),
        line("south", cars(18)),
        line("east", cars(2)),
        flows={"N-S": cars(18), "N-E": cars(2)},
    )

    # 20 over the line less 18 to the south would be the 2 that went east.
    assert told(bin_).isdisjoint({"N-E", "east"})
    assert not told(bin_) >= {"north", "N-S"}
    assert not told(bin_) >= {"north", "south"}


def test_a_line_in_series_with_a_small_one_is_withheld() -> None:
    camera = STREET.model_copy(update={"flows": STREET.flows[:1]})

    # At the bin's edge one more arrives in the south than the north has counted.
    bin_ = published(
        line("north", cars(4)), line("south", cars(5)), flows={"N-S": cars(5)}, camera=camera
    )

    assert told(bin_) == set()


def test_large_counts_beside_no_small_one_are_all_told() -> None:
    bin_ = published(
        line("north", cars(20)),
        line("south", cars(12)),
        line("east", cars(8)),
        flows={"N-S": cars(12), "N-E": cars(8)},
    )

    assert told(bin_) == {"north", "south", "east", "N-S", "N-E"}


def test_a_camera_of_unknown_flows_is_withheld_whole() -> None:
    engine = PrivacyEngine({"cam": CameraPrivacy(withhold_below=5)})

    (bin_,) = engine.bins([stored(lines=(line("north", cars(20)), line("east", cars(1))))])

    assert told(bin_) == set()


def test_people_over_a_crosswalk_line_are_those_in_its_area() -> None:
    camera = Camera.model_validate(
        {
            "id": "cam",
            "frame_size": [640, 360],
            "sections": [
                {"name": "zebra", "line": [[0, 100], [640, 100]], "use": "crosswalk"},
                {"name": "stripes", "polygon": [[0, 0], [9, 0], [9, 9]], "use": "crosswalk"},
            ],
        }
    )
    right = SectionBin(section="zebra", direction=Direction.RIGHT, counts=cars(0, person=2))
    left = SectionBin(section="zebra", direction=Direction.LEFT, counts=cars(0, person=9))

    bin_ = published(right, left, areas=(AreaBin(section="stripes", walks=11),), camera=camera)

    assert bin_.sections[0].withheld
    # 11 walks less 9 to the left would be the 2 to the right.
    assert bin_.areas[0].walks is None or bin_.sections[1].counts is None


def test_relations_name_both_directions_of_a_line() -> None:
    relations = relations_of(STREET)

    assert Relation(NORTH, (N_S, N_E)) in relations
    assert Relation(Row("line", "north", Direction.LEFT), (N_S, N_E)) in relations
    assert Relation(SOUTH, (N_S,)) in relations
    assert len(relations) == 6


def test_solving_finds_a_row_that_no_single_sum_gives() -> None:
    relations = [Relation(NORTH, (N_S, N_E)), Relation(SOUTH, (N_S,))]

    assert determined({N_E}, relations) == {N_E}
    assert determined({N_S, N_E}, relations) == {N_S, N_E}
    assert determined({N_S, N_E, SOUTH}, relations) == frozenset()


def solutions(values: Values, hidden: frozenset[Row], relations: list[Relation]) -> set[int]:
    """What an outsider who tries every number up to 30 finds possible for the row N-E."""
    found = set()
    names = sorted(hidden, key=str)
    for tried in itertools.product(range(31), repeat=len(names)):
        guess = {row: counts[0] for row, counts in values.items()} | dict(
            zip(names, tried, strict=True)
        )
        if all(guess[r.whole] == sum(guess[part] for part in r.parts) for r in relations):
            found.add(guess[N_E])
    return found


@pytest.mark.slow
@settings(max_examples=25)
@given(south=st.integers(0, 12), east=st.integers(1, 4))
def test_trying_every_number_leaves_a_small_flow_in_doubt(south: int, east: int) -> None:
    values = {
        NORTH: (south + east,),
        SOUTH: (south,),
        EAST: (east,),
        N_S: (south,),
        N_E: (east,),
    }
    hidden = rows_to_withhold(values, below=5, relations=FLOWS)

    if len(hidden) <= 3:
        assert len(solutions(values, hidden, FLOWS)) > 1
    assert N_E in hidden
    assert determined(hidden, FLOWS) == frozenset()


@settings(max_examples=200)
@given(st.lists(st.integers(0, 12), min_size=4, max_size=12))
def test_what_is_withheld_is_never_determined_by_what_is_told(numbers: list[int]) -> None:
    ways = [Row("flow", f"f{i}") for i in range(len(numbers))]
    values: dict[Row, tuple[int, ...]] = {way: (n,) for way, n in zip(ways, numbers, strict=True)}
    relations = []
    for i in range(len(ways) // 2):
        parts = (ways[i], ways[-1 - i], ways[(i + 1) % len(ways)])
        parts = tuple(dict.fromkeys(parts))
        whole = Row("line", f"l{i}", Direction.RIGHT)
        values[whole] = (sum(values[part][0] for part in parts),)
        relations.append(Relation(whole, parts))

    hidden = rows_to_withhold(values, below=5, relations=relations)

    assert {row for row, (n,) in values.items() if 0 < n < 5} <= hidden
    assert determined(hidden, relations) == frozenset()
