"""Peak hours, speed figures, levels of service and coverage by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from coordinator.traffic.coverage import State, Verdict, Watched, state_of
from coordinator.traffic.peak_hour import QuarterHour, find_peak_hour
from coordinator.traffic.service_level import Facility, NoLevel, Stream, judge_service
from coordinator.traffic.speed_figures import mean_kmh, percentile_kmh, space_mean_kmh

pytestmark = pytest.mark.unit

EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def quarters(*volumes: int | None, coverage: float = 1.0) -> Sequence[QuarterHour]:
    return [
        QuarterHour(start=EIGHT + timedelta(minutes=15 * n), vehicles=volume, coverage=coverage)
        for n, volume in enumerate(volumes)
    ]


def test_the_factor_of_the_manuals_example_is_found() -> None:
    # HCM: 1,000 + 1,200 + 1,100 + 1,000 vehicles; 4,300 / (4 × 1,200) = 0.896.
    peak = find_peak_hour(quarters(1000, 1200, 1100, 1000))

    assert peak is not None
    assert (peak.volume, peak.busiest_quarter) == (4300, 1200)
    assert peak.factor == pytest.approx(0.896, abs=0.001)


def test_the_peak_hour_may_begin_at_any_quarter() -> None:
    peak = find_peak_hour(quarters(1, 5, 5, 5, 5, 1))

    assert peak is not None
    assert peak.start == EIGHT + timedelta(minutes=15)
    assert peak.factor == 1.0


@pytest.mark.parametrize(
    "four",
    [
        pytest.param(quarters(1, 2, None, 4), id="an unwatched quarter"),
        pytest.param(quarters(1, 2, 3, 4, coverage=0.9), id="half-watched quarters"),
        pytest.param(quarters(1, 2, 3), id="less than an hour"),
        pytest.param(
            [*quarters(1, 2, 3), replace(quarters(4)[0], start=EIGHT + timedelta(hours=2))],
            id="a hole in between",
        ),
    ],
)
def test_an_hour_that_was_not_watched_throughout_is_no_peak_hour(
    four: Sequence[QuarterHour],
) -> None:
    assert find_peak_hour(four) is None


def test_an_empty_hour_has_no_factor() -> None:
    peak = find_peak_hour(quarters(0, 0, 0, 0))

    assert peak is not None
    assert peak.factor is None


def test_v85_is_read_off_the_histogram() -> None:
    # 100 vehicles: 80 below 50, the 85th is a quarter into the 20 of 50-55.
    assert percentile_kmh({40: 30, 45: 50, 50: 20}, 85) == pytest.approx(51.25)


def test_no_speeds_have_no_figures() -> None:
    assert percentile_kmh({}, 85) is None
    assert mean_kmh(0, 0.0) is None
    assert space_mean_kmh({}) is None


def test_slow_vehicles_weigh_more_in_the_space_mean() -> None:
    # One at 22.5 and one at 67.5 km/h: 2 / (1/22.5 + 1/67.5) = 33.75.
    assert space_mean_kmh({20: 1, 65: 1}) == pytest.approx(33.75)


MOTORWAY = Stream(
    counts={"person": 0, "bicycle": 0, "car": 400, "motorcycle": 0, "bus": 0, "truck": 50},
    watched_s=900.0,
    coverage=1.0,
    speeds={97: 450},
    facility=Facility.MOTORWAY,
    lanes=2,
)


def test_density_on_a_motorway_gives_a_level() -> None:
    # 400 + 2 × 50 = 500 in a quarter hour: 2,000 an hour; / 99.5 km/h / 2 lanes = 10.05.
    found = judge_service(MOTORWAY)

    assert found.flow_pc_h == pytest.approx(2000)
    assert found.density_pc_km_lane == pytest.approx(10.05, abs=0.01)
    assert found.level == "B"


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        pytest.param(
            replace(MOTORWAY, facility=Facility.SIGNALISED),
            NoLevel.CONTROL_DELAY_NOT_MEASURED,
            id="signals",
        ),
        pytest.param(
            replace(MOTORWAY, facility=Facility.UNKNOWN), NoLevel.FACILITY_NOT_KNOWN, id="unknown"
        ),
        pytest.param(replace(MOTORWAY, lanes=None), NoLevel.LANES_NOT_KNOWN, id="lanes"),
        pytest.param(replace(MOTORWAY, counts=None), NoLevel.NOT_COUNTED, id="no counts"),
        pytest.param(replace(MOTORWAY, coverage=0.5), NoLevel.COVERAGE_TOO_LOW, id="coverage"),
        pytest.param(replace(MOTORWAY, speeds={95: 9}), NoLevel.TOO_FEW_SPEEDS, id="few speeds"),
    ],
)
def test_without_an_honest_input_there_is_a_reason_and_no_letter(
    stream: Stream, reason: NoLevel
) -> None:
    found = judge_service(stream)

    assert (found.level, found.reason) == (None, reason)


@pytest.mark.parametrize(
    ("watched", "verdict"),
    [
        pytest.param(Watched(wanted_s=900), Verdict.NO_DATA, id="nothing"),
        pytest.param(
            Watched(wanted_s=900, watched_s=900, good_s=900, reported_bins=15),
            Verdict.GOOD,
            id="all",
        ),
        pytest.param(
            Watched(wanted_s=900, watched_s=450, good_s=450, reported_bins=8),
            Verdict.PARTIAL,
            id="half",
        ),
        pytest.param(
            Watched(wanted_s=900, watched_s=900, good_s=780, reported_bins=15, degraded_bins=2),
            Verdict.DEGRADED,
            id="doubts",
        ),
    ],
)
def test_the_verdict_follows_from_seconds_and_doubts(watched: Watched, verdict: Verdict) -> None:
    assert watched.verdict is verdict


def test_late_parts_never_push_coverage_above_one() -> None:
    watched = Watched(wanted_s=60, watched_s=61, good_s=61, reported_bins=2)

    assert (watched.coverage, watched.quality) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("has_number", "withheld", "bins", "state"),
    [
        pytest.param(True, 3, 15, State.MEASURED, id="partly withheld is measured"),
        pytest.param(False, 3, 15, State.WITHHELD, id="withheld"),
        pytest.param(False, 0, 15, State.NOT_WATCHED, id="reported, nothing watched"),
        pytest.param(False, 0, 0, State.NOT_REPORTED, id="never arrived"),
    ],
)
def test_a_missing_number_says_why(
    has_number: bool, withheld: int, bins: int, state: State
) -> None:
    watched = Watched(wanted_s=900, reported_bins=bins)

    assert state_of(has_number=has_number, withheld_bins=withheld, watched=watched) is state
