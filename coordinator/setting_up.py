"""Settings → folders, keys, tables and the tenant that a process needs before it starts."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from common.errors import ConflictError
from coordinator.container import CoordinatorContainer
from coordinator.data_folder import make_data_folder
from coordinator.fleet.store import FleetStore
from coordinator.schema import migrate, require_current

log = structlog.get_logger(__name__)


def set_up(container: CoordinatorContainer) -> list[str]:
    """Make what is missing; safe to call at every start.

    Returns:
        What the operator should know, in sentences.

    Raises:
        ConfigError: The keys folder cannot be used.
        ConflictError: PostgreSQL without the newest tables.
        UnreachableError: A folder or the database.
    """
    settings = container.settings()
    make_data_folder(settings.data_folder)
    database = container.database()
    if database.is_postgresql:
        # Somebody else's database is not changed behind their back.
        require_current(database)
    else:
        migrate(database)
    told = []
    authority = container.authority()
    if authority.create(settings.tenant.name):
        told = [
            f"made a certificate authority in {settings.keys_folder}",
            f"its root key is {authority.root_key_file}: move it offline, issuing goes on "
            "without it for five years",
            f"trust anchor fingerprint {authority.fingerprint}",
        ]
    container.ring().turn()
    with database.session() as session:
        tenant = settings.tenant
        FleetStore(session, tenant.id).ensure_tenant(tenant.name, now=container.clock().now())
    return told


def quieten_libraries() -> None:
    """Libraries that log each packet or each lost client speak only of their own end."""
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in ("alembic", "uvicorn", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def alone(container: CoordinatorContainer) -> Iterator[None]:
    """Hold the data folder for ``serve``; the lock goes with the process.

    Raises:
        ConflictError: Another one serves from it.
    """
    folder = container.settings().data_folder
    with (folder / "serve.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                f"data folder {folder} is served by another coordinator",
                hint="stop that one first, or name another data_folder",
            ) from error
        yield
