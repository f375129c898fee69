"""Counts, speeds and headways of lines → NGSI-LD ``TrafficFlowObserved`` entities.

Key-values form of the Smart Data Models (dataModel.Transportation). ``intensity`` and the
other figures are left out where they were not measured, never set to 0. The model has one
``vehicleType`` an entity, so there is one entity for every direction, bin and class, and one
for all vehicles together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.road_users import RoadUser
from coordinator.traffic.coverage import State
from coordinator.traffic.periods import Width, bin_end
from coordinator.traffic.scenes import Site
from coordinator.traffic.views import CountsView, SpacingView, SpeedsView

CONTEXT = (
    "https://raw.githubusercontent.com/smart-data-models/dataModel.Transportation/"
    "master/context.jsonld"
)
_VEHICLE_TYPES = {
    RoadUser.BICYCLE: "bicycle",
    RoadUser.CAR: "car",
    RoadUser.MOTORCYCLE: "motorcycle",
    RoadUser.BUS: "bus",
    RoadUser.TRUCK: "lorry",
}
_LANE_DIRECTIONS = {"right": "forward", "left": "backward"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bin:
    """One measured bin of one direction; ``place`` is camera, line and direction."""

    place: tuple[str, str, str]
    start: datetime
    width: Width
    vehicles: Mapping[RoadUser, int]


def traffic_flow_observed(
    site: Site, counts: CountsView, speeds: SpeedsView, spacing: SpacingView
) -> list[dict[str, Any]]:
    """Entities of every measured bin of every line direction.

    Args:
        site: Where the lines are.
        counts: Lines only.
        speeds: The same lines and bins.
        spacing: The same lines and bins.
    """
    fields: dict[tuple[str, str, str, Any], dict[str, Any]] = {}
    for of_speeds in speeds.series:
        for one in of_speeds.bins:
            key = (of_speeds.camera, of_speeds.name, of_speeds.direction, one.start)
            fields.setdefault(key, {})["averageVehicleSpeed"] = _rounded(one.mean_kmh)
    for of_spacing in spacing.series:
        for two in of_spacing.bins:
            key = (of_spacing.camera, of_spacing.name, of_spacing.direction, two.start)
            fields.setdefault(key, {})["averageHeadwayTime"] = _rounded(two.headway_mean_s)
    entities = []
    for series in counts.series:
        place = (series.camera, series.name, series.direction)
        for n, start in enumerate(counts.starts):
            if series.state[n] is State.MEASURED:
                bin_ = _Bin(
                    place=place,
                    start=start,
                    width=counts.width,
                    vehicles={user: _known(series.counts[user][n]) for user in _VEHICLE_TYPES},
                )
                entities += _entities(site, bin_, fields.get((*place, start), {}))
    return entities


def _entities(site: Site, bin_: _Bin, figures: dict[str, Any]) -> list[dict[str, Any]]:
    base = _base(site, bin_)
    measured = {name: value for name, value in figures.items() if value is not None}
    whole = {**base, "intensity": sum(bin_.vehicles.values()), **measured}
    classes = [
        {
            **base,
            "id": f"{base['id']}:{user.value}",
            "vehicleType": _VEHICLE_TYPES[user],
            "intensity": number,
        }
        for user, number in bin_.vehicles.items()
    ]
    return [whole, *classes]


def _base(site: Site, bin_: _Bin) -> dict[str, Any]:
    start, width = bin_.start, bin_.width
    first, last = (
        moment.isoformat().replace("+00:00", "Z")
        for moment in (start, bin_end(start, width, site.zone))
    )
    camera, name, direction = bin_.place
    entity: dict[str, Any] = {
        "id": ":".join(
            [
                "urn:ngsi-ld:TrafficFlowObserved",
                site.slug,
                camera,
                _urn_part(name),
                direction,
                width.value,
                start.strftime("%Y%m%dT%H%M%SZ"),
            ]
        ),
        "type": "TrafficFlowObserved",
        "name": f"{site.name}, {name}, {direction}",
        "dateObserved": f"{first}/{last}",
        "dateObservedFrom": first,
        "dateObservedTo": last,
        "laneDirection": _LANE_DIRECTIONS[direction],
        "@context": [CONTEXT],
    }
    if site.latitude is not None and site.longitude is not None:
        entity["location"] = {"type": "Point", "coordinates": [site.longitude, site.latitude]}
    return entity


def _urn_part(name: str) -> str:
    """Names have letters of any alphabet and spaces; a URN part has neither."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in name)
    return kept if kept == name else f"{kept}-{name.encode().hex()}"


def _known(number: int | None) -> int:
    if number is None:
        raise ValueError("a measured bin without a number, expected one")
    return number


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
