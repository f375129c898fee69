"""One camera's bin → the tuples of the four tables of bins, in the order of their columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from common.messages import CameraBin
from common.road_users import ROAD_USERS
from coordinator.bulk_store import Row, json_text, moment_text

LINE, FLOW, AREA = "line", "flow", "area"

CLASS_COLUMNS = tuple(road_user.value for road_user in ROAD_USERS)
"""Classes in the order of the wire; the tables' own order differs."""

_NO_CLASS: Row = (None,) * len(ROAD_USERS)
_NO_SUMS: Row = (0, 0, 0.0, 0, 0.0, None, 0, 0.0)


class SeriesName(NamedTuple):
    """What a series is called within its camera."""

    kind: str
    name: str
    direction: str = ""


SeriesKey = tuple[str, str, str]
"""What a ``SeriesName`` is equal to, and much cheaper to make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BinOwner:
    """Where the rows of one bin belong."""

    tenant: str
    device: str
    camera_id: int


@dataclass(slots=True)
class BinRows:
    """Rows of many bins, table by table."""

    camera_bins: list[Row] = field(default_factory=list)
    counts: list[Row] = field(default_factory=list)
    speeds: list[Row] = field(default_factory=list)
    areas: list[Row] = field(default_factory=list)


def series_names(each: CameraBin) -> Iterator[SeriesName]:
    """Every series that a bin tells of."""
    for section in each.sections:
        yield SeriesName(LINE, section.section, section.direction.value)
    for flow in each.flows:
        yield SeriesName(FLOW, flow.flow)
    for area in each.areas:
        yield SeriesName(AREA, area.section)


def series_keys(each: CameraBin) -> list[SeriesKey]:
    """The same as ``series_names``, for looking them up."""
    keys: list[SeriesKey] = [(LINE, told.section, told.direction) for told in each.sections]
    if each.flows:
        keys += [(FLOW, told.flow, "") for told in each.flows]
    if each.areas:
        keys += [(AREA, told.section, "") for told in each.areas]
    return keys


def camera_row(each: CameraBin, owner: BinOwner) -> Row:
    """The row of ``camera_bin``; its key is the first four."""
    return (
        owner.camera_id,
        moment_text(each.start),
        each.part,
        each.width_s,
        owner.tenant,
        owner.device,
        each.clock.value,
        each.mode.value,
        each.coverage_s,
        each.frames_seen,
        each.frames_dropped,
        each.unassigned_share,
        each.brightness,
        each.quality,
        json_text(each.flags) if each.flags else "[]",
        json_text(each.gaps) if each.gaps else "[]",
        None if each.incidents is None else json_text(each.incidents),
        None if each.conflicts is None else json_text(each.conflicts),
        each.noise_epsilon,
    )


def add_series_rows(
    rows: BinRows, each: CameraBin, owner: BinOwner, ids: Mapping[SeriesKey, int]
) -> None:
    """Append the counts, speeds and areas of a bin whose ``camera_bin`` is new."""
    tenant = owner.tenant
    when = (moment_text(each.start), each.part, each.width_s)
    numbers = iter([ids[key] for key in series_keys(each)])
    for section in each.sections:
        number, speeds = next(numbers), section.speeds
        rows.counts.append(
            (
                number,
                *when,
                tenant,
                section.withheld,
                *(section.counts or _NO_CLASS),
                section.inferred,
                sum([vehicles for _, vehicles in speeds]) if speeds else 0,
                section.speed_sum_kmh,
                section.headways,
                section.headway_sum_s,
                section.headway_least_s,
                section.time_gaps,
                section.time_gap_sum_s,
            )
        )
        for low_kmh, vehicles in speeds:
            rows.speeds.append((number, *when, low_kmh, tenant, vehicles))
    for flow in each.flows:
        classes = flow.counts or _NO_CLASS
        rows.counts.append((next(numbers), *when, tenant, flow.withheld, *classes, *_NO_SUMS))
    for area in each.areas:
        rows.areas.append(
            (
                next(numbers),
                *when,
                tenant,
                area.withheld,
                area.occupied_share,
                area.queue_most,
                area.queue_most_m,
                area.dwell_mean_s,
                area.walks,
            )
        )
