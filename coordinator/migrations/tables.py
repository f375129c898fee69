"""Every slice's tables → one metadata; a new module of tables is a new line here."""

from __future__ import annotations

import re

from sqlalchemy import MetaData
from sqlalchemy.schema import SchemaItem
from sqlmodel import SQLModel

import coordinator.federation.tables
import coordinator.fleet.tables
import coordinator.plates.tables
import coordinator.registry.tables
import coordinator.reports.tables
import coordinator.rollouts.tables
import coordinator.security.events_tables
import coordinator.security.people_tables
import coordinator.security.tables
import coordinator.security.threats.tables
import coordinator.traffic.quality_tables
import coordinator.traffic.rollup_tables
import coordinator.traffic.tables  # noqa: F401 - importing a module registers its tables

_PARTITION = re.compile(r"_p\d{6}$")
_TUNING_PREFIX = "tune_"
"""Indexes that only make things faster on one of the databases; the models do not name them."""


def all_tables() -> MetaData:
    """The tables as the models describe them."""
    return SQLModel.metadata


def is_ours_to_compare(item: SchemaItem, name: str | None, kind: str, *_: object) -> bool:
    """False for partitions and tuning indexes when models and database are compared."""
    del item
    if name is None:
        return True
    if kind == "table":
        return not _PARTITION.search(name) and name != "alembic_version"
    return not (kind == "index" and (name.startswith(_TUNING_PREFIX) or _PARTITION.search(name)))
