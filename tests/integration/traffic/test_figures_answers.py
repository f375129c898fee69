"""Movements, speeds, areas, safety and the city through the API, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session

from coordinator.traffic.tables import IncidentRow
from tests.fakes.traffic_api import AsgiClient
from tests.fakes.traffic_city import SITE, TENANT, TrafficCity

pytestmark = pytest.mark.integration

EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
HOUR = {"from": "2026-03-02T08:00:00Z", "to": "2026-03-02T09:00:00Z"}


def fill_hour(city: TrafficCity) -> None:
    """100, 120, 110 and 100 cars straight on from the north; 10 the other way, one turns back."""
    for n, cars in enumerate((100, 120, 110, 100)):
        start = EIGHT + n * QUARTER
        city.watch(start)
        city.count("N-S", start, {"car": cars})
        city.count("S-N", start, {"car": 8, "truck": 2, "person": 5})
        city.count("N-N", start, {"car": 1})


def get(api: AsgiClient, path: str, **params: str) -> Any:
    answer = api.get(f"/api/v1/sites/{SITE}/{path}", params={**HOUR, **params})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_movement_table_has_legs_movements_and_classes(
    city: TrafficCity, api: AsgiClient
) -> None:
    fill_hour(city)

    table = get(api, "movements")

    assert [(one["leg"], one["movement"]) for one in table["movements"]] == [
        ("north-leg", "thru"),
        ("north-leg", "u_turn"),
        ("south-leg", "thru"),
    ]
    assert [one["vehicles"][1] for one in table["movements"]] == [120, 1, 10]
    assert table["movements"][2]["counts"]["person"][1] == 5
    assert table["starts"][1] == "2026-03-02T08:15:00Z"
    assert table["vehicles"][1] == 131


def test_the_peak_hour_and_its_factor_are_those_of_the_junction(
    city: TrafficCity, api: AsgiClient
) -> None:
    fill_hour(city)

    table = get(api, "movements")

    # 111 + 131 + 121 + 111 = 474; 474 / (4 × 131) = 0.905
    assert table["peak_hour"]["volume"] == 474
    assert table["peak_hour"]["factor"] == pytest.approx(0.905, abs=0.001)
    assert [leg["peak_hour_volume"] for leg in table["legs"]] == [434, 40]
    assert table["legs"][1]["peak_hour_factor"] == 1.0


def test_an_unwatched_quarter_leaves_the_total_open_and_no_peak_hour(
    city: TrafficCity, api: AsgiClient
) -> None:
    for n in (0, 1, 3):
        city.watch(EIGHT + n * QUARTER)
        for flow in ("N-S", "S-N", "N-N"):
            city.count(flow, EIGHT + n * QUARTER, {"car": 10})

    table = get(api, "movements")

    assert table["vehicles"] == [30, 30, None, 30]
    assert table["movements"][0]["state"][2] == "not_reported"
    assert table["coverage"] == [1.0, 1.0, 0.0, 1.0]
    assert table["peak_hour"] is None
    assert table["legs"][0]["vehicles"] is None


def test_flows_are_a_matrix_of_origins_and_destinations(city: TrafficCity, api: AsgiClient) -> None:
    city.watch(EIGHT, width_s=3600)
    city.count("N-S", EIGHT, {"car": 430}, width_s=3600)
    city.count("S-N", EIGHT, {"car": 40}, width_s=3600)
    city.count("N-N", EIGHT, {"car": 4}, width_s=3600)

    answer = get(api, "flows")

    assert answer["sections"] == ["north-leg", "south-leg"]
    assert answer["matrix"] == [[4, 430], [40, None]]
    assert answer["coverage"] == 1.0


def test_speeds_have_a_mean_and_the_85th_percentile(city: TrafficCity, api: AsgiClient) -> None:
    city.watch(EIGHT)
    city.count("north-leg right", EIGHT, {"car": 100}, speeds=100, speed_sum_kmh=4650.0)
    city.speeds("north-leg right", EIGHT, {40: 30, 45: 50, 50: 20})

    answer = get(api, "speeds", section="north-leg", direction="right")

    first, second, *_ = answer["series"][0]["bins"]
    assert (first["mean_kmh"], first["v85_kmh"]) == (46.5, 51.25)
    assert first["histogram"] == {"40": 30, "45": 50, "50": 20}
    assert (second["state"], second["mean_kmh"], second["v85_kmh"]) == ("not_reported", None, None)


def test_headways_have_means_only_where_some_were_measured(
    city: TrafficCity, api: AsgiClient
) -> None:
    city.watch(EIGHT)
    city.count(
        "north-leg right", EIGHT, {"car": 5}, headways=4, headway_sum_s=10.0, headway_least_s=1.5
    )

    (bins,) = (
        one["bins"]
        for one in get(api, "headways", section="north-leg", direction="right")["series"]
    )

    assert (bins[0]["headway_mean_s"], bins[0]["headway_least_s"]) == (2.5, 1.5)
    assert bins[0]["time_gap_mean_s"] is None


def test_areas_and_crosswalks_are_told_apart(city: TrafficCity, api: AsgiClient) -> None:
    city.watch(EIGHT)
    city.area("queue-north", EIGHT, occupied_share=0.4, queue_most=6)
    city.area("zebra", EIGHT, walks=12)

    areas = get(api, "areas")
    crosswalks = get(api, "crosswalks")

    assert [one["name"] for one in areas["series"]] == ["queue-north", "zebra"]
    assert areas["series"][0]["bins"][0]["queue_most"] == 6
    assert [one["name"] for one in crosswalks["areas"]] == ["zebra"]
    assert crosswalks["areas"][0]["bins"][0]["walks"] == 12
    assert crosswalks["areas"][0]["bins"][1]["walks"] is None


def test_what_is_withheld_of_an_area_is_told(city: TrafficCity, api: AsgiClient) -> None:
    half_past = EIGHT + timedelta(minutes=30)
    city.watch(EIGHT)
    city.watch(half_past)
    city.area("zebra", EIGHT, bins=15, withheld_bins=15)
    city.area("zebra", half_past, walks=4, bins=15, withheld_bins=3)

    (zebra,) = get(api, "crosswalks")["areas"]

    told = [(one["state"], one["walks"], one["withheld_share"]) for one in zebra["bins"][:3]]
    assert told == [("withheld", None, 1.0), ("not_reported", None, 0.0), ("measured", 4, 0.2)]


def test_a_junction_has_no_level_of_service_but_a_reason(
    city: TrafficCity, api: AsgiClient
) -> None:
    city.watch(EIGHT)
    city.count("north-leg right", EIGHT, {"car": 100})

    answer = get(
        api, "service-levels", facility="signalised", section="north-leg", direction="right"
    )

    first = answer["series"][0]["bins"][0]
    assert (first["level"], first["reason"]) == (None, "control_delay_not_measured")
    assert first["flow_pc_h"] == 400


def test_incidents_are_sums_and_where_allowed_single_facts(
    city: TrafficCity, api: AsgiClient
) -> None:
    city.watch(EIGHT, width_s=3600)
    city.minute(EIGHT, incidents={"stopped_vehicle": 1, "wrong_way": 0}, conflicts={"pet": 2})
    city.minute(EIGHT + timedelta(minutes=1), incidents={"stopped_vehicle": 2, "wrong_way": 0})
    with city.database.session() as session:
        add_incidents(session, city, 3)

    answer = get(api, "safety", limit="2")

    assert answer["cameras"][0]["incidents"] == {"stopped_vehicle": 3, "wrong_way": 0}
    assert answer["cameras"][0]["conflicts"] == {"pet": 2}
    assert len(answer["incidents"]) == 2
    rest = get(api, "safety", after=str(answer["next_after"]))
    assert (len(rest["incidents"]), rest["next_after"]) == (1, None)


def add_incidents(session: Session, city: TrafficCity, number: int) -> None:
    session.add_all(
        IncidentRow(
            tenant_id=TENANT,
            camera_id=city.camera_id,
            section="carriageway",
            incident="stopped_vehicle",
            road_user="car",
            at=EIGHT + timedelta(minutes=n),
        )
        for n in range(number)
    )


def test_unwatched_hours_have_no_incidents_not_none_of_them(
    city: TrafficCity, api: AsgiClient
) -> None:
    city.minute(EIGHT, coverage_s=0.0, quality="no_data")

    (camera,) = get(api, "safety")["cameras"]

    assert (camera["incidents"], camera["conflicts"]) == (None, None)


def test_the_city_shows_the_local_day_of_every_site(city: TrafficCity, api: AsgiClient) -> None:
    midnight = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)
    city.watch(midnight, width_s=86_400, coverage=0.5)
    city.count("N-S", midnight, {"car": 900, "person": 50}, width_s=86_400)
    city.count("north-leg right", midnight, {"car": 910, "person": 60}, width_s=86_400)

    answer = api.get("/api/v1/city/days/2026-03-02").json()

    (site,) = answer["sites"]
    assert site["start"] == "2026-03-01T23:00:00Z"
    assert (site["vehicles"], site["crossings"], site["people"]) == (900, 970, 60)
    assert (site["coverage"], site["verdict"]) == (0.5, "partial")


def test_a_city_day_without_reports_is_null(city: TrafficCity, api: AsgiClient) -> None:
    (site,) = api.get("/api/v1/city/days/2026-03-02").json()["sites"]

    assert (site["state"], site["vehicles"], site["coverage"]) == ("not_reported", None, 0.0)


@pytest.mark.parametrize("day", ["1999-12-31", "9999-12-31", "yesterday"])
def test_a_day_out_of_reach_is_refused(api: AsgiClient, day: str) -> None:
    assert api.get(f"/api/v1/city/days/{day}").status_code == 422
