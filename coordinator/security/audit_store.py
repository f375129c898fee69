"""Entries of audit chains ↔ rows: added under a lock, read as the bytes that are stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    cast,
    func,
    insert,
    inspect,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlmodel import Session, col

from common.errors import TrustError
from coordinator.database import Database
from coordinator.security.audit_entries import (
    ENTRY_FIELDS,
    AuditEntry,
    Deed,
    Link,
    next_entry,
    read_entry,
)
from coordinator.security.tables import AuditEntryRow, AuditHeadRow

__all__ = [
    "LOOK_CLOSER",
    "WHOLE_DATABASE",
    "Session",
    "append",
    "entries",
    "has_audit_log",
    "heads",
    "newest_entries",
    "still",
]

WHOLE_DATABASE = "-"
"""Owner of the chain of what concerns every tenant at once; no tenant can have this name."""

LOOK_CLOSER = "look closer with: its-camera-ai security audit verify"

_AT_ONCE = 1000
_FIRST_HEAD = text(
    "INSERT INTO audit_head (tenant_id, number, digest) VALUES (:tenant, :number, :digest) "
    "ON CONFLICT DO NOTHING"
)


@contextmanager
def still(database: Database) -> Iterator[Session]:
    """A session that sees one moment of the database, whatever is added meanwhile.

    Raises:
        UnreachableError: The database is away.
    """
    with database.session() as session:
        options: dict[str, Any] = {"its_read_only": True}
        if database.is_postgresql:
            options["isolation_level"] = "REPEATABLE READ"
        session.connection(execution_options=options)
        yield session


def has_audit_log(database: Database) -> bool:
    """False for a database that was made before there was an audit log.

    Raises:
        UnreachableError: The database is away.
    """
    with still(database) as session:
        return inspect(session.connection()).has_table("audit_entry")


def append(session: Session, tenant: str, deed: Deed) -> AuditEntry:
    """Add an entry to the caller's transaction; one at a time per tenant, over all processes.

    Call it last: what waits for the chain then holds everything else already, so that two of
    them never wait for each other.

    Raises:
        TrustError: The chain does not end where its head says; somebody changed the tables.
    """
    session.flush()
    entry = next_entry(tenant, deed, after=_locked_head(session, tenant))
    values = {name: getattr(entry, name) for name in ENTRY_FIELDS}
    try:
        session.execute(insert(AuditEntryRow).values(values))
    except IntegrityError as error:
        raise TrustError(
            f"entry {entry.number} of the audit log of {tenant!r} is there already",
            hint=LOOK_CLOSER,
        ) from error
    session.execute(
        update(AuditHeadRow)
        .where(col(AuditHeadRow.tenant_id) == tenant)
        .values(number=entry.number, digest=entry.digest)
    )
    return entry


def heads(session: Session) -> dict[str, Link]:
    """Where every chain ends, by tenant; what cannot be read reads as question marks."""
    columns = (AuditHeadRow.tenant_id, AuditHeadRow.number, AuditHeadRow.digest)
    query = select(*(_stored(session, col(column)) for column in columns))
    found: dict[str, Link] = {}
    for tenant, number, digest in session.execute(query):
        at = number if isinstance(number, int) else -1
        found[_lenient(tenant)] = Link(number=at, digest=_lenient(digest))
    return found


def entries(
    session: Session, *, tenant: str | None = None, after: int = 0
) -> Iterator[AuditEntry | str]:
    """Entries by tenant and number, some at a time; a text says what is wrong with a row.

    Args:
        session: As ``still`` opens it.
        tenant: Only of this chain.
        after: Only with higher numbers; negative ones too when it is 0.
    """
    columns = [_stored(session, col(getattr(AuditEntryRow, name))) for name in ENTRY_FIELDS]
    query = (
        select(*columns, _types(session))
        .order_by(col(AuditEntryRow.tenant_id), col(AuditEntryRow.number))
        .execution_options(yield_per=_AT_ONCE)
    )
    if tenant is not None:
        query = query.where(col(AuditEntryRow.tenant_id) == tenant)
    if after:
        query = query.where(col(AuditEntryRow.number) > after)
    try:
        for *stored, types in session.execute(query):
            yield read_entry(stored) if types == _EXPECTED_TYPES else "its type was changed"
    except OperationalError:
        raise
    except DBAPIError as error:
        # A damaged page ends the reading; the database's words say which.
        yield f"the database cannot read it: {error.orig}"


def newest_entries(session: Session, tenants: list[str], *, most: int) -> list[AuditEntry]:
    """The newest ones of some chains together, the oldest of them first."""
    query = (
        select(*(col(getattr(AuditEntryRow, name)) for name in ENTRY_FIELDS))
        .where(col(AuditEntryRow.tenant_id).in_(tenants))
        .order_by(
            col(AuditEntryRow.at).desc(),
            col(AuditEntryRow.tenant_id).desc(),
            col(AuditEntryRow.number).desc(),
        )
        .limit(most)
    )
    rows = session.execute(query).all()
    return [AuditEntry(**dict(zip(ENTRY_FIELDS, row, strict=True))) for row in reversed(rows)]


def _locked_head(session: Session, tenant: str) -> Link:
    query = (
        select(col(AuditHeadRow.number), col(AuditHeadRow.digest))
        .where(col(AuditHeadRow.tenant_id) == tenant)
        .with_for_update()
    )
    row = session.execute(query).one_or_none()
    if row is None:
        start = Link()
        session.execute(
            _FIRST_HEAD, {"tenant": tenant, "number": start.number, "digest": start.digest}
        )
        row = session.execute(query).one()
    return Link(number=row[0], digest=row[1])


_EXPECTED_TYPES = ",".join("integer" if name == "number" else "text" for name in ENTRY_FIELDS)


def _types(session: Session) -> ColumnElement[Any]:
    """SQLite keeps a type with every value, and one bit makes bytes of a text."""
    if session.connection().dialect.name == "postgresql":
        return literal(_EXPECTED_TYPES)
    columns = [func.typeof(col(getattr(AuditEntryRow, name))) for name in ENTRY_FIELDS]
    return func.printf(",".join(["%s"] * len(columns)), *columns)


def _stored(session: Session, column: Any) -> Any:
    """A text as its bytes, which need not be one any more; a number as it is."""
    if column.key == "number":
        return column
    if session.connection().dialect.name == "postgresql":
        return func.convert_to(column, "UTF8")
    return cast(column, LargeBinary)


def _lenient(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else "?"
