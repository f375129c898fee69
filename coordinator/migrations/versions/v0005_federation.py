"""A fleet that counts → boxes that train together: node keys, runs, rounds and what happened."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.migrations.columns import big_whole, json, moment, real, text, truth, whole

revision = "0005"
down_revision = "0004"

_TABLES = (
    "learning_key",
    "federated_run",
    "federated_round",
    "federated_client_round",
    "federated_event",
)


def upgrade() -> None:
    """Create the tables."""
    _learning_key()
    _run()
    _round()
    _client_round()
    _event()


def downgrade() -> None:
    """Drop them, with what they hold."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _learning_key() -> None:
    op.create_table(
        "learning_key",
        text("digest", 64),
        text("device_id", 64),
        text("tenant_id", 64),
        text("public_key", 512),
        moment("given_at"),
        moment("ended_at", optional=True),
        text("node_id", 32, optional=True),
        moment("registered_at", optional=True),
        moment("unregistered_at", optional=True),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"]),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_learning_key_device_id", "learning_key", ["device_id"])


def _run() -> None:
    op.create_table(
        "federated_run",
        text("id", 64),
        text("tenant_id", 64),
        text("state", 16),
        json("plan"),
        moment("created_at"),
        moment("changed_at"),
        whole("round"),
        text("reason", 2000),
        json("verdict"),
        text("candidate", 512, optional=True),
        truth("is_to_stop"),
        text("handle", 64, optional=True),
        whole("starts"),
        whole("ledger_lines"),
        text("ledger_head", 64, optional=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    for column in ("state", "tenant_id"):
        op.create_index(f"ix_federated_run_{column}", "federated_run", [column])


def _round() -> None:
    op.create_table(
        "federated_round",
        text("run_id", 64),
        whole("number"),
        text("tenant_id", 64),
        text("weights_sha256", 64),
        real("took_s"),
        json("map50"),
        real("epsilon", optional=True),
        moment("finished_at"),
        sa.ForeignKeyConstraint(["run_id"], ["federated_run.id"]),
        sa.PrimaryKeyConstraint("run_id", "number"),
    )


def _client_round() -> None:
    op.create_table(
        "federated_client_round",
        text("run_id", 64),
        whole("number"),
        text("device_id", 64),
        text("tenant_id", 64),
        text("verdict", 16),
        json("reasons"),
        real("weight"),
        whole("samples"),
        big_whole("claimed_samples"),
        real("norm", optional=True),
        real("cosine", optional=True),
        big_whole("sent_bytes"),
        real("train_s"),
        real("loss", optional=True),
        real("map50", optional=True),
        sa.ForeignKeyConstraint(["run_id"], ["federated_run.id"]),
        sa.PrimaryKeyConstraint("run_id", "number", "device_id"),
    )
    op.create_index("ix_federated_client_round_device_id", "federated_client_round", ["device_id"])


def _event() -> None:
    op.create_table(
        "federated_event",
        text("run_id", 64),
        whole("number"),
        text("tenant_id", 64),
        moment("at"),
        text("kind", 32),
        json("detail"),
        sa.ForeignKeyConstraint(["run_id"], ["federated_run.id"]),
        sa.PrimaryKeyConstraint("run_id", "number"),
    )
