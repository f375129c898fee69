"""Fleet → cameras, their bins and the sums over them.

On PostgreSQL the four tables of bins are partitioned by ``start``; ``partitions_store`` makes
the partitions. On SQLite a table whose key is its whole identity needs no second tree.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.migrations.columns import (
    big_number_by_itself,
    counts,
    json,
    moment,
    real,
    text,
    truth,
    whole,
)

revision = "0002"
down_revision = "0001"

_TABLES = (
    "camera",
    "series",
    "camera_layout",
    "camera_bin",
    "traffic_count",
    "traffic_speed",
    "traffic_area",
    "incident",
    "box_loss",
    "camera_rollup",
    "traffic_count_rollup",
    "traffic_speed_rollup",
    "traffic_area_rollup",
    "rollup_due",
)


def upgrade() -> None:
    """Create the tables."""
    _camera()
    _series()
    _camera_layout()
    _camera_bin()
    _traffic_count()
    _traffic_speed()
    _traffic_area()
    _incident()
    _box_loss()
    _camera_rollup()
    _traffic_count_rollup()
    _traffic_speed_rollup()
    _traffic_area_rollup()
    _rollup_due()


def downgrade() -> None:
    """Drop them, with what they hold."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _camera() -> None:
    op.create_table(
        "camera",
        whole("id"),
        text("tenant_id", 64),
        whole("site_id"),
        text("slug", 64),
        moment("created_at"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"]),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("site_id", "slug"),
    )


def _series() -> None:
    op.create_table(
        "series",
        whole("id"),
        text("tenant_id", 64),
        whole("camera_id"),
        text("kind", 8),
        text("name", 64),
        text("direction", 8),
        sa.ForeignKeyConstraint(["camera_id"], ["camera.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("camera_id", "kind", "name", "direction"),
    )
    op.create_index("ix_series_camera_id", "series", ["camera_id"])


def _camera_layout() -> None:
    op.create_table(
        "camera_layout",
        whole("camera_id"),
        moment("valid_from"),
        text("tenant_id", 64),
        json("content"),
        sa.ForeignKeyConstraint(["camera_id"], ["camera.id"]),
        sa.PrimaryKeyConstraint("camera_id", "valid_from"),
    )


def _camera_bin() -> None:
    op.create_table(
        "camera_bin",
        whole("camera_id"),
        moment("start"),
        whole("part"),
        whole("width_s"),
        text("tenant_id", 64),
        text("device_id", 64),
        text("clock", 8),
        text("mode", 16),
        real("coverage_s"),
        whole("frames_seen"),
        whole("frames_dropped"),
        real("unassigned_share", optional=True),
        real("brightness", optional=True),
        text("quality", 16),
        json("flags"),
        json("gaps"),
        json("incidents", optional=True),
        json("conflicts", optional=True),
        real("noise_epsilon", optional=True),
        sa.PrimaryKeyConstraint("camera_id", "start", "part", "width_s"),
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (start)",
    )


def _traffic_count() -> None:
    op.create_table(
        "traffic_count",
        *counts(),
        whole("series_id"),
        moment("start"),
        whole("part"),
        whole("width_s"),
        text("tenant_id", 64),
        truth("withheld"),
        sa.PrimaryKeyConstraint("series_id", "start", "part", "width_s"),
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (start)",
    )


def _traffic_speed() -> None:
    op.create_table(
        "traffic_speed",
        whole("series_id"),
        moment("start"),
        whole("part"),
        whole("width_s"),
        whole("low_kmh"),
        text("tenant_id", 64),
        whole("vehicles"),
        sa.PrimaryKeyConstraint("series_id", "start", "part", "width_s", "low_kmh"),
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (start)",
    )


def _traffic_area() -> None:
    op.create_table(
        "traffic_area",
        whole("series_id"),
        moment("start"),
        whole("part"),
        whole("width_s"),
        text("tenant_id", 64),
        truth("withheld"),
        real("occupied_share", optional=True),
        whole("queue_most", optional=True),
        real("queue_most_m", optional=True),
        real("dwell_mean_s", optional=True),
        whole("walks", optional=True),
        sa.PrimaryKeyConstraint("series_id", "start", "part", "width_s"),
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (start)",
    )


def _incident() -> None:
    op.create_table(
        "incident",
        whole("id"),
        text("tenant_id", 64),
        whole("camera_id"),
        text("section", 64),
        text("incident", 32),
        text("road_user", 16),
        moment("at"),
        sa.ForeignKeyConstraint(["camera_id"], ["camera.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("camera_id", "section", "incident", "road_user", "at"),
    )
    op.create_index("ix_incident_at", "incident", ["at"])
    op.create_index("ix_incident_camera_id", "incident", ["camera_id"])


def _box_loss() -> None:
    op.create_table(
        "box_loss",
        whole("id"),
        text("tenant_id", 64),
        text("device_id", 64),
        text("camera", 64, optional=True),
        text("reason", 32),
        whole("bins", optional=True),
        moment("first_at", optional=True),
        moment("last_at", optional=True),
        moment("told_at"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_box_loss_device_id", "box_loss", ["device_id"])


def _camera_rollup() -> None:
    op.create_table(
        "camera_rollup",
        whole("camera_id"),
        whole("width_s"),
        moment("start"),
        text("tenant_id", 64),
        whole("bins"),
        real("coverage_s"),
        whole("frames_seen"),
        whole("frames_dropped"),
        real("good_s"),
        whole("degraded_bins"),
        sa.PrimaryKeyConstraint("camera_id", "width_s", "start"),
        sqlite_with_rowid=False,
    )


def _traffic_count_rollup() -> None:
    op.create_table(
        "traffic_count_rollup",
        *counts(),
        whole("series_id"),
        whole("width_s"),
        moment("start"),
        text("tenant_id", 64),
        whole("bins"),
        whole("watched_bins"),
        whole("withheld_bins"),
        sa.PrimaryKeyConstraint("series_id", "width_s", "start"),
        sqlite_with_rowid=False,
    )


def _traffic_speed_rollup() -> None:
    op.create_table(
        "traffic_speed_rollup",
        whole("series_id"),
        whole("width_s"),
        moment("start"),
        whole("low_kmh"),
        text("tenant_id", 64),
        whole("vehicles"),
        sa.PrimaryKeyConstraint("series_id", "width_s", "start", "low_kmh"),
        sqlite_with_rowid=False,
    )


def _traffic_area_rollup() -> None:
    op.create_table(
        "traffic_area_rollup",
        whole("series_id"),
        whole("width_s"),
        moment("start"),
        text("tenant_id", 64),
        real("occupied_share", optional=True),
        whole("queue_most", optional=True),
        real("queue_most_m", optional=True),
        real("dwell_mean_s", optional=True),
        whole("walks", optional=True),
        sa.PrimaryKeyConstraint("series_id", "width_s", "start"),
        sqlite_with_rowid=False,
    )


def _rollup_due() -> None:
    op.create_table(
        "rollup_due",
        big_number_by_itself("id"),
        whole("camera_id"),
        moment("start"),
        sa.PrimaryKeyConstraint("id"),
    )
