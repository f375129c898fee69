"""What leaves a box: the schema's fields and nothing else, and incidents only where allowed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import ValidationError

from common.geometry import Direction
from common.messages import BinReport, SectionCounts
from common.road_users import RoadUser
from common.wire import ClockState, PrivacyMode
from edge.anonymise.engine import PrivacyEngine
from edge.anonymise.settings import CameraPrivacy, NoiseSettings, PrivacySettings
from edge.keeping.stored import StoredBin
from edge.measure.bins import AreaBin, Quality
from edge.measure.events import Incident, IncidentKind
from tests.unit.anonymise.stored_bins import EIGHT, cars, line, stored

pytestmark = pytest.mark.unit

NOISE = NoiseSettings(epsilon_per_bin=1, epsilon_per_day=10)
OPERATIONAL = CameraPrivacy(mode=PrivacyMode.OPERATIONAL)
STOPPED = Incident(
    kind=IncidentKind.STOPPED_VEHICLE,
    section="carriageway",
    road_user=RoadUser.CAR,
    track_id=4711,
    since_s=12.25,
    at=EIGHT + timedelta(seconds=32.654321),
)


def test_every_measured_number_arrives_as_it_was() -> None:
    north = line(
        "north",
        cars(7, bus=1),
        speeds=((40, 5), (45, 2)),
        speed_sum_kmh=305.5,
        headways=6,
        headway_sum_s=48.25,
        headway_least_s=2.5,
        time_gaps=5,
        time_gap_sum_s=40.125,
        inferred=1,
    )
    area = AreaBin(section="queue", occupied_share=0.25, queue_most=3, dwell_mean_s=8.5, walks=2)
    measured = stored(
        lines=(north,),
        flows={"N-S": cars(6)},
        areas=(area,),
        quality=Quality.PARTIAL,
        flags=("low_coverage",),
        gaps=((10.0, 20.5),),
        coverage_s=49.5,
    )

    (bin_,) = PrivacyEngine({}).bins([measured])

    assert bin_.sections == (
        SectionCounts(
            section="north",
            direction=Direction.RIGHT,
            counts=(0, 0, 7, 0, 1, 0),
            inferred=1,
            speeds=((40, 5), (45, 2)),
            speed_sum_kmh=305.5,
            headways=6,
            headway_sum_s=48.25,
            headway_least_s=2.5,
            time_gaps=5,
            time_gap_sum_s=40.125,
        ),
    )
    assert bin_.flows[0].counts == (0, 0, 6, 0, 0, 0)
    assert (bin_.areas[0].queue_most, bin_.areas[0].walks) == (3, 2)
    assert (bin_.start, bin_.coverage_s, bin_.gaps) == (EIGHT, 49.5, ((10.0, 20.5),))
    assert (bin_.quality, bin_.flags) == ("partial", ("low_coverage",))
    assert bin_.incidents == {"stopped_vehicle": 0}
    assert bin_.mode is PrivacyMode.STATISTICS


def test_unwatched_stays_none_and_nothing_stays_zero() -> None:
    watched = stored(lines=(line("north", cars(0)),))
    dark = stored(
        minute=1,
        lines=(line("north", None),),
        coverage_s=0.0,
        quality=Quality.NO_DATA,
        incidents=None,
        conflicts=None,
        unassigned_share=None,
    )

    first, second = PrivacyEngine({}).bins([watched, dark])

    assert first.sections[0].counts == (0,) * 6
    assert (second.sections[0].counts, second.sections[0].withheld) == (None, False)
    assert (second.incidents, second.unassigned_share) == (None, None)


def test_what_the_schema_has_no_field_for_stays_on_the_box() -> None:
    measured = stored(lines=(line("north", cars(7)),))
    content = {
        **measured.content,
        "plate": "AB-123-CD",
        "track_ids": [4711],
        "picture": "/9j/4AAQSkZJRg==",
        "sections": [
            {**measured.content["sections"][0], "crossed_at_s": [12.25], "note": "a red hat"}
        ],
    }

    bins = PrivacyEngine({}).bins([replace(measured, content=content)])

    text = BinReport(bins=tuple(bins)).model_dump_json()
    for secret in ("AB-123-CD", "4711", "/9j/", "12.25", "red hat"):
        assert secret not in text
    assert json.loads(text)["bins"][0]["sections"][0]["counts"] == [0, 0, 7, 0, 0, 0]


def test_bins_of_an_earlier_release_have_their_sums_from_the_means() -> None:
    measured = stored(lines=(line("north", cars(4), speeds=((40, 4),), speed_sum_kmh=170.0),))
    section = dict(measured.content["sections"][0])
    for key in ("speed_sum_kmh", "headway_sum_s", "time_gap_sum_s"):
        del section[key]

    (bin_,) = PrivacyEngine({}).bins(
        [replace(measured, content={**measured.content, "sections": [section]})]
    )

    assert bin_.sections[0].speed_sum_kmh == 170.0
    assert bin_.sections[0].headway_sum_s == 0.0


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"coverage_s": 61.0}, id="more covered than it is long"),
        pytest.param({"quality": "excellent"}, id="unknown quality"),
        pytest.param({"flags": ["Free text, with a name"]}, id="free text in a flag"),
        pytest.param({"sections": [{"section": "north"}]}, id="half a section"),
        pytest.param({"gaps": [["a"]]}, id="no interval"),
        pytest.param({"frames_seen": -1}, id="negative frames"),
    ],
)
def test_a_damaged_bin_is_told_and_holds_no_other_back(damage: dict[str, object]) -> None:
    sound = stored(lines=(line("north", cars(7)),))
    broken = stored(minute=1, lines=(line("north", cars(8)),))
    broken = replace(broken, content={**broken.content, **damage})
    left_out: list[tuple[StoredBin, str]] = []
    engine = PrivacyEngine({}, on_left_out=lambda bin_, why: left_out.append((bin_, why)))

    bins = engine.bins([broken, sound])

    assert [bin_.start for bin_ in bins] == [EIGHT]
    assert left_out == [(broken, "not_sendable")]


def test_bins_say_whether_the_clock_was_right() -> None:
    (bin_,) = PrivacyEngine({}).bins([stored()], clock=ClockState.UNSURE)

    assert bin_.clock is ClockState.UNSURE


def test_single_incidents_leave_in_operational_mode_without_track_and_fraction() -> None:
    engine = PrivacyEngine({"cam": OPERATIONAL})

    (note,) = engine.incidents("cam", [STOPPED])

    assert note.model_dump(mode="json") == {
        "camera": "cam",
        "section": "carriageway",
        "incident": "stopped_vehicle",
        "road_user": "car",
        "at": "2026-03-02T08:00:32Z",
    }
    assert engine.bins([stored()])[0].mode is PrivacyMode.OPERATIONAL


def test_a_camera_in_statistics_mode_tells_no_single_incident() -> None:
    engine = PrivacyEngine({"other": OPERATIONAL})

    assert engine.incidents("cam", [STOPPED]) == []


@pytest.mark.parametrize(
    "protection",
    [
        pytest.param({"withhold_below": 5}, id="withholding"),
        pytest.param({"noise": NOISE}, id="noise"),
    ],
)
def test_operational_mode_and_protected_counts_exclude_each_other(
    protection: dict[str, object],
) -> None:
    with pytest.raises(ValidationError, match="undoes withhold_below and noise"):
        CameraPrivacy(mode=PrivacyMode.OPERATIONAL, **protection)


def test_noise_without_a_budget_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cameras \['cam'\] have noise"):
        PrivacyEngine({"cam": CameraPrivacy(noise=NOISE)})


def test_a_bin_that_costs_more_than_the_day_is_refused() -> None:
    with pytest.raises(ValidationError, match="epsilon_per_bin 2 exceeds epsilon_per_day 1"):
        NoiseSettings(epsilon_per_bin=2, epsilon_per_day=1)


def test_a_camera_without_its_own_settings_has_the_default() -> None:
    settings = PrivacySettings(
        default=CameraPrivacy(withhold_below=5), cameras={"depot": OPERATIONAL}
    )

    assert settings.of("depot").mode is PrivacyMode.OPERATIONAL
    assert settings.of("cam").withhold_below == 5
