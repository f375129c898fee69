"""Somebody new → an account set up as people do it: link, password, phone."""

from __future__ import annotations

from dataclasses import dataclass

import pyotp

from common.security import Role, SecurityContext
from common.timing import Clock
from coordinator.container import CoordinatorContainer
from coordinator.security.audit_store import still
from coordinator.security.sessions import Medium, Opened, Visitor

PASSWORD = "gentle otter paints seven fences"  # noqa: S105
HOME = Visitor(address="192.0.2.7", agent="Firefox", medium=Medium.PAGE)
SCRIPT = Visitor(address="192.0.2.7", agent="curl", medium=Medium.API)


class Phone:
    """Shows codes, as an authenticator does; its clock is the coordinator's."""

    def __init__(self, seed: str, clock: Clock) -> None:
        self._totp = pyotp.TOTP(seed)
        self._clock = clock
        self.seed = seed

    def code(self, *, steps: int = 0) -> str:
        """The code of now, or of some steps of 30 s away."""
        return self._totp.at(self._clock.now(), counter_offset=steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody whose account is set up, and what they hold."""

    name: str
    phone: Phone
    recovery_codes: list[str]
    opened: Opened


def secret_of(url: str) -> str:
    """What a one-time link carries."""
    return url.partition("?link=")[2]


def welcomed(container: CoordinatorContainer, name: str, *roles: Role) -> Person:
    """Add somebody, who then follows their link to the end."""
    people = container.people
    link = people.accounts().add(name, roles)
    half_way = people.own_account().follow_link(secret_of(link.url), PASSWORD, HOME)
    context = context_of(container, half_way)
    assert context is not None
    phone = Phone(people.own_account().begin_factor(context).seed, container.clock())
    confirmed = people.own_account().confirm_factor(context, phone.code(), HOME)
    return Person(
        name=name,
        phone=phone,
        recovery_codes=confirmed.recovery_codes,
        opened=confirmed.opened,
    )


def context_of(container: CoordinatorContainer, opened: Opened) -> SecurityContext | None:
    """Who holds the session now; None once it counts no more."""
    sessions = container.people.sessions()
    with still(container.database()) as session:
        held = sessions.held(session, opened.session_id)
    return sessions.context(held) if held is not None else None


def half_way(container: CoordinatorContainer, name: str, by: Visitor = HOME) -> SecurityContext:
    """Somebody after the first step."""
    opened = container.people.sign_in().with_password(name, PASSWORD, by)
    context = context_of(container, opened)
    assert context is not None
    return context
