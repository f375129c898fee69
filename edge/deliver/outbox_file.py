"""A path → an opened SQLite outbox, and the mark beside it that survives its loss."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common.durable_files import Layout, open_durable
from common.private_files import write_private

_SCHEMA = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE waiting (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    camera TEXT NOT NULL,
    start_s INTEGER NOT NULL,
    width_s INTEGER NOT NULL,
    part INTEGER NOT NULL,
    minutes INTEGER NOT NULL,
    is_unsure INTEGER NOT NULL,
    first_row INTEGER NOT NULL,
    last_row INTEGER NOT NULL,
    content BLOB NOT NULL,
    UNIQUE (camera, start_s, width_s, part)
);
CREATE INDEX waiting_by_row ON waiting (first_row);
CREATE TABLE report (
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    kind TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    clock TEXT NOT NULL,
    first_row INTEGER,
    bins INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (epoch, sequence)
);
CREATE TABLE merged_part (
    camera TEXT NOT NULL,
    start_s INTEGER NOT NULL,
    width_s INTEGER NOT NULL,
    next_part INTEGER NOT NULL,
    PRIMARY KEY (camera, start_s, width_s)
) WITHOUT ROWID;
CREATE TABLE loss (
    camera TEXT NOT NULL,
    reason TEXT NOT NULL,
    bins INTEGER,
    first_s INTEGER,
    last_s INTEGER,
    PRIMARY KEY (camera, reason)
) WITHOUT ROWID;
"""
# An index that lacks a row would hide a bin for ever.
_OUTBOX = Layout(name="outbox", schema=_SCHEMA, check="integrity_check", room_pages=512)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MergedKey(_Model):
    """A merged bin that was handed to the network, and the last stored row that is in it."""

    camera: str
    start_s: int
    width_s: int
    part: int
    last_row: int


class Mark(_Model):
    """What must not be forgotten when the outbox file is lost or goes back in time.

    Written and synchronised before anything leaves under a new sequence number: without it a
    disk that lost the last transactions would make us give a number to two reports.

    Attributes:
        epoch: The newest.
        sequence: The highest given in it.
        row: Every stored bin up to this row is acknowledged.
        merged: Merged bins that left and are not below ``row``: should their rows be read
            again, they must become the very same merged bins.
        facts: Copies of facts that would otherwise be told twice.
    """

    epoch: Annotated[int, Field(ge=0)] = 0
    sequence: Annotated[int, Field(ge=0)] = 0
    row: Annotated[int, Field(ge=0)] = 0
    merged: tuple[MergedKey, ...] = ()
    facts: dict[str, str] = Field(default_factory=dict)


def load_mark(path: Path) -> Mark | None:
    """The mark, or None where there is none or nobody can read it."""
    try:
        return Mark.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def save_mark(path: Path, mark: Mark) -> None:
    """Replace the mark in one step that survives a power cut.

    Raises:
        UnreachableError: The disk is full or failing.
    """
    write_private(path, mark.model_dump_json().encode())


def open_outbox(path: Path, *, max_bytes: int) -> sqlite3.Connection:
    """Open or create the file, check it, and bound its size.

    Raises:
        ConfigError: A newer version of the product wrote it.
        sqlite3.Error: It cannot be opened, or is damaged.
    """
    return open_durable(path, _OUTBOX, max_bytes=max_bytes, many_threads=False)
