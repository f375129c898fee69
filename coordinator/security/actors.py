"""A request, a command or a loop → who acts, as the audit log names them.

Whoever lets somebody in says so with ``acting_as``; what is done below is theirs. A command
line needs no word: the operating system knows its user. Only the words that name a command
are kept, never its arguments, which may be secrets.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import click

MOST_NAME_CHARACTERS = 128

_LOGIN = Path("/proc/self/loginuid")
_NO_LOGIN = 2**32 - 1


class ActorKind(StrEnum):
    """How an actor is known."""

    ADDRESS = "address"
    COMMAND = "command"
    DEVICE = "device"
    PERSON = "person"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did something.

    Attributes:
        kind: How we know them.
        name: Network address, user and command, device id, person, or part of the coordinator.
    """

    kind: ActorKind
    name: str


_acting: ContextVar[Actor | None] = ContextVar("its_acting", default=None)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """What happens inside is done by ``actor``; threads that a request is given to know it."""
    before = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(before)


def current_actor() -> Actor:
    """Who acts here: whom ``acting_as`` named, or else the user of this command or process."""
    actor = _acting.get()
    if actor is not None:
        return actor
    context = click.get_current_context(silent=True)
    if context is None:
        return Actor(kind=ActorKind.SERVICE, name=_user())
    return Actor(kind=ActorKind.COMMAND, name=f"{_user()}: {context.command_path}")


def asking_address() -> str | None:
    """Where the request comes from that is being answered, None outside of requests."""
    actor = _acting.get()
    return actor.name if actor is not None and actor.kind is ActorKind.ADDRESS else None


def _user() -> str:
    """The account; with who signed in to the machine, where sudo made another of them."""
    effective = os.geteuid()
    try:
        # Set by PAM at login and kept through sudo, unlike SUDO_USER, which anybody can set.
        login = int(_LOGIN.read_text())
    except (OSError, ValueError):
        login = _NO_LOGIN
    if login in (_NO_LOGIN, effective):
        return _account(effective)
    return f"{_account(login)} as {_account(effective)}"


def _account(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
