"""Actions that left a line in a log → entries that nobody changes, chained by their digests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.migrations.columns import big_whole, text

revision = "0007"
down_revision = "0006"

_REFUSAL = "entries of the audit log are never changed or removed"

_SQLITE = (
    f"CREATE TRIGGER audit_entry_no_update BEFORE UPDATE ON audit_entry "
    f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
    f"CREATE TRIGGER audit_entry_no_delete BEFORE DELETE ON audit_entry "
    f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
    # INSERT OR REPLACE deletes without asking the trigger above.
    f"CREATE TRIGGER audit_entry_no_replace BEFORE INSERT ON audit_entry "  # noqa: S608 - our own words  # nosec B608
    f"WHEN EXISTS (SELECT 1 FROM audit_entry AS old "
    f"WHERE old.tenant_id = NEW.tenant_id AND old.number = NEW.number) "
    f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
)

_POSTGRESQL = (
    f"CREATE FUNCTION audit_entry_stays() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$",
    "CREATE TRIGGER audit_entry_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_stays()",
    # Also for whoever calls their session a replica.
    "ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_stays",
)


def upgrade() -> None:
    """Create the tables, and what keeps the entries as they are."""
    op.create_table(
        "audit_entry",
        text("tenant_id", 64),
        big_whole("number"),
        text("previous", 64),
        text("at", 27),
        text("actor_kind", 16),
        text("actor_name", 128),
        text("action", 32),
        text("subject", 256),
        text("detail", 4096),
        text("digest", 64),
        sa.PrimaryKeyConstraint("tenant_id", "number"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_head",
        text("tenant_id", 64),
        big_whole("number"),
        text("digest", 64),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in _POSTGRESQL if is_postgresql else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    """Drop the log, and what kept it."""
    op.drop_table("audit_head")
    op.drop_table("audit_entry")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_entry_stays()")
