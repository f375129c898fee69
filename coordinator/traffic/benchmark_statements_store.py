"""A day of minutes of every series → the statements that lay out a history of such days.

One day of the whole city is made by chance and kept in templates, one for each width. Every
day of the history is a copy, its road users multiplied by a small number that differs from
site to site and from day to day: sums of a multiple are the multiple of the sums, so minutes
and roll-ups agree without adding a hundred million rows up.
"""
# ruff: noqa: S608 - constants of this package

from __future__ import annotations

from common.road_users import ROAD_USERS

TEMPLATE_WIDTHS_S = (60, 300, 900, 3600)

_CLASSES = tuple(user.value for user in ROAD_USERS)
_MORE = (
    "inferred",
    "speeds",
    "speed_sum_kmh",
    "headways",
    "headway_sum_s",
    "headway_least_s",
    "time_gaps",
    "time_gap_sum_s",
)
_WHOLE = frozenset((*_CLASSES, "inferred", "speeds", "headways", "time_gaps"))
_COLUMNS = ", ".join((*_CLASSES, *_MORE))
_TIMES = ", ".join(
    (*(f"{name} * (1 + (camera_id + :n) % 4)" for name in _CLASSES), *_MORE)
)  # fmt: skip

# More by day than by night, and no two minutes alike; what is counted is of no concern.
# Quarters add up exactly in floating point, in whatever order.
_CHANCE = """
floor(random() * 2)::int AS person, floor(random() * 2)::int AS bicycle,
floor(random() * 1.1)::int AS motorcycle, floor(random() * (2 + minute / 60))::int AS car,
floor(random() * 1.1)::int AS bus, floor(random() * 1.3)::int AS truck,
0 AS inferred, 5 AS speeds, floor(random() * 1000) / 4 AS speed_sum_kmh, 4 AS headways,
floor(random() * 160) / 4 AS headway_sum_s, 1 + floor(random() * 8) / 8 AS headway_least_s,
4 AS time_gaps, floor(random() * 120) / 4 AS time_gap_sum_s
"""


def template_statements() -> list[str]:
    """Make the templates anew, rows of one moment side by side, as ingest writes them."""
    made = [
        *(f"DROP TABLE IF EXISTS benchmark_day_{width_s}" for width_s in TEMPLATE_WIDTHS_S),
        "SELECT setseed(0.5)",
        "CREATE UNLOGGED TABLE benchmark_day_60 AS "
        "SELECT series.id AS series_id, camera_id, minute * interval '1 minute' AS after, "  # nosec B608
        f"1 AS bins, {_CHANCE} FROM generate_series(0, 1439) AS minute CROSS JOIN series "
        "ORDER BY minute, series.id",
    ]
    sums = ", ".join(_sum_of(name) for name in ("bins", *_CLASSES, *_MORE))
    for width_s in TEMPLATE_WIDTHS_S[1:]:
        bucket = f"date_bin('{width_s} seconds', timestamp '2000-01-01' + after, '2000-01-01')"
        made.append(
            f"CREATE UNLOGGED TABLE benchmark_day_{width_s} AS "
            f"SELECT series_id, camera_id, {bucket} - timestamp '2000-01-01' AS after, {sums} "  # nosec B608
            f"FROM benchmark_day_60 GROUP BY 1, 2, 3 ORDER BY 3, 1"
        )
    return made


def minutes_of_counts(partition: str) -> str:
    """One day, number ``:n`` from ``:day`` on, of every series."""
    return (
        f"INSERT INTO {partition} (series_id, start, part, width_s, tenant_id, withheld, "  # nosec B608
        f"{_COLUMNS}) SELECT series_id, CAST(:day AS timestamptz) + after, 0, 60, :tenant, "
        f"false, {_TIMES} FROM benchmark_day_60"
    )


def minutes_of_cameras(partition: str) -> str:
    """The same of every camera, each watching all the time."""
    return (
        f"INSERT INTO {partition} (camera_id, start, part, width_s, tenant_id, device_id, "  # nosec B608
        "clock, mode, coverage_s, frames_seen, frames_dropped, quality, flags, gaps) "
        "SELECT n, t, 0, 60, :tenant, 'box-' || n, 'trusted', 'statistics', 60, 600, 0, "
        "'good', '[]', '[]' FROM generate_series(CAST(:day AS timestamptz), "
        "CAST(:day AS timestamptz) + interval '1439 minutes', '1 minute') AS t "
        "CROSS JOIN generate_series(1, :sites) AS n"
    )


def sums_of_counts(width_s: int) -> str:
    """Roll-ups of one day in UTC, number ``:n`` from ``:day`` on."""
    return (
        "INSERT INTO traffic_count_rollup (series_id, width_s, start, tenant_id, bins, "  # nosec B608
        f"watched_bins, withheld_bins, {_COLUMNS}) SELECT series_id, {width_s}, "
        f"CAST(:day AS timestamptz) + after, :tenant, bins, bins, 0, {_TIMES} "
        f"FROM benchmark_day_{width_s}"
    )


def sums_of_cameras(width_s: int) -> str:
    """The same of cameras."""
    return (
        "INSERT INTO camera_rollup (camera_id, width_s, start, tenant_id, bins, coverage_s, "  # nosec B608
        "frames_seen, frames_dropped, good_s, degraded_bins) "
        f"SELECT n, {width_s}, t, :tenant, {width_s // 60}, {width_s}, {width_s * 10}, 0, "
        f"{width_s}, 0 FROM generate_series(CAST(:day AS timestamptz), "
        f"CAST(:day AS timestamptz) + interval '{86_400 - width_s} seconds', "
        f"'{width_s} seconds') AS t CROSS JOIN generate_series(1, :sites) AS n"
    )


def days_of_counts() -> str:
    """Local days of every series, from their quarter hours."""
    sums = ", ".join(_sum_of(name) for name in (*_CLASSES, *_MORE))
    return (
        f"INSERT INTO traffic_count_rollup (series_id, width_s, start, tenant_id, {_COLUMNS}, "  # nosec B608
        f"bins, watched_bins, withheld_bins) SELECT series_id, 86400, {_LOCAL_DAY}, :tenant, "
        f"{sums}, sum(bins), sum(watched_bins), 0 FROM traffic_count_rollup "
        "WHERE width_s = 900 GROUP BY 1, 3 ORDER BY 3, 1"
    )


def sums_of_kinds() -> str:
    """Lines and flows of every camera added up, in every width."""
    added = (*_CLASSES, "bins", "withheld_bins")
    return (
        "INSERT INTO traffic_kind_rollup (camera_id, kind, width_s, start, tenant_id, "  # nosec B608
        f"{', '.join(added)}) SELECT camera_id, kind, width_s, start, :tenant, "
        f"{', '.join(f'sum({name})' for name in added)} FROM traffic_count_rollup "
        "JOIN series ON series.id = series_id GROUP BY 1, 2, 3, 4 ORDER BY 4, 1"
    )


def days_of_cameras() -> str:
    """Local days of every camera, from its quarter hours."""
    return (
        "INSERT INTO camera_rollup (camera_id, width_s, start, tenant_id, bins, coverage_s, "  # nosec B608
        f"frames_seen, frames_dropped, good_s, degraded_bins) SELECT camera_id, 86400, "
        f"{_LOCAL_DAY}, :tenant, sum(bins), sum(coverage_s), sum(frames_seen), 0, sum(good_s), "
        "0 FROM camera_rollup WHERE width_s = 900 GROUP BY 1, 3 ORDER BY 3, 1"
    )


_LOCAL_DAY = "date_trunc('day', start, :zone)"


def _sum_of(name: str) -> str:
    how = "min" if name == "headway_least_s" else "sum"
    return f"{how}({name}){'::int' if name in _WHOLE or name == 'bins' else ''} AS {name}"
