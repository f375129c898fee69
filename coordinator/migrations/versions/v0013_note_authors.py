"""Notes on anomalies → notes with the name of who wrote them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Older notes have an empty name: nobody kept it."""
    column = sa.Column("author", sa.String(128), nullable=False, server_default="")
    op.add_column("anomaly_note", column)


def downgrade() -> None:
    """Forget the names."""
    op.drop_column("anomaly_note", "author")
