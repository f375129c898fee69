"""The tables of the bins that a box keeps."""

from __future__ import annotations

from common.durable_files import Layout

_SCHEMA = """
CREATE TABLE bin (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    camera TEXT NOT NULL,
    start_s INTEGER NOT NULL,
    part INTEGER NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (camera, start_s, part)
);
CREATE INDEX bin_by_start ON bin (start_s);
CREATE TABLE loss (
    camera TEXT NOT NULL,
    reason TEXT NOT NULL,
    bins INTEGER,
    first_s INTEGER,
    last_s INTEGER,
    detail TEXT NOT NULL,
    PRIMARY KEY (camera, reason, detail)
) WITHOUT ROWID;
"""

STORE = Layout(name="store", schema=_SCHEMA)
