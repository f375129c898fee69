"""Tuples → one idempotent statement a table, without an object a row.

Table and column names come from our own code alone; values are always parameters.

PostgreSQL gets one array literal a column and unnests them: 100,000 rows a second and more,
and a row that is there stays as it is. SQLite gets its compiled statement again and again.
"""
# ruff: noqa: S608 - see above

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

Row = tuple[Any, ...]

_MOST_SQLITE_VARIABLES = 30_000
_SKIP = "ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True)
class BulkColumn:
    """A column and how its values are written in an array literal."""

    name: str
    pg_type: str
    encode: Callable[[Sequence[Any]], str]


def _plain(values: Sequence[Any]) -> str:
    return _spelt(values, str)


def _moments(values: Sequence[Any]) -> str:
    return _spelt(values, lambda value: f'"{value}+00"')


def _texts(values: Sequence[Any]) -> str:
    return _spelt(values, _quoted)


def _spelt(values: Sequence[Any], spell: Callable[[Any], str]) -> str:
    """Columns repeat few values many times: each is spelt once."""
    spelt = {value: "NULL" if value is None else spell(value) for value in set(values)}
    return ",".join([spelt[value] for value in values])


def _bytes(values: Sequence[Any]) -> str:
    return ",".join([rf'"\\x{value.hex()}"' for value in values])


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def whole(name: str) -> BulkColumn:
    """Whole numbers, NULL allowed."""
    return BulkColumn(name, "bigint", _plain)


def real(name: str) -> BulkColumn:
    """Floating point numbers, NULL allowed."""
    return BulkColumn(name, "float8", _plain)


def truth(name: str) -> BulkColumn:
    """True or False."""
    return BulkColumn(name, "boolean", _plain)


def words(name: str) -> BulkColumn:
    """Text, NULL allowed."""
    return BulkColumn(name, "text", _texts)


def document(name: str) -> BulkColumn:
    """JSON as text, NULL allowed."""
    return BulkColumn(name, "json", _texts)


def moment(name: str) -> BulkColumn:
    """Moments as ``moment_text`` writes them, NULL allowed."""
    return BulkColumn(name, "timestamptz", _moments)


def raw(name: str) -> BulkColumn:
    """Bytes."""
    return BulkColumn(name, "bytea", _bytes)


@lru_cache(maxsize=65_536)
def moment_text(at: datetime) -> str:
    """UTC in the one spelling that both databases take (and that SQLAlchemy uses on SQLite)."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def json_text(value: Any) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"))


class BulkInsert:
    """``INSERT`` of many rows into one table; a row whose key exists is skipped."""

    def __init__(self, table: str, columns: Sequence[BulkColumn], *, key: Sequence[str]) -> None:
        """Prepare the statements; ``key`` names the columns that ``new_keys`` answers with."""
        self._table = table
        self._columns = tuple(columns)
        names = [column.name for column in columns]
        self._key_positions = [names.index(name) for name in key]
        self._key_names = list(key)
        self._into = f"INTO {table} ({', '.join(names)})"
        arrays = ", ".join(f"%s::{column.pg_type}[]" for column in columns)
        self._postgresql = f"INSERT {self._into} SELECT * FROM unnest({arrays}) {_SKIP}"  # nosec B608
        self._marks = f"({', '.join('?' * len(columns))})"
        self._sqlite = f"INSERT {self._into} VALUES {self._marks} {_SKIP}"

    def add(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert what is not there yet; of two rows with one key the first counts."""
        if not rows:
            return
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(self._postgresql, self._arrays(rows))
        else:
            connection.exec_driver_sql(self._sqlite, list(rows))

    def add_named(self, connection: Connection, names: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert rows of these columns alone on SQLite; the others stay NULL."""
        marks = ", ".join("?" * len(names))
        statement = f"INSERT INTO {self._table} ({', '.join(names)}) VALUES ({marks}) {_SKIP}"  # nosec B608
        connection.exec_driver_sql(statement, list(rows))

    def new_keys(self, connection: Connection, rows: Sequence[Row]) -> set[Row]:
        """Insert, and tell the keys of the rows that were not there before.

        Keys come back as they were given: moments as text.
        """
        if not rows:
            return set()
        if connection.dialect.name == "postgresql":
            returned = ", ".join(self._returned(position) for position in self._key_positions)
            statement = f"{self._postgresql} RETURNING {returned}"
            found = connection.exec_driver_sql(statement, self._arrays(rows)).all()
            return {tuple(row) for row in found}
        fresh: set[Row] = set()
        for part in _parts(rows, _MOST_SQLITE_VARIABLES // len(self._columns)):
            statement = (
                f"INSERT {self._into} VALUES {', '.join([self._marks] * len(part))} "
                f"{_SKIP} RETURNING {', '.join(self._key_names)}"
            )
            values = tuple(value for row in part for value in row)
            fresh.update(tuple(row) for row in connection.exec_driver_sql(statement, values))
        return fresh

    def key_of(self, row: Row) -> Row:
        """The key of a row, as ``new_keys`` tells it."""
        return tuple(row[position] for position in self._key_positions)

    def _arrays(self, rows: Sequence[Row]) -> tuple[str, ...]:
        return tuple(
            f"{{{column.encode(values)}}}"
            for column, values in zip(self._columns, zip(*rows, strict=True), strict=True)
        )

    def _returned(self, position: int) -> str:
        column = self._columns[position]
        if column.pg_type != "timestamptz":
            return column.name
        return f"to_char({column.name} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"


def _parts(rows: Sequence[Row], most: int) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), most):
        yield rows[start : start + most]
