"""Clients of a round → how far each mixed up the classes of the server's pictures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Of earlier rounds nobody knows it."""
    op.add_column("federated_client_round", sa.Column("class_rise", sa.Float(), nullable=True))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("federated_client_round", "class_rise")
