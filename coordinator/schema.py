"""A database → the tables of this version, or what is missing to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from common.errors import ConflictError
from coordinator.database import Database
from coordinator.migrations.tables import all_tables, is_ours_to_compare

_FOLDER = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaVersion:
    """Which tables a database has.

    Attributes:
        current: Newest step that was applied, None for an empty database.
        newest: Newest step that this program knows.
    """

    current: str | None
    newest: str

    @property
    def is_current(self) -> bool:
        """True when program and database agree."""
        return self.current == self.newest


def migrate(database: Database, *, to: str = "head") -> SchemaVersion:
    """Apply the missing steps; all or none.

    Args:
        database: Where.
        to: ``head``, or the name of a step.

    Raises:
        ConflictError: The database was made by a newer program.
        UnreachableError: The database is away.
    """
    with database.session() as session:
        connection = session.connection()
        _refuse_newer(connection)
        command.upgrade(_configuration(connection), to)
    return schema_version(database)


def migrate_down(database: Database, *, to: str) -> SchemaVersion:
    """Take steps back, with the data they held; ``base`` empties the database.

    Raises:
        ConflictError: The database was made by a newer program.
        UnreachableError: The database is away.
    """
    with database.session() as session:
        connection = session.connection()
        _refuse_newer(connection)
        command.downgrade(_configuration(connection), to)
    return schema_version(database)


def schema_version(database: Database) -> SchemaVersion:
    """What the database has and what this program wants.

    Raises:
        UnreachableError: The database is away.
    """
    with database.session() as session:
        current = MigrationContext.configure(session.connection()).get_current_revision()
    return SchemaVersion(current=current, newest=_newest())


def require_current(database: Database) -> None:
    """Stop a program that does not fit the database.

    Raises:
        ConflictError: Steps are missing, or the database is of a newer program.
        UnreachableError: The database is away.
    """
    version = schema_version(database)
    if not version.is_current:
        raise ConflictError(
            f"database is at version {version.current or 'none'}, expected {version.newest}",
            hint="run its-camera-ai database migrate",
        )


def differences(database: Database) -> list[str]:
    """What the models describe and the database has not, or the other way round.

    Raises:
        UnreachableError: The database is away.
    """
    with database.session() as session:
        context = MigrationContext.configure(
            session.connection(), opts={"include_object": is_ours_to_compare}
        )
        return [str(each) for each in compare_metadata(context, all_tables())]


def _configuration(connection: Connection | None = None) -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    configuration.attributes["connection"] = connection
    return configuration


def _newest() -> str:
    newest = ScriptDirectory.from_config(_configuration()).get_current_head()
    if newest is None:
        raise ValueError(f"no versions in {_FOLDER}")
    return newest


def _refuse_newer(connection: Connection) -> None:
    current = MigrationContext.configure(connection).get_current_revision()
    known = ScriptDirectory.from_config(_configuration())
    if current is not None and current not in {step.revision for step in known.walk_revisions()}:
        raise ConflictError(
            f"database is at version {current}, which this program does not know",
            hint="install the program that made it, or a newer one",
        )
