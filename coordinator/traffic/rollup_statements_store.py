"""Width of a roll-up → the statements that sum its buckets.

Each width is summed from the width below and from the base rows that are as wide as itself,
so that an hour that changes costs a dozen rows and not sixty minutes of every series. Means
cannot be put together from means: areas are always averaged over their base rows.
"""
# ruff: noqa: S608 - table and column names are our own, values are parameters

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coordinator.traffic.intake_rows import CLASS_COLUMNS


@dataclass(frozen=True, slots=True)
class Level:
    """What a width is summed from: a narrower roll-up, and base rows of these widths."""

    width_s: int
    narrower_s: int | None
    base_from_s: int
    base_to_s: int


# A local day is summed from quarter hours: no zone is off by less.
LEVELS = (
    Level(300, None, 0, 300),
    Level(900, 300, 301, 900),
    Level(3600, 900, 901, 3600),
    Level(86_400, 900, 901, 3600),
)

_ADDED = (*CLASS_COLUMNS, "inferred", "speeds", "speed_sum_kmh", "headways", "headway_sum_s",
          "time_gaps", "time_gap_sum_s")  # fmt: skip
_OF_CAMERA = ("bins", "coverage_s", "frames_seen", "frames_dropped", "good_s", "degraded_bins")
_OF_SERIES = "FROM bucket CROSS JOIN series"
_BASE_WIDTHS = "{0}.width_s >= :base_from_s AND {0}.width_s <= :base_to_s"


def statements_of(level: Level, *, is_postgresql: bool) -> Iterator[str]:
    """Upserts for cameras, counts, kinds of series, speeds and areas, in this order.

    Their parameters are those of ``Level`` by name, ``first`` and ``last`` around all buckets,
    and the buckets: ``cameras``, ``starts`` and ``stops`` on PostgreSQL, else ``buckets``.
    """
    writer = _Writer(level, is_postgresql)
    for statement in (
        writer.cameras(),
        writer.counts(),
        writer.kinds(),
        writer.speeds(),
        writer.areas(),
    ):
        yield _BUCKETS_POSTGRESQL + statement if is_postgresql else _BUCKETS_SQLITE + statement


_BUCKETS_POSTGRESQL = (
    "WITH bucket AS MATERIALIZED (SELECT * FROM unnest(CAST(:cameras AS int[]), "
    "CAST(:starts AS timestamptz[]), CAST(:stops AS timestamptz[])) "
    "AS b(camera_id, start, stop)) "
)
_BUCKETS_SQLITE = (
    "WITH bucket AS MATERIALIZED (SELECT value ->> 0 AS camera_id, value ->> 1 AS start, "
    "value ->> 2 AS stop FROM json_each(:buckets)) "
)


@dataclass(frozen=True, slots=True)
class _Writer:
    level: Level
    is_postgresql: bool

    def cameras(self) -> str:
        base = (
            "SELECT base.tenant_id, 1 AS bins, coverage_s, frames_seen, frames_dropped, "
            "CASE WHEN quality = 'good' THEN coverage_s ELSE 0 END AS good_s, "
            "CASE WHEN quality = 'degraded' THEN 1 ELSE 0 END AS degraded_bins, "
            "bucket.camera_id, bucket.start FROM bucket"
        )
        narrower = (
            f"SELECT narrow.tenant_id, {', '.join(_OF_CAMERA)}, bucket.camera_id, bucket.start "  # nosec B608
            "FROM bucket"
        )
        return _upsert(
            "camera_rollup",
            ("camera_id", "width_s", "start"),
            {"tenant_id": "max(tenant_id)"} | {name: f"sum({name})" for name in _OF_CAMERA},
            self._both(base, narrower, ("camera_bin", "camera_rollup"), "camera_id"),
        )

    def counts(self) -> str:
        names = ", ".join((*_ADDED, "headway_least_s"))
        base = (
            f"SELECT series.id AS series_id, bucket.start, base.tenant_id, {names}, 1 AS bins, "
            f"CASE WHEN {CLASS_COLUMNS[0]} IS NULL THEN 0 ELSE 1 END AS watched_bins, "
            f"CASE WHEN withheld THEN 1 ELSE 0 END AS withheld_bins {_OF_SERIES}"
        )
        narrower = (
            f"SELECT series.id AS series_id, bucket.start, narrow.tenant_id, {names}, bins, "
            f"watched_bins, withheld_bins {_OF_SERIES}"
        )
        added = (*_ADDED, "bins", "watched_bins", "withheld_bins")
        return _upsert(
            "traffic_count_rollup",
            ("series_id", "width_s", "start"),
            {"tenant_id": "max(tenant_id)"}
            | {name: f"sum({name})" for name in added}
            | {"headway_least_s": "min(headway_least_s)"},
            self._both(base, narrower, ("traffic_count", "traffic_count_rollup")),
        )

    def kinds(self) -> str:
        """Of the sums that ``counts`` has just written."""
        added = (*CLASS_COLUMNS, "bins", "withheld_bins")
        reach = self._reach("traffic_count_rollup", "sums", "series_id", "{0}.width_s = :width_s")
        source = (
            "SELECT series.camera_id, series.kind, bucket.start, sums.tenant_id, "
            f"{', '.join(added)} {_OF_SERIES} {reach} AND series.camera_id = bucket.camera_id"
        )
        return _upsert(
            "traffic_kind_rollup",
            ("camera_id", "kind", "width_s", "start"),
            {"tenant_id": "max(tenant_id)"} | {name: f"sum({name})" for name in added},
            source,
        )

    def speeds(self) -> str:
        columns = "SELECT series.id AS series_id, bucket.start, {0}.tenant_id, low_kmh, vehicles "
        return _upsert(
            "traffic_speed_rollup",
            ("series_id", "width_s", "start", "low_kmh"),
            {"tenant_id": "max(tenant_id)", "vehicles": "sum(vehicles)"},
            self._both(
                columns.format("base") + _OF_SERIES,
                columns.format("narrow") + _OF_SERIES,
                ("traffic_speed", "traffic_speed_rollup"),
            ),
        )

    def areas(self) -> str:
        reach = self._reach("traffic_area", "base", "series_id", "{0}.width_s <= :width_s")
        base = (
            "SELECT series.id AS series_id, bucket.start, base.tenant_id, "
            "base.width_s AS weight_s, occupied_share, queue_most, queue_most_m, dwell_mean_s, "
            "walks, CASE WHEN withheld THEN 1 ELSE 0 END AS withheld_bins "
            f"{_OF_SERIES} {reach} AND series.camera_id = bucket.camera_id"
        )
        return _upsert(
            "traffic_area_rollup",
            ("series_id", "width_s", "start"),
            {
                "tenant_id": "max(tenant_id)",
                "occupied_share": _mean("occupied_share"),
                "queue_most": "max(queue_most)",
                "queue_most_m": "max(queue_most_m)",
                "dwell_mean_s": _mean("dwell_mean_s"),
                "walks": "sum(walks)",
                "bins": "count(*)",
                "withheld_bins": "sum(withheld_bins)",
            },
            base,
        )

    def _both(
        self, base: str, narrower: str, tables: tuple[str, str], key: str = "series_id"
    ) -> str:
        """Base rows of this width's own, and the narrower roll-up where there is one."""
        of_camera = "" if key == "camera_id" else " AND series.camera_id = bucket.camera_id"
        rows = f"{base} {self._reach(tables[0], 'base', key, _BASE_WIDTHS)}{of_camera}"
        if self.level.narrower_s is None:
            return rows
        reach = self._reach(tables[1], "narrow", key, "{0}.width_s = :narrower_s")
        return f"{rows} UNION ALL {narrower} {reach}{of_camera}"

    def _reach(self, table: str, alias: str, key: str, widths: str) -> str:
        """A look-up by key for each bucket, whatever the planner thinks of its statistics.

        A young table has none, and a scan of all its rows for each bucket would be chosen.
        ``OFFSET 0`` on PostgreSQL and ``CROSS JOIN`` on SQLite keep the order as written.
        """
        outer = "bucket.camera_id" if key == "camera_id" else "series.id"
        name = "told" if self.is_postgresql else alias
        matching = (
            f"{name}.{key} = {outer} "
            f"AND {name}.start >= bucket.start AND {name}.start < bucket.stop "
            # Constants let the planner pass over whole partitions.
            f"AND {name}.start >= :first AND {name}.start < :last AND {widths.format(name)}"
        )
        if self.is_postgresql:
            return (
                f"CROSS JOIN LATERAL (SELECT * FROM {table} told WHERE {matching} OFFSET 0) "  # nosec B608
                f"AS {alias} WHERE true"
            )
        return f"CROSS JOIN {table} {alias} WHERE {matching}"


def _mean(name: str) -> str:
    weight = f"CASE WHEN {name} IS NOT NULL THEN weight_s END"
    return f"sum({name} * weight_s) / sum({weight})"


def _upsert(table: str, key: tuple[str, ...], values: dict[str, str], source: str) -> str:
    grouped = [name for name in key if name != "width_s"]
    keys = [":width_s" if name == "width_s" else name for name in key]
    updates = ", ".join(f"{name} = excluded.{name}" for name in values)
    return (
        f"INSERT INTO {table} ({', '.join((*key, *values))}) "  # nosec B608
        f"SELECT {', '.join((*keys, *values.values()))} FROM ({source}) AS told "
        f"WHERE true GROUP BY {', '.join(grouped)} "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}"
    )
