"""Accounts: the first administrator, links, roles, and the last one who can let others in."""

from __future__ import annotations

import pytest

from common.errors import ConfigError, ConflictError
from common.security import Role
from coordinator.container import CoordinatorContainer
from coordinator.security.links import LinkRefusedError
from coordinator.security.password_rules import RefusedPasswordError
from tests.fakes.clocks import StandingClock
from tests.fakes.people import HOME, PASSWORD, context_of, secret_of, welcomed
from tests.fakes.recorded_events import recorded_events
from tests.fakes.signed_in import ensure_account

pytestmark = pytest.mark.integration


def test_the_first_administrator_comes_through_a_link_until_there_is_one(
    either: CoordinatorContainer,
) -> None:
    accounts = either.people.accounts()
    lost = accounts.bootstrap("anna")
    link = accounts.bootstrap("anna")
    with pytest.raises(LinkRefusedError):
        either.people.own_account().follow_link(secret_of(lost.url), PASSWORD, HOME)
    opened = either.people.own_account().follow_link(secret_of(link.url), PASSWORD, HOME)
    ensure_account(either, Role.ADMIN, name="bert")

    assert (opened.is_complete, opened.has_factor) == (False, False)
    with pytest.raises(ConflictError, match="is an administrator already"):
        accounts.bootstrap("carl")


def test_a_link_leads_in_once(either: CoordinatorContainer) -> None:
    link = either.people.accounts().add("anna", {Role.VIEWER})
    own = either.people.own_account()
    own.look_at_link(secret_of(link.url), HOME)
    own.follow_link(secret_of(link.url), PASSWORD, HOME)

    with pytest.raises(LinkRefusedError):
        own.follow_link(secret_of(link.url), "seven otters fence with paint", HOME)
    assert [kind for kind, *_ in recorded_events(either)] == ["link_refused"]


def test_a_refused_password_uses_no_link_up(container: CoordinatorContainer) -> None:
    link = container.people.accounts().add("anna", {Role.VIEWER})
    own = container.people.own_account()
    with pytest.raises(RefusedPasswordError):
        own.follow_link(secret_of(link.url), "annaanna2026", HOME)

    assert own.follow_link(secret_of(link.url), PASSWORD, HOME).is_complete is False


def test_a_sign_in_link_lets_somebody_in_and_not_to_what_asks_for_the_phone(
    either: CoordinatorContainer, clock: StandingClock
) -> None:
    welcomed(either, "anna", Role.ADMIN)
    link = either.people.accounts().sign_in_link("anna")
    late = either.people.accounts().sign_in_link("anna")
    clock.move(599)
    opened = either.people.own_account().follow_link(secret_of(late.url), None, HOME)

    context = context_of(either, opened)
    assert context is not None
    assert context.level.name == "MULTI_FACTOR"
    with pytest.raises(LinkRefusedError):
        either.people.own_account().follow_link(secret_of(link.url), None, HOME)


def test_links_end_by_themselves(container: CoordinatorContainer, clock: StandingClock) -> None:
    welcomed(container, "anna", Role.ADMIN)
    link = container.people.accounts().sign_in_link("anna")
    clock.move(600)

    with pytest.raises(LinkRefusedError):
        container.people.own_account().follow_link(secret_of(link.url), None, HOME)


def test_the_last_administrator_stays(either: CoordinatorContainer) -> None:
    ensure_account(either, Role.ADMIN, name="anna")
    accounts = either.people.accounts()
    accounts.add("invited", {Role.ADMIN})
    with pytest.raises(ConflictError, match="only administrator"):
        accounts.disable("anna")
    with pytest.raises(ConflictError, match="only administrator"):
        accounts.put_roles("anna", {Role.VIEWER})
    ensure_account(either, Role.ADMIN, name="bert")

    assert accounts.disable("anna").state == "disabled"


def test_a_reset_lets_somebody_begin_anew(container: CoordinatorContainer) -> None:
    anna = welcomed(container, "anna", Role.VIEWER)
    link = container.people.accounts().reset("anna")

    assert context_of(container, anna.opened) is None
    assert container.people.accounts().named("anna").state == "invited"
    opened = container.people.own_account().follow_link(secret_of(link.url), PASSWORD, HOME)
    assert (opened.is_complete, opened.has_factor) == (False, False)


@pytest.mark.parametrize("name", ["", "a", "Anna", "anna berg", "../etc", "x" * 65, "<b>"])
def test_names_are_plain(container: CoordinatorContainer, name: str) -> None:
    with pytest.raises(ConfigError, match="expected 2 to 64 lower-case letters"):
        container.people.accounts().add(name, {Role.VIEWER})


def test_a_name_belongs_to_one_person(container: CoordinatorContainer) -> None:
    container.people.accounts().add("anna", {Role.VIEWER})

    with pytest.raises(ConflictError, match="exists"):
        container.people.accounts().add("anna", {Role.ADMIN})
