"""Sums of areas → of how many bins they are, and how many of those were withheld."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_COLUMNS = ("bins", "withheld_bins")


def upgrade() -> None:
    """Sums over something withheld are made again, as far as their minutes are kept."""
    for name in _COLUMNS:
        op.add_column(
            "traffic_area_rollup",
            sa.Column(name, sa.Integer(), nullable=False, server_default=sa.text("0")),
        )
    op.execute(
        "INSERT INTO rollup_due (camera_id, start) SELECT DISTINCT series.camera_id, area.start "
        "FROM traffic_area area JOIN series ON series.id = area.series_id WHERE area.withheld"
    )


def downgrade() -> None:
    """Forget them."""
    for name in reversed(_COLUMNS):
        op.drop_column("traffic_area_rollup", name)
