"""Counts through the API, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fakes.clocks import StandingClock
from tests.fakes.traffic_api import AsgiClient, bins_of
from tests.fakes.traffic_city import SITE, TrafficCity, traffic_app

pytestmark = pytest.mark.integration

EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
HOUR = {"from": "2026-03-02T08:00:00Z", "to": "2026-03-02T09:00:00Z"}


def test_a_measured_zero_and_three_kinds_of_nothing_are_told_apart(
    city: TrafficCity, api: AsgiClient
) -> None:
    city.watch(EIGHT)
    city.count("N-S", EIGHT, {})
    city.watch(EIGHT + QUARTER, coverage=0.0)
    city.count("N-S", EIGHT + QUARTER, None)
    city.watch(EIGHT + 2 * QUARTER)
    city.count("N-S", EIGHT + 2 * QUARTER, None, withheld_bins=15)

    answer = api.get(f"/api/v1/sites/{SITE}/counts", params={**HOUR, "section": "N-S"}).json()

    bins = bins_of(answer)
    assert [(one["state"], one["total"]) for one in bins] == [
        ("measured", 0),
        ("not_watched", None),
        ("withheld", None),
        ("not_reported", None),
    ]
    assert [one["coverage"] for one in bins] == [1.0, 0.0, 1.0, 0.0]
    assert [one["verdict"] for one in bins] == ["good", "no_data", "good", "no_data"]


def test_every_number_carries_coverage_quality_and_what_was_withheld(
    city: TrafficCity, api: AsgiClient
) -> None:
    city.watch(EIGHT, coverage=0.8)
    city.count("north-leg right", EIGHT, {"car": 30, "truck": 2}, withheld_bins=3)

    answer = api.get(
        f"/api/v1/sites/{SITE}/counts",
        params={**HOUR, "section": "north-leg", "direction": "right"},
    ).json()

    assert {name: answer[name][:1] for name in ("starts", "cameras", "series")} == {
        "starts": ["2026-03-02T08:00:00Z"],
        "cameras": [
            {
                "camera": "cam-north",
                "coverage": [0.8, 0.0, 0.0, 0.0],
                "quality": [0.8, 0.0, 0.0, 0.0],
                "verdict": ["partial", "no_data", "no_data", "no_data"],
            }
        ],
        "series": [
            {
                "camera": "cam-north",
                "kind": "line",
                "name": "north-leg",
                "direction": "right",
                "state": ["measured", *["not_reported"] * 3],
                "counts": {
                    "person": [0, None, None, None],
                    "bicycle": [0, None, None, None],
                    "car": [30, None, None, None],
                    "motorcycle": [0, None, None, None],
                    "bus": [0, None, None, None],
                    "truck": [2, None, None, None],
                },
                "total": [32, None, None, None],
                "withheld_share": [0.2, 0.0, 0.0, 0.0],
            }
        ],
    }


def test_only_the_asked_classes_are_counted(city: TrafficCity, api: AsgiClient) -> None:
    city.watch(EIGHT)
    city.count("N-S", EIGHT, {"car": 30, "truck": 2, "person": 9})

    answer = api.get(
        f"/api/v1/sites/{SITE}/counts",
        params={**HOUR, "section": "N-S", "road_user": ["truck", "person"]},
    ).json()

    assert bins_of(answer)[0]["counts"] == {"truck": 2, "person": 9}
    assert bins_of(answer)[0]["total"] == 11


def test_minutes_come_from_the_base_rows_and_their_parts_add_up(
    city: TrafficCity, api: AsgiClient
) -> None:
    city.minute(EIGHT, coverage_s=45.0, counts={"N-S": {"car": 3}})
    city.minute(EIGHT, part=1, coverage_s=5.0, counts={"N-S": {"car": 1, "bus": 1}})

    answer = api.get(
        f"/api/v1/sites/{SITE}/counts",
        params={
            "from": "2026-03-02T08:00:00Z",
            "to": "2026-03-02T08:02:00Z",
            "width": "1min",
            "section": "N-S",
        },
    ).json()

    first, second = bins_of(answer)
    assert (first["counts"]["car"], first["counts"]["bus"], first["total"]) == (4, 1, 5)
    assert first["coverage"] == pytest.approx(50 / 60, abs=1e-4)
    assert second["state"] == "not_reported"


@pytest.mark.parametrize(
    ("day", "quarters"),
    [
        pytest.param("2026-03-28", 96, id="an ordinary day"),
        pytest.param("2026-03-29", 92, id="clocks go forward"),
        pytest.param("2026-10-25", 100, id="clocks go back"),
    ],
)
def test_a_local_day_has_the_quarter_hours_of_its_time_zone(
    city: TrafficCity, day: str, quarters: int
) -> None:
    client = AsgiClient(traffic_app(city.database, StandingClock(datetime(2027, 1, 1, tzinfo=UTC))))

    answer = client.get(
        f"/api/v1/sites/{SITE}/counts", params={"day": day, "section": "N-S"}
    ).json()

    assert len(bins_of(answer)) == quarters
    assert answer["timezone"] == "Europe/Vienna"


def test_pages_hold_whole_bins_and_lead_to_each_other(city: TrafficCity, api: AsgiClient) -> None:
    for n in range(4):
        city.count("N-S", EIGHT + n * QUARTER, {"car": n})
    asked = {**HOUR, "kind": "flow", "limit": "7"}

    first = api.get(f"/api/v1/sites/{SITE}/counts", params=asked).json()
    second = api.get(
        f"/api/v1/sites/{SITE}/counts", params={**asked, "from": first["next_from"]}
    ).json()

    def cars(answer: dict[str, Any]) -> object:
        (series,) = (one for one in answer["series"] if one["name"] == "N-S")
        return series["counts"]["car"]

    assert (cars(first), cars(second)) == ([0, 1], [2, 3])
    assert second["next_from"] is None


def test_what_has_not_begun_is_not_answered(city: TrafficCity) -> None:
    now = StandingClock(EIGHT + timedelta(minutes=20))
    city.watch(EIGHT + QUARTER, seconds=300)
    client = AsgiClient(traffic_app(city.database, now))

    answer = client.get(f"/api/v1/sites/{SITE}/counts", params={**HOUR, "section": "N-S"}).json()

    bins = bins_of(answer)
    assert [one["start"][11:16] for one in bins] == ["08:00", "08:15"]
    assert bins[1]["coverage"] == 1.0, "five minutes of it have passed, and all were watched"


def test_flows_are_added_up_bin_by_bin(city: TrafficCity, api: AsgiClient) -> None:
    city.watch(EIGHT)
    city.count("N-S", EIGHT, {"car": 30})
    city.count("S-N", EIGHT, {"car": 12, "bus": 1})
    city.count("north-leg right", EIGHT, {"car": 99})

    answer = api.get(f"/api/v1/sites/{SITE}/totals", params=HOUR).json()

    assert answer["added"] == 3
    assert answer["counts"]["car"][:2] == [42, None]
    assert answer["total"][:2] == [43, None]
    assert answer["state"][:2] == ["measured", "not_reported"]
    assert answer["coverage"] == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("asked", "cars"),
    [
        pytest.param({}, 42, id="all flows of the site"),
        pytest.param({"camera": "cam-north"}, 42, id="all flows of a camera"),
        pytest.param({"section": "S-N"}, 12, id="some of its flows"),
        pytest.param({"kind": "line"}, 100, id="all lines"),
        pytest.param({"kind": "line", "direction": "right"}, 99, id="lines in one direction"),
    ],
)
def test_what_was_chosen_is_added_up_and_nothing_else(
    city: TrafficCity, api: AsgiClient, asked: dict[str, str], cars: int
) -> None:
    city.watch(EIGHT)
    city.count("N-S", EIGHT, {"car": 30})
    city.count("S-N", EIGHT, {"car": 12})
    city.count("N-N", EIGHT, None, withheld_bins=3)
    city.count("north-leg right", EIGHT, {"car": 99})
    city.count("north-leg left", EIGHT, {"car": 1})

    answer = api.get(f"/api/v1/sites/{SITE}/totals", params={**HOUR, **asked}).json()

    assert answer["counts"]["car"][0] == cars


def test_what_was_withheld_of_any_flow_is_told_with_the_total(
    city: TrafficCity, api: AsgiClient
) -> None:
    city.watch(EIGHT)
    city.count("N-S", EIGHT, {"car": 30})
    city.count("S-N", EIGHT, None, withheld_bins=3)

    answer = api.get(f"/api/v1/sites/{SITE}/totals", params=HOUR).json()

    assert answer["total"][0] == 30
    assert answer["withheld_share"][0] == 0.1, "3 of 2 × 15 minutes"


def test_another_tenant_sees_nothing(city: TrafficCity, clock: StandingClock) -> None:
    city.count("N-S", EIGHT, {"car": 30})
    stranger = AsgiClient(traffic_app(city.database, clock, tenant="shelbyville"))

    assert stranger.get("/api/v1/sites").json() == {"sites": []}
    assert stranger.get(f"/api/v1/sites/{SITE}/counts", params=HOUR).status_code == 404


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({}, id="no range"),
        pytest.param({"from": "2026-03-02T08:00:00Z"}, id="no end"),
        pytest.param({**HOUR, "day": "2026-03-02"}, id="range and day"),
        pytest.param({"from": "2026-03-02T08:00:00", "to": HOUR["to"]}, id="naive"),
        pytest.param({"from": HOUR["to"], "to": HOUR["from"]}, id="backwards"),
        pytest.param({**HOUR, "to": "2026-06-02T09:00:00Z"}, id="too long for quarter hours"),
        pytest.param({"day": "9999-12-31"}, id="the end of the calendar"),
        pytest.param({**HOUR, "width": "7min"}, id="no such width"),
        pytest.param({**HOUR, "section": "a\x00b"}, id="a zero byte"),
        pytest.param({**HOUR, "nonsense": "1"}, id="no such question"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(
    api: AsgiClient, asked: dict[str, str]
) -> None:
    assert api.get(f"/api/v1/sites/{SITE}/counts", params=asked).status_code == 422


def test_a_site_shows_what_is_counted_and_how_it_is_drawn(api: AsgiClient) -> None:
    answer = api.get(f"/api/v1/sites/{SITE}").json()

    (camera,) = answer["cameras"]
    series = {(one["name"], one["direction"]): one for one in camera["series"]}
    assert camera["is_calibrated"] is True
    assert series["zebra", ""]["use"] == "crosswalk"
    assert series["N-N", ""]["movement"] == "u_turn"
    assert (series["N-S", ""]["leg"], series["N-S", ""]["to_leg"]) == ("north-leg", "south-leg")


def test_an_unknown_site_says_where_to_look(api: AsgiClient) -> None:
    answer = api.get("/api/v1/sites/nowhere")

    assert answer.status_code == 404
    assert "/api/v1/sites" in answer.json()["hint"]
