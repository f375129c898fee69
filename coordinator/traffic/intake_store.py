"""Rows of bins, layouts, incidents and losses → tables; what is there already stays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter

from sqlalchemy import Connection, text

from common.messages import CameraBin, IncidentReport, LossReport, aligned
from coordinator.bulk_store import (
    BulkInsert,
    Row,
    document,
    json_text,
    moment,
    moment_text,
    real,
    truth,
    whole,
    words,
)
from coordinator.traffic.intake_rows import CLASS_COLUMNS, BinOwner, BinRows

_DUE_S = 300
_bin_key = itemgetter(0, 1, 2, 3)

CAMERA_BINS = BulkInsert(
    "camera_bin",
    [
        whole("camera_id"), moment("start"), whole("part"), whole("width_s"), words("tenant_id"),
        words("device_id"), words("clock"), words("mode"), real("coverage_s"),
        whole("frames_seen"), whole("frames_dropped"), real("unassigned_share"),
        real("brightness"), words("quality"), document("flags"), document("gaps"),
        document("incidents"), document("conflicts"), real("noise_epsilon"),
    ],
    key=("camera_id", "start", "part", "width_s"),
)  # fmt: skip

_SERIES_KEY = ("series_id", "start", "part", "width_s")
_SERIES_COLUMNS = [whole("series_id"), moment("start"), whole("part"), whole("width_s")]

COUNTS = BulkInsert(
    "traffic_count",
    [
        *_SERIES_COLUMNS, words("tenant_id"), truth("withheld"),
        *(whole(name) for name in CLASS_COLUMNS), whole("inferred"), whole("speeds"),
        real("speed_sum_kmh"), whole("headways"), real("headway_sum_s"), real("headway_least_s"),
        whole("time_gaps"), real("time_gap_sum_s"),
    ],
    key=_SERIES_KEY,
)  # fmt: skip

SPEEDS = BulkInsert(
    "traffic_speed",
    [*_SERIES_COLUMNS, whole("low_kmh"), words("tenant_id"), whole("vehicles")],
    key=(*_SERIES_KEY, "low_kmh"),
)

AREAS = BulkInsert(
    "traffic_area",
    [
        *_SERIES_COLUMNS, words("tenant_id"), truth("withheld"), real("occupied_share"),
        whole("queue_most"), real("queue_most_m"), real("dwell_mean_s"), whole("walks"),
    ],
    key=_SERIES_KEY,
)  # fmt: skip

_DUE = BulkInsert("rollup_due", [whole("camera_id"), moment("start")], key=("camera_id",))

_INCIDENTS = BulkInsert(
    "incident",
    [
        words("tenant_id"), whole("camera_id"), words("section"), words("incident"),
        words("road_user"), moment("at"),
    ],
    key=("camera_id",),
)  # fmt: skip

_LOSSES = BulkInsert(
    "box_loss",
    [
        words("tenant_id"), words("device_id"), words("camera"), words("reason"), whole("bins"),
        moment("first_at"), moment("last_at"), moment("told_at"),
    ],
    key=("device_id",),
)  # fmt: skip

_LAYOUTS = BulkInsert(
    "camera_layout",
    [whole("camera_id"), moment("valid_from"), words("tenant_id"), document("content")],
    key=("camera_id", "valid_from"),
)


def add_camera_bins(connection: Connection, rows: Sequence[Row]) -> set[Row]:
    """Insert rows of ``camera_row``; the keys (their first four) that were not there."""
    # One order everywhere: two workers never wait for each other's rows in a ring.
    return CAMERA_BINS.new_keys(connection, sorted(rows, key=_bin_key))


def add_series(connection: Connection, rows: BinRows) -> None:
    """Insert the counts, speeds and areas of bins that are new."""
    COUNTS.add(connection, rows.counts)
    SPEEDS.add(connection, rows.speeds)
    AREAS.add(connection, rows.areas)


def mark_due(connection: Connection, bins: Iterable[tuple[int, CameraBin]]) -> None:
    """Remember which five minutes of which camera have to be summed (again)."""
    _DUE.add(
        connection,
        sorted({(camera, at) for camera, b in bins for at in _touched(b.start, b.width_s)}),
    )


@lru_cache(maxsize=65_536)
def _touched(start: datetime, width_s: int) -> tuple[str, ...]:
    """Starts of the five-minute bins that a bin lies in or covers."""
    first = aligned(start, _DUE_S)
    covered = max(width_s // _DUE_S, 1)
    return tuple(moment_text(first + timedelta(seconds=_DUE_S * n)) for n in range(covered))


def add_incidents(
    connection: Connection, tenant: str, reports: Iterable[tuple[dict[str, int], IncidentReport]]
) -> None:
    """Insert incidents; each report comes with camera slug → id of its site."""
    rows = [
        (tenant, cameras[note.camera], note.section, note.incident, note.road_user,
         moment_text(note.at))
        for cameras, report in reports
        for note in report.incidents
    ]  # fmt: skip
    _INCIDENTS.add(connection, sorted(rows))


def add_losses(connection: Connection, owner: BinOwner, report: LossReport) -> None:
    """Insert what a box says is gone; the ledger sees to it that it is told once."""
    told_at = moment_text(report.at)
    _LOSSES.add(
        connection,
        [
            (owner.tenant, owner.device, loss.camera, loss.reason, loss.bins,
             loss.first_at and moment_text(loss.first_at),
             loss.last_at and moment_text(loss.last_at), told_at)
            for loss in report.losses
        ],
    )  # fmt: skip


def add_layouts(
    connection: Connection,
    tenant: str,
    layouts: Iterable[tuple[int, datetime, dict[str, object]]],
) -> None:
    """Insert layouts of cameras as told: camera id, valid from, content."""
    rows = [
        (camera_id, moment_text(valid_from), tenant, json_text(content))
        for camera_id, valid_from, content in layouts
    ]
    _LAYOUTS.add(connection, sorted(rows))


def forget_told(connection: Connection, oldest: datetime) -> int:
    """Delete single incidents and told losses from before ``oldest``; returns how many."""
    limit = {"oldest": oldest if connection.dialect.name == "postgresql" else moment_text(oldest)}
    incidents = connection.execute(text("DELETE FROM incident WHERE at < :oldest"), limit)
    losses = connection.execute(text("DELETE FROM box_loss WHERE told_at < :oldest"), limit)
    return incidents.rowcount + losses.rowcount
