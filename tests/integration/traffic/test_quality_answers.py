"""Gaps, maintenance and anomalies through the API, on both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coordinator.traffic.quality_watch import QualityWatch
from tests.fakes.clocks import StandingClock
from tests.fakes.traffic_api import AsgiClient
from tests.fakes.traffic_city import SITE, TENANT, TrafficCity, traffic_app

pytestmark = pytest.mark.integration

EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
RANGE = {"from": "2026-03-02T08:00:00Z", "to": "2026-03-02T09:00:00Z"}
MINUTE = timedelta(minutes=1)


def at_nine(city: TrafficCity) -> AsgiClient:
    clock = StandingClock(EIGHT + timedelta(minutes=35))
    return AsgiClient(traffic_app(city.database, clock))


def gaps_of(client: AsgiClient) -> list[tuple[str, str, str]]:
    assert client.post(f"/api/v1/sites/{SITE}/quality/scans").status_code == 204
    answer = client.get(f"/api/v1/sites/{SITE}/quality", params=RANGE).json()
    return [(gap["start"][11:16], gap["end"][11:16], gap["reason"]) for gap in answer["gaps"]]


def test_the_ledger_names_what_was_missing_and_why(city: TrafficCity) -> None:
    city.minutes(EIGHT, EIGHT + 10 * MINUTE)
    city.minutes(
        EIGHT + 10 * MINUTE, EIGHT + 15 * MINUTE, coverage_s=0.0, quality="no_data",
        flags=["blocked"], gaps=[[0, 60]],
    )  # fmt: skip
    city.minutes(EIGHT + 20 * MINUTE, EIGHT + 30 * MINUTE)

    assert gaps_of(at_nine(city)) == [
        ("08:10", "08:15", "view_blocked"),
        ("08:15", "08:20", "offline"),
    ]


def test_bins_that_arrive_late_close_their_gap(city: TrafficCity) -> None:
    client = at_nine(city)
    city.minutes(EIGHT, EIGHT + 10 * MINUTE)
    city.minutes(EIGHT + 20 * MINUTE, EIGHT + 30 * MINUTE)
    before = gaps_of(client)

    city.minutes(EIGHT + 10 * MINUTE, EIGHT + 20 * MINUTE)

    assert before == [("08:10", "08:20", "offline")]
    assert gaps_of(client) == []


def test_an_outage_that_goes_on_stays_one_gap(city: TrafficCity) -> None:
    clock = StandingClock(EIGHT + timedelta(minutes=35))
    client = AsgiClient(traffic_app(city.database, clock))
    city.minutes(EIGHT, EIGHT + 10 * MINUTE)
    before = gaps_of(client)

    clock.move(600)

    assert before == [("08:10", "08:30", "offline")]
    assert gaps_of(client) == [("08:10", "08:40", "offline")]


def test_maintenance_gives_its_part_of_a_gap_its_own_name(city: TrafficCity) -> None:
    client = at_nine(city)
    city.minutes(EIGHT, EIGHT + 10 * MINUTE)
    city.minutes(EIGHT + 25 * MINUTE, EIGHT + 30 * MINUTE)
    window = {"start": "2026-03-02T08:15:00Z", "end": "2026-03-02T08:25:00Z", "note": "lens"}

    told = client.post(f"/api/v1/sites/{SITE}/cameras/cam-north/maintenance", json=window)

    assert told.status_code == 201
    assert gaps_of(client) == [
        ("08:10", "08:15", "offline"),
        ("08:15", "08:25", "maintenance"),
    ]
    answer = client.get(f"/api/v1/sites/{SITE}/quality", params=RANGE).json()
    assert answer["maintenance"][0]["note"] == "lens"


def test_withheld_minutes_are_a_gap_of_their_own(city: TrafficCity) -> None:
    city.minutes(EIGHT, EIGHT + 10 * MINUTE, counts={"N-S": {"car": 1}, "S-N": {"car": 1}})
    city.minutes(
        EIGHT + 10 * MINUTE, EIGHT + 20 * MINUTE, counts={"N-S": None, "S-N": None},
        is_withheld=True,
    )  # fmt: skip
    city.minutes(EIGHT + 20 * MINUTE, EIGHT + 30 * MINUTE, counts={"N-S": None, "S-N": {"car": 1}})

    assert gaps_of(at_nine(city)) == [("08:10", "08:20", "withheld")]


def test_coverage_of_a_site_counts_the_time_that_has_passed(city: TrafficCity) -> None:
    clock = StandingClock(EIGHT + timedelta(minutes=30))
    client = AsgiClient(traffic_app(city.database, clock))
    city.watch(EIGHT, width_s=3600, seconds=900)

    (camera,) = client.get(f"/api/v1/sites/{SITE}/quality", params=RANGE).json()["cameras"]

    assert camera["coverage"] == 0.5
    assert camera["frames_dropped_share"] == 0.1


def six_weeks(city: TrafficCity, *, people_until: datetime, now: datetime) -> None:
    """Every hour of six weeks: 200 cars north, 40 south, 5 people, until these are seen no more."""
    from coordinator.traffic.rollup_tables import CameraRollupRow, CountRollupRow  # noqa: PLC0415

    hours = [now - timedelta(hours=n) for n in range(1, 42 * 24)]
    with city.database.session() as session:
        for start in hours:
            session.add(
                CameraRollupRow(
                    camera_id=city.camera_id, width_s=3600, start=start, tenant_id=TENANT,
                    bins=60, coverage_s=3600.0, frames_seen=1, frames_dropped=0, good_s=3600.0,
                    degraded_bins=0,
                )
            )  # fmt: skip
            for series, cars in (("north-leg right", 200), ("south-leg right", 40)):
                session.add(
                    CountRollupRow(
                        series_id=city.series[series], width_s=3600, start=start,
                        tenant_id=TENANT, bins=60, watched_bins=60, withheld_bins=0, bicycle=0,
                        motorcycle=0, car=cars, bus=0, truck=0,
                        person=5 if start < people_until else 0,
                    )
                )  # fmt: skip


def test_people_who_vanish_become_an_anomaly_that_is_reviewed(city: TrafficCity) -> None:
    now = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    silent_from = now - timedelta(hours=10)
    six_weeks(city, people_until=silent_from, now=now)
    client = AsgiClient(traffic_app(city.database, StandingClock(now)))
    client.post(f"/api/v1/sites/{SITE}/quality/scans")

    found = client.get("/api/v1/anomalies", params={"kind": "silent_class"}).json()["anomalies"]

    (anomaly,) = found
    assert (anomaly["subject"], anomaly["state"], anomaly["site"]) == ("person", "open", SITE)
    assert anomaly["start"] == silent_from.isoformat().replace("+00:00", "Z")
    assert anomaly["detail"] == {"expected": 100.0, "counted": 0}

    path = f"/api/v1/anomalies/{anomaly['id']}"
    client.post(f"{path}/notes", json={"text": "asked the crew"})
    review: Any = client.post(
        f"{path}/reviews", json={"state": "confirmed", "text": "class list was wrong"}
    ).json()
    client.post(f"/api/v1/sites/{SITE}/quality/scans")

    assert review["state"] == "confirmed"
    after = client.get(path).json()
    assert after["state"] == "confirmed", "finding it again does not open it again"
    assert [(note["state"], note["text"]) for note in after["notes"]] == [
        ("open", "asked the crew"),
        ("confirmed", "class list was wrong"),
    ]
    assert client.get("/api/v1/anomalies", params={"state": "open"}).json()["anomalies"] == []


def test_an_anomaly_of_another_tenant_is_not_known(city: TrafficCity) -> None:
    now = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    six_weeks(city, people_until=now - timedelta(hours=10), now=now)
    ours = AsgiClient(traffic_app(city.database, StandingClock(now)))
    ours.post(f"/api/v1/sites/{SITE}/quality/scans")
    theirs = AsgiClient(traffic_app(city.database, StandingClock(now), tenant="shelbyville"))

    assert theirs.get("/api/v1/anomalies").json()["anomalies"] == []
    assert theirs.get("/api/v1/anomalies/1").status_code == 404
    assert theirs.post("/api/v1/anomalies/1/notes", json={"text": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("anomalies/1/reviews", {"state": "perhaps"}, id="no such state"),
        pytest.param("anomalies/1/notes", {"text": "a\x00b"}, id="a zero byte"),
        pytest.param("anomalies/1/notes", {"text": " "}, id="an empty note"),
        pytest.param(
            f"sites/{SITE}/cameras/cam-north/maintenance",
            {"start": "2026-03-02T09:00:00Z", "end": "2026-03-02T08:00:00Z"},
            id="a window backwards",
        ),
    ],
)
def test_bad_bodies_are_refused(api: AsgiClient, path: str, body: dict[str, str]) -> None:
    assert api.post(f"/api/v1/{path}", json=body).status_code == 422


def test_the_watch_scans_until_it_is_stopped(city: TrafficCity) -> None:
    city.minutes(EIGHT, EIGHT + 10 * MINUTE)
    clock = StandingClock(EIGHT + timedelta(minutes=35))
    watch = QualityWatch(city.database, TENANT, clock)
    stop = threading.Event()
    stop.set()

    watch.run(stop)
    watch.run_once()

    answer = AsgiClient(traffic_app(city.database, clock)).get(
        f"/api/v1/sites/{SITE}/quality", params=RANGE
    )
    assert [gap["reason"] for gap in answer.json()["gaps"]] == ["offline"]
