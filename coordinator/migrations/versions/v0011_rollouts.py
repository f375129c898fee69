"""Versions that may go out → rollouts, what each box did, and which model ran where and when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.migrations.columns import json, moment, text, truth, whole

revision = "0011"
down_revision = "0010"

_TABLES = ("rollout", "rollout_box", "rollout_event", "model_run")


def upgrade() -> None:
    """Create the tables."""
    _rollout()
    _box()
    op.create_table(
        "rollout_event",
        text("rollout_id", 64),
        whole("number"),
        text("tenant_id", 64),
        moment("at"),
        text("by", 128),
        text("kind", 32),
        text("text", 2000),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollout.id"]),
        sa.PrimaryKeyConstraint("rollout_id", "number"),
    )
    op.create_table(
        "model_run",
        text("device_id", 64),
        whole("number"),
        text("tenant_id", 64),
        text("site", 64),
        text("version", 64),
        text("sha256", 64),
        text("slot", 16),
        moment("began_at"),
        moment("ended_at", optional=True),
        text("why", 256),
        text("rollout_id", 64, optional=True),
        sa.PrimaryKeyConstraint("device_id", "number"),
    )
    op.create_index("ix_model_run_tenant_id", "model_run", ["tenant_id"])
    op.create_index("ix_model_run_version", "model_run", ["version"])


def downgrade() -> None:
    """Drop them, with what they hold."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _rollout() -> None:
    op.create_table(
        "rollout",
        text("id", 64),
        text("tenant_id", 64),
        whole("number"),
        text("name", 64),
        text("version", 64),
        text("state", 16),
        whole("wave"),
        whole("waves"),
        truth("is_paused"),
        truth("is_for_all"),
        json("limits"),
        moment("created_at"),
        text("created_by", 128),
        moment("entered_at"),
        moment("changed_at"),
        text("reason", 2000),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_rollout_tenant_id", "rollout", ["tenant_id"])


def _box() -> None:
    op.create_table(
        "rollout_box",
        text("rollout_id", 64),
        text("device_id", 64),
        text("tenant_id", 64),
        text("site", 64),
        whole("wave"),
        text("state", 16),
        truth("is_wished"),
        moment("told_at", optional=True),
        moment("settled_at", optional=True),
        json("before", optional=True),
        text("before_version", 64, optional=True),
        moment("since_before", optional=True),
        text("step", 16, optional=True),
        text("reason", 256, optional=True),
        json("gate", optional=True),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollout.id"]),
        sa.PrimaryKeyConstraint("rollout_id", "device_id"),
    )
    op.create_index("ix_rollout_box_device_id", "rollout_box", ["device_id"])
