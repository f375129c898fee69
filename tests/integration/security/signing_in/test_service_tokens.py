"""Programs: what their tokens let them do, and what they never do."""

from __future__ import annotations

import pytest

from common.errors import ConfigError, NotFoundError
from common.security import Permission, Role, SecurityContext
from coordinator.container import CoordinatorContainer
from coordinator.security.audit_store import still
from coordinator.security.service_tokens import FOR_PEOPLE
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.integration


def context_of(container: CoordinatorContainer, text: str) -> SecurityContext | None:
    with still(container.database()) as session:
        found = container.people.service_tokens().context(session, text)
    return found[0] if found else None


def test_a_token_does_what_its_scopes_say_alone(either: CoordinatorContainer) -> None:
    made = either.people.service_tokens().create(
        "prometheus", {Role.ML_ENGINEER}, scopes={Permission.METRICS_READ}, days=30
    )

    context = context_of(either, made.text)
    assert context is not None
    assert (context.kind, context.name) == ("service", "prometheus")
    assert context.permissions == {Permission.METRICS_READ}


def test_no_program_is_a_person_however_great_its_roles(container: CoordinatorContainer) -> None:
    made = container.people.service_tokens().create("all", {Role.ADMIN}, days=1)

    context = context_of(container, made.text)
    assert context is not None
    assert context.permissions == frozenset(Permission) - FOR_PEOPLE
    for permission in FOR_PEOPLE:
        with pytest.raises(ConfigError, match="is not among what these roles let a program do"):
            container.people.service_tokens().create(
                "more", {Role.ADMIN}, scopes={permission}, days=1
            )


def test_a_token_ends_by_itself_and_by_a_word(
    either: CoordinatorContainer, clock: StandingClock
) -> None:
    tokens = either.people.service_tokens()
    brief = tokens.create("brief", {Role.VIEWER}, days=1)
    ended = tokens.create("ended", {Role.VIEWER}, days=30)
    tokens.revoke("ended")
    clock.move(86_400)

    assert context_of(either, brief.text) is None
    assert context_of(either, ended.text) is None
    assert [token.state(clock.now()) for token in tokens.list()] == ["expired", "revoked"]
    with pytest.raises(NotFoundError):
        tokens.revoke("none")
