"""Sums of counts found by their key → sums that the key holds itself, on PostgreSQL.

Roll-ups lie in order of time, as they were written: a month of one series is thousands of
pages of the table and two dozen of its key. With the classes in the key, charts and totals
read the key alone. On SQLite the table is its key already.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

_TABLE = "traffic_count_rollup"
_KEY = "PRIMARY KEY (series_id, width_s, start)"
_HELD = "person, bicycle, motorcycle, car, bus, truck, bins, withheld_bins, tenant_id"


def upgrade() -> None:
    """Build the key anew, with what charts ask for."""
    _replace_key(f"{_KEY} INCLUDE ({_HELD})")


def downgrade() -> None:
    """Build the bare key."""
    _replace_key(_KEY)


def _replace_key(key: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"ALTER TABLE {_TABLE} DROP CONSTRAINT {_TABLE}_pkey, "
            f"ADD CONSTRAINT {_TABLE}_pkey {key}"
        )
