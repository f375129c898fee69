"""A request → the parts of the coordinator that answer it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, cast

from fastapi import Depends, Request
from sqlmodel import Session

from common.timing import Clock
from coordinator.container import CoordinatorContainer
from coordinator.database import Database
from coordinator.fleet.enrolment import Enrolment
from coordinator.fleet.fleet import Fleet
from coordinator.fleet.revocations import Revocations
from coordinator.fleet.twins import Twins

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def container_of(request: Request) -> CoordinatorContainer:
    """The container that the application was created with."""
    return cast(CoordinatorContainer, request.app.state.container)


ContainerDep = Annotated[CoordinatorContainer, Depends(container_of)]


def database_of(container: ContainerDep) -> Database:
    """The one database of this process."""
    return container.database()


DatabaseDep = Annotated[Database, Depends(database_of)]


def session_of(request: Request, database: DatabaseDep) -> Iterator[Session]:
    """One transaction for the request; reading ones hold nobody back on SQLite."""
    with database.session() as session:
        if request.method in _SAFE:
            session.connection(execution_options={"its_read_only": True})
        yield session


# Ends before the answer leaves: who hears "done" can rely on the commit.
SessionDep = Annotated[Session, Depends(session_of, scope="function")]


def tenant_of(container: ContainerDep) -> str:
    """Whose data are asked for; until people sign in, always the one of the settings."""
    return str(container.settings().tenant.id)


TenantDep = Annotated[str, Depends(tenant_of)]


def clock_of(container: ContainerDep) -> Clock:
    """What time it is."""
    return container.clock()


ClockDep = Annotated[Clock, Depends(clock_of)]


def fleet_of(container: ContainerDep) -> Fleet:
    """Boxes."""
    return container.fleet()


def twins_of(container: ContainerDep) -> Twins:
    """What boxes shall run."""
    return container.twins()


def enrolment_of(container: ContainerDep) -> Enrolment:
    """Letting boxes in."""
    return container.enrolment()


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else "unknown"


def revocations_of(container: ContainerDep) -> Revocations:
    """The revocation list."""
    return container.revocations()


FleetDep = Annotated[Fleet, Depends(fleet_of)]
TwinsDep = Annotated[Twins, Depends(twins_of)]
EnrolmentDep = Annotated[Enrolment, Depends(enrolment_of)]
AddressDep = Annotated[str, Depends(address_of)]
RevocationsDep = Annotated[Revocations, Depends(revocations_of)]
