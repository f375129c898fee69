"""Lines drawn by ear → the picture of the empty road that a box sends on request."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.migrations.columns import moment, raw, real, text, whole

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "plate_wish",
        whole("camera_id"),
        text("tenant_id", 64),
        text("device_id", 64),
        whole("number"),
        moment("wished_at"),
        whole("answered_number"),
        moment("answered_at", optional=True),
        text("outcome", 16),
        sa.ForeignKeyConstraint(["camera_id"], ["camera.id"]),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"]),
        sa.PrimaryKeyConstraint("camera_id"),
    )
    op.create_table(
        "plate",
        whole("camera_id"),
        text("tenant_id", 64),
        text("device_id", 64),
        whole("number"),
        moment("taken_at"),
        whole("width_px"),
        whole("height_px"),
        whole("frame_width_px"),
        whole("frame_height_px"),
        whole("frames"),
        real("span_s"),
        whole("covered"),
        raw("webp"),
        sa.ForeignKeyConstraint(["camera_id"], ["camera.id"]),
        sa.PrimaryKeyConstraint("camera_id"),
    )


def downgrade() -> None:
    """Drop them, with the pictures that they hold."""
    op.drop_table("plate")
    op.drop_table("plate_wish")
