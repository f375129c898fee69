"""Sums of every series → sums of all lines and all flows of a camera beside them.

A month of quarter hours of sixteen flows is 47,616 rows to add up for one total; of these it
is 2,976 to read, and the key holds them itself.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.migrations.columns import moment, text, whole

revision = "0006"
down_revision = "0005"

_TABLE = "traffic_kind_rollup"
_KEY = "camera_id, kind, width_s, start"
_CLASSES = ("person", "bicycle", "motorcycle", "car", "bus", "truck")
_HELD = (*_CLASSES, "bins", "withheld_bins")


def upgrade() -> None:
    """Create the table, and add up what is there."""
    op.create_table(
        _TABLE,
        whole("camera_id"),
        text("kind", 8),
        whole("width_s"),
        moment("start"),
        text("tenant_id", 64),
        *(whole(name, optional=True) for name in _CLASSES),
        whole("bins"),
        whole("withheld_bins"),
        sa.PrimaryKeyConstraint("camera_id", "kind", "width_s", "start"),
        sqlite_with_rowid=False,
    )
    sums = ", ".join(f"sum({name})" for name in _HELD)
    op.execute(
        f"INSERT INTO {_TABLE} ({_KEY}, tenant_id, {', '.join(_HELD)}) "  # noqa: S608 - our own names  # nosec B608
        f"SELECT {_KEY}, max(told.tenant_id), {sums} FROM traffic_count_rollup AS told "
        f"JOIN series ON series.id = told.series_id GROUP BY {_KEY}"
    )
    if op.get_bind().dialect.name == "postgresql":
        held = ", ".join((*_HELD, "tenant_id"))
        op.execute(
            f"ALTER TABLE {_TABLE} DROP CONSTRAINT {_TABLE}_pkey, "
            f"ADD CONSTRAINT {_TABLE}_pkey PRIMARY KEY ({_KEY}) INCLUDE ({held})"
        )


def downgrade() -> None:
    """Forget the sums of sums."""
    op.drop_table(_TABLE)
