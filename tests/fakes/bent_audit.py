"""A database → its audit log with one bit of one entry flipped, past every trigger."""

from __future__ import annotations

from sqlalchemy import text

from coordinator.database import Database

_READ = "SELECT subject FROM audit_entry WHERE tenant_id = :tenant AND number = :number"
_BEND = "UPDATE audit_entry SET subject = :bent WHERE tenant_id = :tenant AND number = :number"


def flip_one_bit(database: Database, tenant: str, number: int) -> None:
    """The lowest bit of the first letter of a subject, as somebody would who may write the file.

    The triggers of SQLite are taken away first and stay away.
    """
    entry = {"tenant": tenant, "number": number}
    with database.session() as session:
        run = session.connection().execute
        for name in ("no_update", "no_delete", "no_replace"):
            run(text(f"DROP TRIGGER IF EXISTS audit_entry_{name}"))
        subject = run(text(_READ), entry).scalar_one()
        run(text(_BEND), {**entry, "bent": chr(ord(subject[0]) ^ 1) + subject[1:]})
