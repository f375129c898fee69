"""Counts → what was not watched, what looks wrong, and what people said about it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.migrations.columns import json, moment, real, text, whole

revision = "0003"
down_revision = "0002"

_TABLES = ("gap", "gap_scan", "maintenance", "anomaly", "anomaly_note")


def upgrade() -> None:
    """Create the tables."""
    _gap()
    _gap_scan()
    _maintenance()
    _anomaly()
    _anomaly_note()


def downgrade() -> None:
    """Drop them, with what they hold."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _gap() -> None:
    op.create_table(
        "gap",
        whole("id"),
        text("tenant_id", 64),
        whole("camera_id"),
        moment("start"),
        moment("end"),
        text("reason", 16),
        real("threshold_s"),
        moment("found_at"),
        sa.ForeignKeyConstraint(["camera_id"], ["camera.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("camera_id", "start", "reason"),
    )
    op.create_index("gap_of_tenant", "gap", ["tenant_id", "start"])


def _gap_scan() -> None:
    op.create_table(
        "gap_scan",
        whole("camera_id"),
        text("tenant_id", 64),
        real("threshold_s"),
        whole("learned_from_pauses"),
        moment("scanned_until"),
        sa.ForeignKeyConstraint(["camera_id"], ["camera.id"]),
        sa.PrimaryKeyConstraint("camera_id"),
    )


def _maintenance() -> None:
    op.create_table(
        "maintenance",
        whole("id"),
        text("tenant_id", 64),
        whole("camera_id"),
        moment("start"),
        moment("end"),
        text("note", 512),
        moment("told_at"),
        sa.ForeignKeyConstraint(["camera_id"], ["camera.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("maintenance_of_camera", "maintenance", ["camera_id", "start"])


def _anomaly() -> None:
    op.create_table(
        "anomaly",
        whole("id"),
        text("tenant_id", 64),
        whole("camera_id"),
        text("kind", 16),
        text("subject", 256),
        moment("start"),
        moment("end"),
        real("score"),
        json("detail"),
        text("state", 16),
        moment("found_at"),
        moment("reviewed_at", optional=True),
        sa.ForeignKeyConstraint(["camera_id"], ["camera.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("camera_id", "kind", "subject", "start"),
    )
    op.create_index("anomaly_of_tenant", "anomaly", ["tenant_id", "state", "start"])


def _anomaly_note() -> None:
    op.create_table(
        "anomaly_note",
        whole("id"),
        text("tenant_id", 64),
        whole("anomaly_id"),
        moment("at"),
        text("state", 16),
        text("text", 2000),
        sa.ForeignKeyConstraint(["anomaly_id"], ["anomaly.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_anomaly_note_anomaly_id", "anomaly_note", ["anomaly_id"])
