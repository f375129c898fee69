"""Files through the API: sheets, tables and entities that others read."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from coordinator.fleet.tables import SiteRow
from tests.fakes.traffic_api import AsgiClient
from tests.fakes.traffic_city import SITE, TrafficCity

pytestmark = pytest.mark.integration

EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
HOUR = {"from": "2026-03-02T08:00:00Z", "to": "2026-03-02T09:00:00Z"}


def sheet(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def fill_hour(city: TrafficCity) -> None:
    for n, cars in enumerate((100, 120, 110, 100)):
        start = EIGHT + n * QUARTER
        city.watch(start)
        city.count("N-S", start, {"car": cars, "bus": 1})
        city.count("S-N", start, {"car": 10})
        city.count("N-N", start, {})


def test_the_sheet_has_leg_blocks_totals_and_the_peak_hour(
    city: TrafficCity, api: AsgiClient
) -> None:
    fill_hour(city)

    answer = api.get(f"/api/v1/sites/{SITE}/exports/tmc.csv", params=HOUR)

    rows = sheet(answer.text)
    begin = rows.index(["All vehicles"])
    assert rows[begin + 1][2:] == ["north-leg", "", "", "", "", "south-leg", "", "", "", ""]
    assert rows[begin + 2][2:7] == ["Right", "Thru", "Left", "U-Turn", "Total"]
    # Nobody drew a right or left turn: those cells are empty, not 0.
    assert rows[begin + 3] == [
        "2026-03-02T09:00+01:00", "1.0",
        "", "101", "", "0", "101",
        "", "10", "", "", "10",
        "111",
    ]  # fmt: skip
    assert rows[begin + 7][-1] == "474"
    assert rows[begin + 8][0] == "Peak hour 2026-03-02T09:00+01:00"
    assert rows[begin + 9][-1] == "0.905"
    assert ["Bus"] in rows
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"


def test_an_unwatched_quarter_is_an_empty_cell(city: TrafficCity, api: AsgiClient) -> None:
    city.watch(EIGHT)
    city.count("N-S", EIGHT, {"car": 3})

    rows = sheet(api.get(f"/api/v1/sites/{SITE}/exports/tmc.csv", params=HOUR).text)

    second = next(row for row in rows if row[:1] == ["2026-03-02T09:15+01:00"])
    assert second[1] == "0.0"
    assert set(second[2:]) == {""}
    assert ["Peak hour", "none: no hour was watched throughout"] in rows


@pytest.mark.parametrize("name", ["=HYPERLINK(0)", "+1", "-1+2", "@SUM(A1)", "\t=1"])
def test_a_name_is_never_run_by_a_spreadsheet(
    city: TrafficCity, api: AsgiClient, name: str
) -> None:
    with city.database.session() as session:
        row = session.get(SiteRow, city.site_id)
        assert row is not None
        row.name = name

    rows = sheet(api.get(f"/api/v1/sites/{SITE}/exports/tmc.csv", params=HOUR).text)

    assert ["Site", f"'{name}", SITE] in rows


def test_the_long_layout_keeps_null_apart_from_zero(city: TrafficCity, api: AsgiClient) -> None:
    city.watch(EIGHT)
    city.count("N-S", EIGHT, {})

    answer = api.get(
        f"/api/v1/sites/{SITE}/exports/counts.csv",
        params={**HOUR, "section": "N-S", "road_user": "car"},
    )

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["count"], row["state"]) for row in rows] == [
        ("0", "measured"),
        *[("", "not_reported")] * 3,
    ]


def test_parquet_keeps_nulls_types_and_units(city: TrafficCity, api: AsgiClient) -> None:
    city.watch(EIGHT)
    city.count("N-S", EIGHT, {"car": 7})

    answer = api.get(
        f"/api/v1/sites/{SITE}/exports/counts.parquet",
        params={**HOUR, "section": "N-S", "road_user": "car"},
    )

    table = pq.read_table(io.BytesIO(answer.content))
    assert table.column("count").to_pylist() == [7, None, None, None]
    assert table.column("start").to_pylist()[0] == EIGHT
    assert str(table.schema.field("start").type) == "timestamp[us, tz=UTC]"
    assert table.schema.field("coverage").metadata[b"description"] == (
        b"watched over wanted seconds, 0 to 1"
    )


def test_a_long_export_says_where_to_go_on(city: TrafficCity, api: AsgiClient) -> None:
    answer = api.get(
        f"/api/v1/sites/{SITE}/exports/counts.csv",
        params={**HOUR, "section": "N-S", "limit": "3"},
    )

    assert answer.headers["x-next-from"] == "2026-03-02T08:45:00Z"


@pytest.fixture
def validator(shared_data: Path) -> Draft202012Validator:
    folder = shared_data / "schemas"
    schema = json.loads((folder / "ngsi_TrafficFlowObserved.schema.json").read_text())
    shared = json.loads((folder / "common-schema.json").read_text())
    registry: Registry[Any] = Registry().with_resource(
        "https://smart-data-models.github.io/data-models/common-schema.json",
        Resource.from_contents(shared),
    )
    return Draft202012Validator(schema, registry=registry, format_checker=FormatChecker())


def test_entities_are_valid_against_the_published_schema(
    city: TrafficCity, api: AsgiClient, validator: Draft202012Validator
) -> None:
    city.watch(EIGHT)
    city.count(
        "north-leg right", EIGHT, {"car": 30, "truck": 2, "person": 4},
        speeds=10, speed_sum_kmh=450.0, headways=2, headway_sum_s=5.0,
    )  # fmt: skip

    answer = api.get(f"/api/v1/sites/{SITE}/exports/ngsi-ld", params=HOUR)

    entities = answer.json()
    assert [list(validator.iter_errors(entity)) for entity in entities] == [[]] * len(entities)
    whole = next(entity for entity in entities if "vehicleType" not in entity)
    assert (whole["intensity"], whole["averageVehicleSpeed"], whole["averageHeadwayTime"]) == (
        32,
        45.0,
        2.5,
    )
    assert whole["dateObserved"] == "2026-03-02T08:00:00Z/2026-03-02T08:15:00Z"
    assert whole["location"]["coordinates"] == [16.37, 48.2]
    lorries = next(entity for entity in entities if entity.get("vehicleType") == "lorry")
    assert lorries["intensity"] == 2
    assert len({entity["id"] for entity in entities}) == len(entities) == 6


def test_the_validator_would_notice_a_wrong_entity(
    validator: Draft202012Validator,
) -> None:
    wrong = {"id": "urn:x", "type": "TrafficFlowObserved", "dateObserved": "x", "intensity": -1}

    assert not validator.is_valid(wrong)


def test_nothing_is_said_of_bins_without_numbers(city: TrafficCity, api: AsgiClient) -> None:
    city.watch(EIGHT, coverage=0.0)
    city.count("north-leg right", EIGHT, None)

    assert api.get(f"/api/v1/sites/{SITE}/exports/ngsi-ld", params=HOUR).json() == []


def test_sites_are_a_feature_collection(city: TrafficCity, api: AsgiClient) -> None:
    answer = api.get("/api/v1/exports/sites.geojson")

    (feature,) = answer.json()["features"]
    assert feature["geometry"] == {"type": "Point", "coordinates": [16.37, 48.2]}
    assert feature["properties"]["cameras"] == ["cam-north"]
    assert answer.headers["content-type"] == "application/geo+json"
