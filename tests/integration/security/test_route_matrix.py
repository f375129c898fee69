"""Every route for everybody: what is answered follows from its declaration and the grants.

The routes are the application's own, found at the time of the test, so that a new one is in the
table by itself. Requests are real, and so are accounts, sessions, tokens and the database; only
what a route does once somebody was let in is left out.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dependency_injector import providers
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse
from fastapi.routing import iter_route_contexts
from sqlalchemy import event
from starlette.applications import Starlette

from common.enrolment import ENROLMENT_PATH, TRUST_PATH
from common.security import GRANTS, Permission, Role, SecurityContext, SecurityLevel
from coordinator.app import create_app, create_device_app
from coordinator.config import CoordinatorConfig, TenantSettings
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.security.access import (
    Access,
    Declared,
    access_of,
    declared_of,
    may,
    public,
    require_declared,
)
from coordinator.security.sessions import End
from coordinator.setting_up import set_up
from tests.fakes.clocks import StandingClock
from tests.fakes.raw_asgi import Answer, asked
from tests.fakes.signed_in import SignedIn, program, sign_in

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LET_IN = 299
ROLES = tuple(Role)
LEVELS = (SecurityLevel.PASSWORD, SecurityLevel.MULTI_FACTOR, SecurityLevel.FRESH)
A_DAY_S = 86_400


class _LetInError(Exception):
    """Leaves the application where a route would begin its work."""


class StopsBehindTheGate:
    """The real decision; whoever it lets in gets no further."""

    def __init__(self, real: Access) -> None:
        self._real = real

    async def known(self, request: Request) -> SecurityContext | None:
        return await self._real.known(request)

    async def admit(self, request: Request, declared: Declared) -> SecurityContext | None:
        await self._real.admit(request, declared)
        raise _LetInError


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path, with something in the place of each parameter."""

    method: str
    path: str
    declared: Declared


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """A coordinator whose people are signed in, were, or never were."""

    container: CoordinatorContainer
    app: FastAPI
    routes: tuple[Route, ...]
    clock: StandingClock
    folder: Path


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder, clock = tmp_path_factory.mktemp("matrix"), StandingClock(NOON)
    container = container_of("city", folder, clock)
    app = create_app(container)
    real = container.access()
    app.dependency_overrides[access_of] = lambda: StopsBehindTheGate(real)
    app.add_exception_handler(_LetInError, let_in)
    yield Town(
        container=container, app=app, routes=tuple(routes_of(app)), clock=clock, folder=folder
    )
    container.database().close()


def container_of(tenant: str, folder: Path, clock: StandingClock) -> CoordinatorContainer:
    settings = CoordinatorConfig(data_folder=folder, tenant=TenantSettings(id=tenant))
    container = coordinator_container(settings)
    container.clock.override(providers.Object(clock))
    set_up(container)
    return container


async def let_in(_request: Request, _error: Exception) -> PlainTextResponse:
    return PlainTextResponse("", status_code=LET_IN)


def routes_of(app: FastAPI) -> Iterator[Route]:
    for route in iter_route_contexts(app.routes):
        for method in sorted(route.methods or ()):
            path = re.sub(r"{[^}]*}", "1", route.path or "")
            yield Route(method=method, path=path, declared=declared_of(route))


def expected(declared: Declared, role: Role, level: SecurityLevel) -> int:
    """What somebody who is signed in is told."""
    is_theirs = declared.permission in GRANTS[role] and level >= declared.level
    return LET_IN if is_theirs else 403


def nobody(_route: Route) -> int:
    return 401


def closed(town: Town) -> list[Route]:
    return [route for route in town.routes if route.declared.permission is not None]


def surprises(town: Town, *ways: dict[str, str], wanted: Callable[[Route], int]) -> list[str]:
    """Routes that answer otherwise than they should; they are asked in the given ways in turn."""

    async def ask_all() -> list[str]:
        found = []
        for number, route in enumerate(closed(town)):
            headers = ways[number % len(ways)]
            answer = await asked(town.app, route.method, route.path, headers=headers)
            if answer.status != wanted(route):
                found.append(f"{route.method} {route.path}: {answer.status}, not {wanted(route)}")
        return found

    return asyncio.run(ask_all())


def ask(app: FastAPI, method: str, path: str, **more: object) -> Answer:
    return asyncio.run(asked(app, method, path, **more))  # type: ignore[arg-type]


def end(town: Town, somebody: SignedIn, why: End) -> None:
    with town.container.database().session() as session:
        town.container.people.sessions().end_all(session, somebody.context.user_id, why)


def test_the_table_has_every_route(town: Town) -> None:
    asked_for = {route.declared.permission for route in closed(town)}

    assert len(town.routes) > 90
    # A permission that no route asks for would be one that nobody checks.
    assert asked_for == set(Permission) - NOT_ON_A_ROUTE


NOT_ON_A_ROUTE: set[Permission] = set()


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name.lower())
@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_the_routes_that_it_is_granted_and_no_other(
    town: Town, role: Role, level: SecurityLevel
) -> None:
    somebody = sign_in(town.container, role, level=level)

    found = surprises(
        town,
        somebody.bearer,
        somebody.page_headers,
        wanted=lambda route: expected(route.declared, role, level),
    )

    assert found == []


def test_without_a_sign_in_every_route_that_is_not_public_is_shut(town: Town) -> None:
    ways = ({}, {"Authorization": "Basic YTpi"}, {"Cookie": "its_session=x"})

    assert surprises(town, *ways, wanted=nobody) == []
    assert surprises(town, *ways[1:], ways[0], wanted=nobody) == []


@pytest.mark.parametrize("role", ROLES)
def test_a_sign_in_that_has_ended_opens_nothing(town: Town, role: Role) -> None:
    somebody = sign_in(town.container, role)
    end(town, somebody, End.SIGNED_OUT)

    assert surprises(town, somebody.bearer, somebody.page_headers, wanted=nobody) == []


@pytest.mark.parametrize("role", ROLES)
def test_a_sign_in_that_has_expired_opens_nothing(town: Town, role: Role) -> None:
    somebody = sign_in(town.container, role)
    town.clock.move(A_DAY_S)

    assert surprises(town, somebody.bearer, somebody.page_headers, wanted=nobody) == []


def test_an_access_token_ends_minutes_later_and_its_session_goes_on(town: Town) -> None:
    somebody = sign_in(town.container, Role.VIEWER)
    town.clock.move(301)

    assert ask(town.app, "GET", "/", headers=somebody.bearer).status == 401
    assert ask(town.app, "GET", "/", headers=somebody.page_headers).status == LET_IN


@pytest.mark.parametrize("role", ROLES)
def test_a_sign_in_of_another_tenant_opens_nothing(town: Town, role: Role) -> None:
    """The same database, the same keys, another city."""
    other = container_of("other-town", town.folder, town.clock)
    stranger, their_program = sign_in(other, role), program(other, role)
    other.database().close()

    found = surprises(town, stranger.bearer, stranger.page_headers, their_program, wanted=nobody)

    assert found == []


def test_an_account_that_is_disabled_opens_nothing_from_then_on(town: Town) -> None:
    somebody = sign_in(town.container, Role.ANALYST, name="leaves-today")
    town.container.people.accounts().disable("leaves-today")

    assert surprises(town, somebody.bearer, somebody.page_headers, wanted=nobody) == []


def test_a_role_that_is_taken_away_counts_at_the_next_request(town: Town) -> None:
    somebody = sign_in(town.container, Role.TECHNICIAN, name="changes-jobs")
    town.container.people.accounts().put_roles("changes-jobs", {Role.VIEWER})

    answer = ask(town.app, "GET", "/api/v1/quarantine", headers=somebody.bearer)

    assert answer.status == 403


def test_a_program_opens_what_its_token_was_narrowed_to(town: Town) -> None:
    prometheus = program(town.container, Role.ML_ENGINEER, scopes=(Permission.METRICS_READ,))

    found = surprises(
        town,
        prometheus,
        wanted=lambda route: (
            LET_IN if route.declared.permission is Permission.METRICS_READ else 403
        ),
    )

    assert found == []


def test_a_cookie_alone_changes_nothing(town: Town) -> None:
    """Another site can make a browser send the cookie, and cannot read the token of a form."""
    admin = sign_in(town.container, Role.ADMIN)
    cookie = {"Cookie": admin.page_headers["Cookie"]}

    found = surprises(
        town,
        cookie,
        cookie | {"X-CSRF-Token": "0" * len(admin.csrf)},
        wanted=lambda route: LET_IN if route.method == "GET" else 403,
    )

    assert found == []


def test_public_routes_are_few_and_known(town: Town) -> None:
    shown = {f"{route.method} {route.path}" for route in town.routes} - {
        f"{route.method} {route.path}" for route in closed(town)
    }

    assert shown == {
        "GET /health/live",
        "GET /health/ready",
        "GET /static/1/1",
        "POST /api/v1/session",
        "POST /api/v1/session/refresh",
        "GET /sign-in",
        "POST /sign-in",
        "GET /welcome",
        "POST /welcome",
    }


def test_who_may_enter_is_found_out_by_one_indexed_read(town: Town) -> None:
    somebody = sign_in(town.container, Role.VIEWER)
    token = program(town.container, Role.VIEWER)
    asked_of_database: list[str] = []
    engine = town.container.database().engine

    def note(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        asked_of_database.append(statement)

    for headers in (somebody.bearer, somebody.page_headers, token):
        ask(town.app, "GET", "/", headers=headers)  # marks it as used today
        asked_of_database.clear()
        event.listen(engine, "before_cursor_execute", note)
        answer = ask(town.app, "GET", "/", headers=headers)
        event.remove(engine, "before_cursor_execute", note)

        assert answer.status == LET_IN
        (statement,) = [one for one in asked_of_database if one != "BEGIN"]
        assert plan_of(town, statement) == []


def plan_of(town: Town, statement: str) -> list[str]:
    """Steps of the database's plan that read a whole table."""
    with town.container.database().engine.connect() as connection:
        values = tuple("x" for _ in range(statement.count("?")))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        return [row[3] for row in plan if row[3].startswith("SCAN")]


def nothing() -> None:
    """A route without a declaration."""


def test_a_route_without_a_declaration_stops_the_start() -> None:
    app = FastAPI(openapi_url=None)
    app.get("/new")(nothing)

    with pytest.raises(ValueError, match="GET /new has 0"):
        require_declared(app)


def test_a_route_with_two_declarations_stops_the_start() -> None:
    app, router = FastAPI(openapi_url=None), APIRouter(dependencies=[public()])
    router.get("/both", dependencies=[may(Permission.AUDIT_READ)])(nothing)
    app.include_router(router, prefix="/deep")

    with pytest.raises(ValueError, match="GET /deep/both has 2"):
        require_declared(app)


@pytest.mark.parametrize("kind", ["mounted", "documents", "websocket"])
def test_what_can_have_no_declaration_stops_the_start(kind: str) -> None:
    app = FastAPI(openapi_url="/openapi.json" if kind == "documents" else None)
    if kind == "mounted":
        app.mount("/inside", Starlette())
    elif kind == "websocket":
        app.websocket("/socket")(nothing)

    with pytest.raises(ValueError, match="has 0"):
        require_declared(app)


def test_what_the_network_reaches_without_an_account_is_named(town: Town) -> None:
    shown = {
        f"{route.method} {route.path}" for route in routes_of(create_device_app(town.container))
    }

    assert shown >= {f"GET {TRUST_PATH}", f"POST {ENROLMENT_PATH}"}
    assert not {path for path in shown if "session" in path or "users" in path}
