"""Rounds that yield candidates → versions of the model, and what happened to each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.migrations.columns import big_whole, json, moment, text, truth, whole

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "model_version",
        text("tenant_id", 64),
        text("version", 64),
        text("name", 64),
        text("stage", 16),
        text("sha256", 64, optional=True),
        big_whole("size_bytes"),
        json("files"),
        json("lineage", optional=True),
        json("judged", optional=True),
        json("rejections"),
        moment("registered_at"),
        text("registered_by", 128),
        text("manifest_sha256", 64, optional=True),
        moment("signed_at", optional=True),
        whole("canaries"),
        moment("proposed_at", optional=True),
        text("proposed_by", 128, optional=True),
        moment("production_at", optional=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "version"),
    )
    op.create_table(
        "model_event",
        text("tenant_id", 64),
        text("version", 64),
        whole("number"),
        moment("at"),
        text("by", 128),
        text("kind", 32),
        text("stage", 16, optional=True),
        truth("holds"),
        text("text", 2000),
        json("detail"),
        sa.PrimaryKeyConstraint("tenant_id", "version", "number"),
    )


def downgrade() -> None:
    """Drop them, with what they hold."""
    op.drop_table("model_event")
    op.drop_table("model_version")
