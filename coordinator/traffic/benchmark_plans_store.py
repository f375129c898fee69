"""A statement → its plan, and how long the database worked on it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, event

from coordinator.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What was sent, as the driver got it."""

    sql: str
    values: Any


@contextmanager
def heard(database: Database) -> Iterator[list[Statement]]:
    """Every statement that is sent while the block runs."""
    statements: list[Statement] = []

    def hear(_connection: Any, _cursor: Any, sql: str, values: Any, *_rest: Any) -> None:
        statements.append(Statement(sql=sql, values=values))

    event.listen(database.engine, "before_cursor_execute", hear)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", hear)


@contextmanager
def clocked(database: Database) -> Iterator[list[float]]:
    """How long each statement took as the client saw it, in milliseconds."""
    took_ms: list[float] = []
    began: list[float] = []

    def start(*_: Any) -> None:
        began.append(time.perf_counter())

    def end(*_: Any) -> None:
        took_ms.append((time.perf_counter() - began.pop()) * 1000)

    event.listen(database.engine, "before_cursor_execute", start)
    event.listen(database.engine, "after_cursor_execute", end)
    try:
        yield took_ms
    finally:
        event.remove(database.engine, "before_cursor_execute", start)
        event.remove(database.engine, "after_cursor_execute", end)


def explain(connection: Connection, statement: Statement) -> dict[str, Any]:
    """Run it once more with EXPLAIN (ANALYZE, BUFFERS)."""
    (plans,) = connection.exec_driver_sql(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement.sql}", statement.values
    ).one()
    plan = plans[0]
    nodes = list(_nodes(plan["Plan"]))
    return {
        "sql": " ".join(statement.sql.split()),
        "execution_ms": plan["Execution Time"],
        "planning_ms": plan["Planning Time"],
        "buffers_hit": plan["Plan"].get("Shared Hit Blocks"),
        "buffers_read": plan["Plan"].get("Shared Read Blocks"),
        "plan": nodes,
    }


def _nodes(node: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """One line a node, indented, as a reader of EXPLAIN expects it."""
    on = node.get("Index Name") or node.get("Relation Name")
    fetched = f" heap_fetches={node['Heap Fetches']}" if "Heap Fetches" in node else ""
    condition = node.get("Index Cond") or node.get("Filter") or ""
    shown = condition if len(condition) <= 120 else f"{condition[:117]}..."
    yield (
        f"{'  ' * depth}{node['Node Type']}{f' on {on}' if on else ''}"
        f" rows={node['Actual Rows']} loops={node['Actual Loops']}"
        f" ms={node['Actual Total Time']}{fetched}{f' {shown}' if shown else ''}"
    )
    for child in node.get("Plans", ()):
        yield from _nodes(child, depth + 1)
