"""Alembic's entry → the steps, run on the connection that ``schema`` handed over."""

from __future__ import annotations

from alembic import context

from coordinator.migrations.tables import all_tables, is_ours_to_compare

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=all_tables(),
    include_object=is_ours_to_compare,
    # SQLite cannot change a column in place; alembic copies the table instead.
    render_as_batch=True,
)
context.run_migrations()
