"""What goes in through a bulk insert comes back as it was, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from coordinator.bulk_store import BulkInsert, moment, moment_text, real, truth, whole, words
from coordinator.database import Database

pytestmark = pytest.mark.integration

NOON = moment_text(datetime(2026, 3, 14, 12, tzinfo=UTC))
SCRATCH = BulkInsert(
    "scratch",
    [whole("id"), words("word"), real("length"), truth("is_so"), moment("at")],
    key=("id", "word"),
)
ODD = [
    'a "quoted" word', "back\\slash", "a,comma", "{brace}", "NULL", "null", "", " ", "two\nlines",
    "it's", "Straße", "日本", "\\", '"', "%s", "$1", ":name", "NULL",
]  # fmt: skip


def test_odd_words_repeated_values_and_nulls_come_back_as_they_were(database: Database) -> None:
    rows = [
        (number, word, [None, 0.0, 1.0, 1e-9, 123456.789][number % 5], number % 3 == 0,
         None if number % 4 == 0 else NOON)
        for number, word in enumerate(ODD * 2)
    ]  # fmt: skip

    with database.session() as session:
        connection = session.connection()
        connection.execute(
            text(
                "CREATE TEMPORARY TABLE scratch (id bigint PRIMARY KEY, word text, "
                "length double precision, is_so boolean, at timestamp with time zone)"
            )
        )
        fresh = SCRATCH.new_keys(connection, rows[:20])
        again = SCRATCH.new_keys(connection, rows)
        found = connection.execute(
            text("SELECT id, word, length, is_so, at IS NULL FROM scratch ORDER BY id")
        ).all()

    assert fresh == {row[:2] for row in rows[:20]}
    assert again == {row[:2] for row in rows[20:]}
    assert [tuple(row) for row in found] == [(*row[:4], row[4] is None) for row in rows]
