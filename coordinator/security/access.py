"""A route's declaration → who may use it; a route without one stops the coordinator's start.

Every route names its permission where it is written, in ``dependencies=[may(...)]``, or says
``public()``. The check runs before anything else of the route, and what is done behind it is on
record as done by whoever was let in.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, cast

from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from common.security import Permission, SecurityContext, SecurityLevel
from coordinator.security.actors import Actor, ActorKind, acting_as
from coordinator.security.noticed import EventKind
from coordinator.security.refusals import LevelNeededError, NotAllowedError, SignInNeededError


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a route asks for.

    Attributes:
        permission: Without which nobody is let in; None for everybody, signed in or not.
        level: How sure it must be who asks.
    """

    permission: Permission | None = None
    level: SecurityLevel = SecurityLevel.NONE


class Authenticates(Protocol):
    """Finds out who asks."""

    async def context(self, request: Request) -> SecurityContext | None:
        """Who sent this request; None where nobody is known to have.

        Raises:
            TrustError: A form of another site was sent with the cookie of ours.
            UnreachableError: The database is away.
        """
        ...


class NotesEvents(Protocol):
    """Keeps what may be an attack, see ``events.SecurityEvents``."""

    def record(self, kind: EventKind, *, subject: str, address: str) -> None:
        """Note that something happened."""
        ...


class Access(Protocol):
    """Lets requests in."""

    async def known(self, request: Request) -> SecurityContext | None:
        """Who asks, None where nobody of this organisation is known to."""
        ...

    async def admit(self, request: Request, declared: Declared) -> SecurityContext | None:
        """Who asks, if they may; None where a route asks for nobody and nobody is known.

        Raises:
            SignInNeededError: Nobody is signed in, or in another organisation.
            NotAllowedError: Without the permission.
            LevelNeededError: Not surely enough.
        """
        ...


class RoleBasedAccessControl:
    """Decides by permission, level and organisation; everything else is refused."""

    def __init__(self, authenticator: Authenticates, *, tenant: str, events: NotesEvents) -> None:
        """Let people and programs of ``tenant`` in, as ``authenticator`` knows them."""
        self._authenticator = authenticator
        self._tenant = tenant
        self._events = events

    async def known(self, request: Request) -> SecurityContext | None:
        """Who asks; somebody of another organisation is nobody here."""
        context = await self._authenticator.context(request)
        return context if context is not None and context.tenant == self._tenant else None

    async def admit(self, request: Request, declared: Declared) -> SecurityContext | None:
        """See ``Access.admit``."""
        if declared.permission is None:
            return None
        context = await self.known(request)
        if context is None:
            raise SignInNeededError
        # The page that refuses them still is theirs: their navigation, their name.
        request.state.security_context = context
        # A code that is asked for again is no attempt at anything.
        least = min(declared.level, SecurityLevel.MULTI_FACTOR)
        if context.level < least or not context.may(declared.permission):
            self._events.record(
                EventKind.ACCESS_REFUSED, subject=context.name, address=address_of(request)
            )
        if not context.may(declared.permission):
            raise NotAllowedError(declared.permission)
        if context.level < declared.level:
            raise LevelNeededError(declared.level)
        return context


# Nothing here waits for anything: as a plain function each would cost a visit to a thread.
async def access_of(request: Request) -> Access:
    """Who lets requests in; tests of a single router put their own here."""
    return cast(Access, request.app.state.container.access())


class _Gate:
    """A declaration as FastAPI runs it; one object a declaration, so that it can be found."""

    def __init__(self, declared: Declared) -> None:
        self.declared = declared

    async def __call__(
        self, request: Request, access: Annotated[Access, Depends(access_of)]
    ) -> AsyncIterator[None]:
        """Let the request in, and name who asks while it is answered."""
        if self.declared.permission is None:
            yield
            return
        context = await access.admit(request, self.declared)
        request.state.security_context = context
        if context is None:
            raise SignInNeededError
        with acting_as(actor_of(context)):
            yield


class _OpenDoor:
    """The declaration of a route that is for everybody."""

    declared = Declared()

    async def __call__(self) -> None:
        """Nothing is asked for."""


def may(permission: Permission, *, level: SecurityLevel = SecurityLevel.MULTI_FACTOR) -> Any:
    """Declare what a route or a router asks for, in its ``dependencies=[...]``.

    Args:
        permission: Without which nobody is let in.
        level: How sure it must be who asks; ``FRESH`` for what cannot be undone.
    """
    return Depends(_Gate(Declared(permission=permission, level=level)))


def public() -> Any:
    """Declare that a route is for everybody; say beside it why."""
    return Depends(_OpenDoor())


async def context_of(request: Request) -> SecurityContext:
    """Who was let in.

    Raises:
        SignInNeededError: The route is public, and must not ask.
    """
    context: SecurityContext | None = getattr(request.state, "security_context", None)
    if context is None:
        raise SignInNeededError
    return context


ContextDep = Annotated[SecurityContext, Depends(context_of)]


async def known_context(
    request: Request, access: Annotated[Access, Depends(access_of)]
) -> SecurityContext | None:
    """Who asks on a public route, if anybody is known to."""
    context = await access.known(request)
    request.state.security_context = context
    return context


OptionalContextDep = Annotated[SecurityContext | None, Depends(known_context)]


def actor_of(context: SecurityContext) -> Actor:
    """Somebody who was let in, as the audit log names them."""
    if context.kind == "service":
        return Actor(kind=ActorKind.SERVICE, name=f"token {context.name}")
    return Actor(kind=ActorKind.PERSON, name=context.name)


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else "unknown"


def require_declared(app: FastAPI) -> None:
    """Call it when every router is in place.

    Raises:
        ValueError: A route has no declaration, or two, or is of a kind that can have none.
    """
    faults = []
    for route in iter_route_contexts(app.routes):
        found = len(list(_gates(route)))
        if found != 1:
            methods = ",".join(sorted(route.methods or ()))
            faults.append(f"{methods} {route.path} has {found}")
    if faults:
        raise ValueError(
            f"every route needs one declaration, may(...) or public(): {'; '.join(faults)}"
        )


def declared_of(route: RouteContext) -> Declared:
    """What a route asks for.

    Raises:
        ValueError: It does not say.
    """
    found = list(_gates(route))
    if len(found) != 1:
        raise ValueError(f"{route.path} has {len(found)} declarations, expected one")
    return found[0]


def _gates(route: RouteContext) -> Iterator[Declared]:
    """Declarations among what the route itself depends on."""
    if not isinstance(route.route, APIRoute):
        return
    for dependency in route.dependant.dependencies:
        if isinstance(dependency.call, (_Gate, _OpenDoor)):
            yield dependency.call.declared
