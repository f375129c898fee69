"""Who acts, from where it is known."""

from __future__ import annotations

import os
import pwd
import threading

import pytest
import typer
from typer.testing import CliRunner

from coordinator.security.actors import (
    Actor,
    ActorKind,
    acting_as,
    asking_address,
    current_actor,
)

pytestmark = pytest.mark.unit

ACCOUNT = pwd.getpwuid(os.geteuid()).pw_name


def test_a_command_is_known_by_user_and_words_never_by_its_arguments() -> None:
    app = typer.Typer(name="its-camera-ai")
    seen: list[Actor] = []

    @app.callback()
    def root() -> None:
        """Make a group of it."""

    @app.command()
    def enter(password: str) -> None:
        del password
        seen.append(current_actor())

    CliRunner().invoke(app, ["enter", "open-sesame"])

    assert seen[0].kind is ActorKind.COMMAND
    assert seen[0].name.endswith(" enter")
    assert ACCOUNT in seen[0].name
    assert "sesame" not in seen[0].name


def test_a_loop_of_a_process_is_a_service() -> None:
    assert current_actor().kind is ActorKind.SERVICE
    assert ACCOUNT in current_actor().name


def test_whoever_is_named_acts_and_nobody_after_them() -> None:
    anna = Actor(kind=ActorKind.PERSON, name="anna")

    with acting_as(anna):
        inside = current_actor()

    assert inside == anna
    assert current_actor() != anna


def test_another_thread_is_somebody_else() -> None:
    seen: list[Actor] = []

    with acting_as(Actor(kind=ActorKind.ADDRESS, name="192.0.2.7")):
        other = threading.Thread(target=lambda: seen.append(current_actor()))
        other.start()
        other.join()
        address = asking_address()

    assert address == "192.0.2.7"
    assert seen[0].kind is ActorKind.SERVICE
    assert asking_address() is None
