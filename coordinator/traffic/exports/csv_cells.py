"""Values → CSV cells that a spreadsheet shows and never runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
Value = str | int | float | datetime | None


def cell(value: Value) -> str:
    """One value; None is an empty cell, never 0.

    Text that begins like a formula gets an apostrophe in front (CSV injection, CWE-1236).
    Numbers keep their sign.
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_STARTS_A_FORMULA) else value
    return str(value)


def csv_text(rows: Iterable[Sequence[Value]]) -> str:
    """Rows as RFC 4180 text, lines ended by CRLF."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for row in rows:
        writer.writerow([cell(value) for value in row])
    return out.getvalue()
