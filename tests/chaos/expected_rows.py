"""Ledgers of boxes → the rows that the database must hold, reckoned without the product's code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.chaos.own_ledger import Content

CLASSES = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
SUMS = ("inferred", "speeds", "speed_sum_kmh", "headways", "headway_sum_s", "time_gaps",
        "time_gap_sum_s")  # fmt: skip
WIDTHS_S = (300, 900, 3600, 86_400)
_NO_SUMS: dict[str, Any] = dict.fromkeys(SUMS, 0) | {"headway_least_s": None}

Key = tuple[Any, ...]
Rows = dict[Key, dict[str, Any]]
Tables = dict[str, Rows]
"""Table → key, beginning with the camera where one has it → figures."""


def base_rows(bins: Iterable[Content], *, device: str) -> Tables:
    """One row set for each bin."""
    tables: Tables = {
        name: {} for name in ("camera_bin", "traffic_count", "traffic_speed", "traffic_area")
    }
    for each in bins:
        when = (_moment(each["start"]), each["part"], each["width_s"])
        tables["camera_bin"][each["camera"], *when] = {
            "device_id": device,
            "clock": "trusted",
            "mode": "statistics",
            "noise_epsilon": None,
            **{name: each[name] for name in (
                "coverage_s", "frames_seen", "frames_dropped", "unassigned_share", "brightness",
                "quality", "flags", "gaps", "incidents", "conflicts",
            )},
        }  # fmt: skip
        for section in each["sections"]:
            series = ("line", section["section"], section["direction"])
            tables["traffic_count"][each["camera"], *series, *when] = _counted(section)
            for label, vehicles in section["speeds"].items():
                low_kmh = int(label.split("-")[0])
                tables["traffic_speed"][each["camera"], *series, *when, low_kmh] = {
                    "vehicles": vehicles
                }
        for flow in each["flows"]:
            tables["traffic_count"][each["camera"], "flow", flow["flow"], "", *when] = {
                **_classes(flow["counts"]), **_NO_SUMS, "withheld": False,
            }  # fmt: skip
        for area in each["areas"]:
            tables["traffic_area"][each["camera"], "area", area["section"], "", *when] = {
                **{name: value for name, value in area.items() if name != "section"},
                "withheld": False,
            }
    return tables


def rolled_up(base: Tables, *, zone: str) -> Tables:
    """Sums of base rows over 5, 15 and 60 minutes and local days."""
    counts = _grouped(base["traffic_count"], zone, _count_sum)
    return {
        "camera_rollup": _grouped(base["camera_bin"], zone, _camera_sum),
        "traffic_count_rollup": counts,
        "traffic_kind_rollup": _by_kind(counts),
        "traffic_speed_rollup": _grouped(base["traffic_speed"], zone, _speed_sum),
        "traffic_area_rollup": _grouped(base["traffic_area"], zone, _area_sum),
    }


def bucket(start: datetime, width_s: int, zone: str) -> datetime:
    """Start of the longer bin that holds a minute."""
    if width_s == 86_400:
        midnight = start.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, fold=0)
        return midnight.astimezone(UTC)
    seconds = int(start.timestamp())
    return datetime.fromtimestamp(seconds // width_s * width_s, UTC)


def _grouped(rows: Rows, zone: str, summed: Any) -> Rows:
    groups: defaultdict[Key, list[dict[str, Any]]] = defaultdict(list)
    for key, figures in rows.items():
        at = next(i for i, part in enumerate(key) if isinstance(part, datetime))
        for width_s in WIDTHS_S:
            # The part and width of the base bin make room for the width of the sum.
            groups[(*key[:at], bucket(key[at], width_s, zone), width_s, *key[at + 3 :])].append(
                figures
            )
    return {key: summed(group) for key, group in groups.items()}


def _by_kind(counts: Rows) -> Rows:
    groups: defaultdict[Key, list[dict[str, Any]]] = defaultdict(list)
    for (camera, kind, _, _, *when), figures in counts.items():
        groups[camera, kind, *when].append(figures)
    return {
        key: {
            **{name: _sum(row[name] for row in group) for name in CLASSES},
            "bins": sum(row["bins"] for row in group),
            "withheld_bins": 0,
        }
        for key, group in groups.items()
    }


def _camera_sum(group: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "bins": len(group),
        "coverage_s": sum(row["coverage_s"] for row in group),
        "frames_seen": sum(row["frames_seen"] for row in group),
        "frames_dropped": sum(row["frames_dropped"] for row in group),
        "good_s": sum(row["coverage_s"] for row in group if row["quality"] == "good"),
        "degraded_bins": sum(row["quality"] == "degraded" for row in group),
    }


def _count_sum(group: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        **{name: _sum(row[name] for row in group) for name in (*CLASSES, *SUMS)},
        "headway_least_s": min(_known(row["headway_least_s"] for row in group), default=None),
        "bins": len(group),
        "watched_bins": sum(row["person"] is not None for row in group),
        "withheld_bins": 0,
    }


def _speed_sum(group: list[dict[str, Any]]) -> dict[str, Any]:
    return {"vehicles": sum(row["vehicles"] for row in group)}


def _area_sum(group: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        **{name: _mean(row[name] for row in group) for name in ("occupied_share", "dwell_mean_s")},
        **{
            name: max(_known(row[name] for row in group), default=None)
            for name in ("queue_most", "queue_most_m")
        },
        "walks": _sum(row["walks"] for row in group),
        "bins": len(group),
        "withheld_bins": 0,
    }


def _counted(section: Content) -> dict[str, Any]:
    return {
        **_classes(section["counts"]),
        "speeds": sum(section["speeds"].values()),
        **{name: section[name] for name in SUMS if name != "speeds"},
        "headway_least_s": section["headway_least_s"],
        "withheld": False,
    }


def _classes(counts: dict[str, int] | None) -> dict[str, int | None]:
    return {name: None if counts is None else counts[name] for name in CLASSES}


def _known(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _sum(values: Iterable[Any]) -> Any:
    known = _known(values)
    return sum(known) if known else None


def _mean(values: Iterable[Any]) -> float | None:
    known = _known(values)
    return sum(known) / len(known) if known else None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
